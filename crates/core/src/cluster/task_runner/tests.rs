//! Tasks that are run to their end, with files that fail and a scheduler of the test's own.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::cluster::attempts::{AttemptId, Attempts, End, this_node};
use crate::cluster::client::SchedulerClient;
use crate::cluster::nodes::Nodes;
use crate::cluster::request::{Control, TaskEnd, TaskRequest, TaskUpdate};
use crate::cluster::scheduler::{
    Job, JobEnd, JobRef, JobState, JobStatus, Scheduler, SchedulerError,
};
use crate::cluster::shared::Cluster;
use crate::cluster::submit::Program;
use crate::cluster::task::{Outcome, Part};
use crate::ledger::{Event, LINE_LIMIT_BYTES, Ledger};
use crate::record::Ending;
use crate::spec::RunSpec;
use crate::sys::clock::RealClock;
use crate::sys::fence::Fence;
use crate::sys::files::{Files, RealFiles};

/// A scheduler whose jobs are threads of the test.
#[derive(Clone, Default)]
struct Threads {
    jobs: Arc<Mutex<BTreeMap<String, Vec<JobStatus>>>>,
    /// How many submissions are taken, but reported as failed.
    lies: Arc<AtomicUsize>,
}

impl Threads {
    fn end(&self, name: &str) {
        let mut jobs = self.jobs.lock().unwrap();
        let last = jobs.get_mut(name).and_then(|seen| seen.last_mut()).unwrap();
        last.state = JobState::Ended(JobEnd::Completed);
    }
}

impl Scheduler for Threads {
    fn submit(&self, job: &Job) -> Result<String, SchedulerError> {
        let (name, folder) = (job.name.clone(), job.script.parent().unwrap().to_owned());
        let id = {
            let mut jobs = self.jobs.lock().unwrap();
            let seen = jobs.entry(name.clone()).or_default();
            let (id, node) = (format!("{}", seen.len() + 1), Some("n1".into()));
            seen.push(JobStatus { id: id.clone(), state: JobState::Running, node, reason: None });
            id
        };
        let this = self.clone();
        std::thread::spawn(move || {
            let files: Arc<dyn Files> = Arc::new(RealFiles);
            let claim = Attempts::in_folder(&files, folder).claim(None, &this_node()).unwrap();
            let outcome = Outcome::Trained {
                curve: Vec::new(),
                ending: Ending::Completed,
                train_seconds: 0.5,
                images_per_second: 0.0,
            };
            claim.end(End::Published(outcome), 0.5).unwrap();
            this.end(&name);
        });
        match self.lies.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |lies| lies.checked_sub(1))
        {
            Ok(_) => Err(SchedulerError::Refused {
                program: "sbatch".into(),
                said: "Socket timed out on send/recv operation".into(),
            }),
            Err(_) => Ok(id),
        }
    }

    fn states(&self, jobs: &[JobRef]) -> Result<BTreeMap<String, Vec<JobStatus>>, SchedulerError> {
        let all = self.jobs.lock().unwrap();
        let known = jobs.iter().filter_map(|job| all.get_key_value(&job.name));
        Ok(known.map(|(name, seen)| (name.clone(), seen.clone())).collect())
    }

    fn cancel(&self, _jobs: &[JobRef]) -> Result<(), SchedulerError> {
        Ok(())
    }
}

fn cluster(run: &Path, scheduler: &Threads) -> Cluster {
    cluster_of(&RunSpec::default(), run, Box::new(scheduler.clone()))
}

fn cluster_of(spec: &RunSpec, run: &Path, scheduler: Box<dyn Scheduler>) -> Cluster {
    let files: Arc<dyn Files> = Arc::new(RealFiles);
    let program = Program { key: "run".into(), command: Vec::new(), environment: Vec::new() };
    let scheduler = SchedulerClient::new(scheduler);
    Cluster::new(spec, scheduler, Nodes::default(), program, (&files, Fence::none()), run)
}

fn request<'a>(folder: &'a Path) -> TaskRequest<'a> {
    TaskRequest { trial: 1, part: Part::Train, folder, task: b"{}".to_vec() }
}

