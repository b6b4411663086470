//! Tests of `cluster::client`.

use std::sync::mpsc::{Receiver, Sender, channel};

use super::*;
use crate::cluster::scheduler::JobState;

/// A scheduler whose every answer waits until the test gives it.
struct Slow {
    asked: Mutex<Sender<Vec<JobRef>>>,
    answers: Mutex<Receiver<Result<JobState, ()>>>,
    cancelled: Mutex<Vec<Vec<JobRef>>>,
}

impl Scheduler for Arc<Slow> {
    fn submit(&self, _job: &Job) -> Result<String, SchedulerError> {
        unreachable!("nothing is submitted")
    }

    fn states(&self, jobs: &[JobRef]) -> Result<BTreeMap<String, Vec<JobStatus>>, SchedulerError> {
        self.asked.lock().unwrap().send(jobs.to_vec()).unwrap();
        let answer = self.answers.lock().unwrap().recv().unwrap();
        let status = |state| vec![JobStatus { id: "7".into(), state, node: None, reason: None }];
        answer
            .map(|state| jobs.iter().map(|job| (job.name.clone(), status(state))).collect())
            .map_err(|()| refused("squeue"))
    }

    fn cancel(&self, jobs: &[JobRef]) -> Result<(), SchedulerError> {
        let mut cancelled = self.cancelled.lock().unwrap();
        cancelled.push(jobs.to_vec());
        match cancelled.len() {
            1 => Err(refused("scancel")),
            _ => Ok(()),
        }
    }
}

fn refused(program: &str) -> SchedulerError {
    SchedulerError::Refused { program: program.into(), said: String::new() }
}

type Bench = (SchedulerClient, Arc<Slow>, Receiver<Vec<JobRef>>, Sender<Result<JobState, ()>>);

fn bench() -> Bench {
    let (asked, asking) = channel();
    let (answer, answers) = channel();
    let slow = Slow {
        asked: Mutex::new(asked),
        answers: Mutex::new(answers),
        cancelled: Mutex::default(),
    };
    let slow = Arc::new(slow);
    (SchedulerClient::new(Box::new(Arc::clone(&slow))), slow, asking, answer)
}

fn job(name: &str) -> JobRef {
    JobRef { name: name.into(), id: Some("7".into()) }
}

fn wait_for_the_answer(client: &SchedulerClient, name: &str) -> Answer {
    loop {
        if let Some(answer) = client.look(name) {
            return answer;
        }
        thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn nobody_waits_for_a_scheduler_that_does_not_answer() {
    let (client, _, asking, answer) = bench();
    client.watch(job("a"));
    assert_eq!(client.look("a"), None);
    assert_eq!(asking.recv().unwrap(), [job("a")]);
    // Whatever is called while the poll is under way returns, and no second poll begins.
    client.watch(job("b"));
    assert_eq!((client.look("a"), client.look("b")), (None, None));
    client.forget("b");
    assert!(asking.try_recv().is_err(), "polled twice at once");
    answer.send(Ok(JobState::Running)).unwrap();
    let running = wait_for_the_answer(&client, "a");
    assert_eq!(running.jobs[0].state, JobState::Running);
}

#[test]
fn while_a_poll_is_under_way_the_last_answer_stands_but_does_not_age() {
    let (client, _, asking, answer) = bench();
    client.watch(job("a"));
    client.look("a");
    asking.recv().unwrap();
    answer.send(Ok(JobState::Running)).unwrap();
    let first = wait_for_the_answer(&client, "a");
    // The next poll is due, and hangs.
    client.0.state().interval = Duration::ZERO;
    client.look("a");
    asking.recv().unwrap();
    let (second, third) = (client.look("a").unwrap(), client.look("a").unwrap());
    assert_eq!(second.jobs, first.jobs);
    assert_eq!(second.as_of, third.as_of, "it was known to run only as of the first poll");
    answer.send(Err(())).unwrap();
    while client.look("a").is_some() {
        thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn an_answer_says_nothing_of_a_job_that_is_watched_since_its_question() {
    let (client, _, asking, answer) = bench();
    client.watch(job("a"));
    client.look("a");
    asking.recv().unwrap();
    client.watch(job("b"));
    answer.send(Ok(JobState::Running)).unwrap();
    wait_for_the_answer(&client, "a");
    assert_eq!(client.look("b"), None);
}

#[test]
fn what_could_not_be_cancelled_is_cancelled_with_the_next_poll() {
    let (client, slow, asking, answer) = bench();
    client.watch(job("a"));
    client.cancel(vec![job("old")]);
    client.look("a");
    asking.recv().unwrap();
    assert_eq!(*slow.cancelled.lock().unwrap(), [[job("old")], [job("old")]]);
    answer.send(Ok(JobState::Pending)).unwrap();
    assert!(client.0.state().to_cancel.is_empty());
}