#[test]
fn a_job_that_was_taken_although_its_submission_failed_is_found_and_not_submitted_twice() {
    let run = tempfile::tempdir().unwrap();
    let folder = run.path().join("trials/001/attempts");
    let scheduler = Threads { lies: Arc::new(AtomicUsize::new(1)), ..Threads::default() };
    let cluster = cluster(run.path(), &scheduler);
    let mut submitted = 0;
    let taken = cluster.run(&request(&folder), &mut |update| {
        submitted += usize::from(matches!(update, TaskUpdate::Submitted { .. }));
        Ok(Control::Continue)
    });
    assert!(matches!(taken.unwrap(), TaskEnd::Result(..)));
    assert_eq!(submitted, 1);
    let jobs = scheduler.jobs.lock().unwrap();
    assert_eq!(jobs.values().map(Vec::len).collect::<Vec<_>>(), [1]);
}

#[test]
fn a_process_that_comes_later_finds_what_was_submitted_and_takes_each_result_once() {
    let run = tempfile::tempdir().unwrap();
    let folder = run.path().join("trials/001/attempts");
    let scheduler = Threads::default();
    let first = cluster(run.path(), &scheduler);
    let left = first.run(&request(&folder), &mut |update| {
        Ok(if matches!(update, TaskUpdate::Submitted { .. }) {
            Control::Detach
        } else {
            Control::Continue
        })
    });
    assert!(matches!(left.unwrap(), TaskEnd::Detached));
    for _ in 0..2 {
        let taken = cluster(run.path(), &scheduler)
            .run(&request(&folder), &mut |_| Ok(Control::Continue))
            .unwrap();
        let TaskEnd::Result(attempt, _) = taken else { panic!("{taken:?}") };
        assert_eq!(attempt.id, AttemptId { submission: 1, claim: 1 });
    }
    assert_eq!(scheduler.jobs.lock().unwrap().len(), 1);
}

/// Submits a task whose caller leaves at once, and waits for the end of its attempt.
fn submitted_and_ended(run: &Path, scheduler: &Threads) -> Attempts {
    let folder = run.join("trials/001/attempts");
    let left = cluster(run, scheduler).run(&request(&folder), &mut |update| {
        let is_submitted = matches!(update, TaskUpdate::Submitted { .. });
        Ok(if is_submitted { Control::Detach } else { Control::Continue })
    });
    assert!(matches!(left.unwrap(), TaskEnd::Detached));
    let files: Arc<dyn Files> = Arc::new(RealFiles);
    let attempts = Attempts::in_folder(&files, &folder);
    let id = AttemptId { submission: 1, claim: 1 };
    while attempts.attempt(id).end().ok().flatten().is_none() {
        std::thread::sleep(Duration::from_millis(5));
    }
    attempts
}

/// Takes a file away for the first moments of a task, with a folder in its place, and answers how the task ends.
fn with_a_file_unreadable_at_first(name: &str, accepted_before: bool) {
    let run = tempfile::tempdir().unwrap();
    let scheduler = Threads::default();
    submitted_and_ended(run.path(), &scheduler);
    let folder = run.path().join("trials/001/attempts");
    if accepted_before {
        let taken =
            cluster(run.path(), &scheduler).run(&request(&folder), &mut |_| Ok(Control::Continue));
        assert!(matches!(taken.unwrap(), TaskEnd::Result(..)));
    }
    let (path, aside) = (folder.join(name), run.path().join("aside"));
    std::fs::rename(&path, &aside).unwrap();
    std::fs::create_dir(&path).unwrap();
    let mut looks = 0;
    let taken = cluster(run.path(), &scheduler).run(&request(&folder), &mut |update| {
        assert!(!matches!(update, TaskUpdate::Submitted { .. }), "{name}: trained again");
        looks += usize::from(matches!(update, TaskUpdate::Waiting));
        if looks == 8 && path.is_dir() {
            std::fs::remove_dir(&path).unwrap();
            std::fs::rename(&aside, &path).unwrap();
        }
        Ok(Control::Continue)
    });
    let TaskEnd::Result(attempt, _) = taken.unwrap() else { panic!("{name}") };
    assert_eq!(attempt.id, AttemptId { submission: 1, claim: 1 });
    assert!(looks >= 8, "{name} was not needed");
    assert_eq!(scheduler.jobs.lock().unwrap().len(), 1, "{name}");
}

#[test]
fn a_file_that_cannot_be_read_for_a_moment_does_not_have_the_trial_trained_again() {
    with_a_file_unreadable_at_first("submission-0001.json", false);
    with_a_file_unreadable_at_first("job-0001.json", false);
    with_a_file_unreadable_at_first("0001-01/end.json", false);
    with_a_file_unreadable_at_first("0001-01/end.json", true);
    with_a_file_unreadable_at_first("accepted.json", true);
}

#[test]
fn a_file_that_stays_unreadable_ends_the_task_with_an_error_that_names_it() {
    let run = tempfile::tempdir().unwrap();
    let scheduler = Threads::default();
    let attempts = submitted_and_ended(run.path(), &scheduler);
    let end = attempts.attempt(AttemptId { submission: 1, claim: 1 }).folder.join("end.json");
    std::fs::write(&end, "{").unwrap();
    let spec = RunSpec { visibility: 1, ..RunSpec::default() };
    let folder = run.path().join("trials/001/attempts");
    let error = cluster_of(&spec, run.path(), Box::new(scheduler.clone()))
        .run(&request(&folder), &mut |_| Ok(Control::Continue))
        .unwrap_err();
    assert!(error.to_string().contains("end.json is damaged"), "{error}");
    assert_eq!(scheduler.jobs.lock().unwrap().len(), 1);
}

#[test]
fn a_line_that_is_longer_than_any_event_does_not_hide_those_after_it() {
    let run = tempfile::tempdir().unwrap();
    let scheduler = Threads::default();
    let attempts = submitted_and_ended(run.path(), &scheduler);
    let attempt = attempts.attempt(AttemptId { submission: 1, claim: 1 });
    let clock = Arc::new(RealClock::default());
    let mut ledger = Ledger::open(&RealFiles, &attempt.events(), Fence::none(), clock).unwrap();
    let rejected = |path: &str| Event::CheckpointRejected { path: path.into(), why: "torn".into() };
    ledger.append(rejected("a")).unwrap();
    let first = std::fs::read(attempt.events()).unwrap();
    // The end of the long line is an event of its own, if it is read by itself.
    let long = [vec![b' '; 3 * LINE_LIMIT_BYTES], first.clone()].concat();
    let all = [first.clone(), long, b"{damaged}\n".to_vec(), first].concat();
    std::fs::write(attempt.events(), all).unwrap();
    let folder = run.path().join("trials/001/attempts");
    let mut passed_on = 0;
    let taken = cluster(run.path(), &scheduler).run(&request(&folder), &mut |update| {
        if let TaskUpdate::Events { events } = update {
            passed_on += events.len();
        }
        Ok(Control::Continue)
    });
    assert!(matches!(taken.unwrap(), TaskEnd::Result(..)));
    assert_eq!(passed_on, 2);
}

/// A scheduler that takes a job only once the study has given a sign of life meanwhile.
struct SlowToSubmit {
    threads: Threads,
    signs: Mutex<Receiver<()>>,
}

impl Scheduler for SlowToSubmit {
    fn submit(&self, job: &Job) -> Result<String, SchedulerError> {
        for _ in 0..2 {
            let sign = self.signs.lock().unwrap().recv_timeout(Duration::from_secs(30));
            sign.expect("no sign of life while the job was submitted");
        }
        self.threads.submit(job)
    }

    fn states(&self, jobs: &[JobRef]) -> Result<BTreeMap<String, Vec<JobStatus>>, SchedulerError> {
        self.threads.states(jobs)
    }

    fn cancel(&self, jobs: &[JobRef]) -> Result<(), SchedulerError> {
        self.threads.cancel(jobs)
    }
}

#[test]
fn signs_of_life_go_on_while_a_job_is_submitted() {
    let run = tempfile::tempdir().unwrap();
    let folder = run.path().join("trials/001/attempts");
    let (send, signs) = channel();
    let scheduler = SlowToSubmit { threads: Threads::default(), signs: Mutex::new(signs) };
    let taken = cluster_of(&RunSpec::default(), run.path(), Box::new(scheduler)).run(
        &request(&folder),
        &mut |update| {
            if let TaskUpdate::Waiting = update {
                send.send(()).unwrap();
            }
            Ok(Control::Continue)
        },
    );
    assert!(matches!(taken.unwrap(), TaskEnd::Result(..)));
}
