//! Decisions against a cluster of the tests, which does everything that a real one was seen to do.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use proptest::prelude::*;

use super::attempts::{AttemptId, Attempts, End, this_node};
use super::client::SchedulerClient;
use super::decide::{
    AttemptView, Budget, EndView, FailureReason, JobView, Limits, Step, SubmissionView, TaskView,
    decide,
};
use super::nodes::Nodes;
use super::request::{Control, TaskEnd, TaskRequest, TaskUpdate};
use super::retry::{RetryCause, RetryCounts};
use super::scheduler::{Job, JobEnd, JobRef, JobState, JobStatus, Scheduler, SchedulerError};
use super::shared::Cluster;
use super::submit::Program;
use super::task::{Outcome, Part};
use crate::ledger::{Event, LINE_LIMIT_BYTES, Ledger};
use crate::record::Ending;
use crate::spec::RunSpec;
use crate::sys::clock::RealClock;
use crate::sys::fence::Fence;
use crate::sys::files::{Files, RealFiles};

const LIMITS: Limits = Limits {
    silence: Duration::from_secs(90),
    visibility: Duration::from_secs(70),
    requeue: Duration::from_secs(5),
    node_failures: 40,
    trial_failures: 2,
    interruptions: 40,
    without_progress: 1000,
};

/// What befalls an execution after so many seconds.
#[derive(Debug, Clone, Copy)]
enum Fault {
    /// It is asked to end, and ends with its state saved; the scheduler requeues it or not.
    Interrupt { requeued: bool },
    /// Its node is declared dead, but the process works on.
    NodeLost { requeued: bool },
    /// It is killed at its time limit.
    TimeLimit,
    /// Somebody cancels it.
    Cancel,
    /// The process dies.
    Crash,
    /// The process dies, and the scheduler takes that for success.
    FalseSuccess,
    /// The scheduler forgets the job, which works on.
    Forgotten,
    /// The process stands still for ever.
    Hang,
    /// The process lives, but comes no further.
    Crawl,
}

fn fault() -> impl Strategy<Value = (Fault, u64)> {
    let fault = prop_oneof![
        any::<bool>().prop_map(|requeued| Fault::Interrupt { requeued }),
        any::<bool>().prop_map(|requeued| Fault::NodeLost { requeued }),
        Just(Fault::TimeLimit),
        Just(Fault::Cancel),
        Just(Fault::Crash),
        Just(Fault::FalseSuccess),
        Just(Fault::Forgotten),
        Just(Fault::Hang),
    ];
    (fault, 0_u64..WORK + 5)
}

/// Seconds of work of a trial.
const WORK: u64 = 30;
/// Seconds for which an execution works on whose node was declared dead; longer than any seen.
const GHOST: u64 = 25;

struct Execution {
    id: AttemptId,
    began: u64,
    done: u64,
    fault: Option<(Fault, u64)>,
    is_alive: bool,
    dies_at: Option<u64>,
    beat: u64,
    end: Option<(EndView, u64)>,
}

struct Submission {
    state: Option<JobState>,
    since: u64,
    executions: Vec<Execution>,
    over: Option<RetryCause>,
}

/// A cluster, a folder whose content is seen late, and the study's view of both.
struct World {
    now: u64,
    /// Seconds after which what was written is seen.
    delay: u64,
    faults: Vec<(Fault, u64)>,
    /// When the scheduler cannot be asked.
    silent: std::ops::Range<u64>,
    /// The longest that the scheduler lets an execution run.
    time_limit: u64,
    submissions: Vec<Submission>,
    crashes: usize,
}

impl World {
    fn seen(&self, at: u64) -> bool {
        at + self.delay <= self.now
    }

    /// A second passes for all jobs, those that the study no longer wants included.
    fn pass(&mut self) {
        self.now += 1;
        let (now, newest) = (self.now, self.submissions.len());
        let best: u64 =
            self.submissions.iter().flat_map(|s| &s.executions).map(|e| e.done).max().unwrap_or(0);
        for number in 1..=newest {
            let newest_seen = newest > number && self.seen(self.submissions[newest - 1].since);
            let submission = &mut self.submissions[number - 1];
            if submission.state == Some(JobState::Pending) && now >= submission.since + QUEUE {
                (submission.state, submission.since) = (Some(JobState::Running), now);
                let claim = submission.executions.len() as u32 + 1;
                submission.executions.push(Execution {
                    id: AttemptId { submission: number as u32, claim },
                    began: now,
                    done: best,
                    fault: self.faults.pop(),
                    is_alive: true,
                    dies_at: None,
                    beat: now,
                    end: None,
                });
            }
            let claims = submission.executions.len();
            for place in 0..claims {
                let is_last = place + 1 == claims;
                let execution = &mut submission.executions[place];
                if !execution.is_alive {
                    continue;
                }
                let is_running = is_last && submission.state == Some(JobState::Running);
                if is_running && now >= execution.began + self.time_limit {
                    execution.is_alive = false;
                    submission.state = Some(JobState::Ended(JobEnd::TimedOut));
                    submission.since = now;
                    continue;
                }
                if execution.dies_at.is_some_and(|at| at <= now) {
                    execution.is_alive = false;
                    continue;
                }
                let fault = execution.fault.filter(|(_, after)| execution.began + after <= now);
                if let Some((fault, _)) = fault {
                    if let Fault::Crawl = fault {
                        execution.beat = now;
                        continue;
                    }
                    if !matches!(fault, Fault::Hang) {
                        execution.fault = None;
                    }
                    let is_ghost = matches!(fault, Fault::NodeLost { .. } | Fault::Forgotten);
                    execution.is_alive = is_ghost || matches!(fault, Fault::Hang);
                    execution.dies_at = is_ghost.then_some(now + GHOST);
                    if let Fault::Interrupt { .. } = fault {
                        execution.end = Some((EndView::Interrupted, now));
                    }
                    self.crashes += usize::from(matches!(fault, Fault::Crash));
                    let state = match fault {
                        Fault::Interrupt { requeued: true }
                        | Fault::NodeLost { requeued: true } => Some(JobState::Pending),
                        Fault::Interrupt { requeued: false } | Fault::Crash => {
                            Some(JobState::Ended(JobEnd::Failed))
                        }
                        Fault::NodeLost { requeued: false } => {
                            Some(JobState::Ended(JobEnd::NodeFailed))
                        }
                        Fault::TimeLimit => Some(JobState::Ended(JobEnd::TimedOut)),
                        Fault::Cancel => Some(JobState::Ended(JobEnd::Cancelled)),
                        Fault::FalseSuccess => Some(JobState::Ended(JobEnd::Completed)),
                        Fault::Forgotten => None,
                        Fault::Hang | Fault::Crawl => submission.state,
                    };
                    if is_last && state != submission.state {
                        (submission.state, submission.since) = (state, now);
                    }
                    continue;
                }
                execution.beat = now;
                execution.done += 1;
                if execution.done >= WORK {
                    let is_newest = is_last && !newest_seen;
                    let end = if is_newest { EndView::Published } else { EndView::Superseded };
                    execution.end = Some((end, now));
                    execution.is_alive = false;
                    if is_last && submission.state == Some(JobState::Running) {
                        let ended = JobState::Ended(JobEnd::Completed);
                        (submission.state, submission.since) = (Some(ended), now);
                    }
                }
            }
        }
    }

    fn view(&self) -> TaskView {
        let mut retries = RetryCounts::default();
        let mut current = None;
        for submission in &self.submissions {
            let seen = submission.executions.iter().filter(|e| self.seen(e.began));
            let seen: Vec<&Execution> = seen.collect();
            for earlier in seen.iter().rev().skip(1) {
                retries.add(match earlier.end {
                    Some((EndView::Interrupted, _)) => RetryCause::Interrupted,
                    _ => RetryCause::Node,
                });
            }
            match submission.over {
                Some(cause) => retries.add(cause),
                None => current = Some((submission, seen.last().copied())),
            }
        }
        let current = current.map(|(submission, execution)| {
            let since = Duration::from_secs(self.now - submission.since);
            let job = match submission.state {
                _ if self.silent.contains(&self.now) => JobView::Unknown,
                None => JobView::Absent(since),
                Some(JobState::Pending) => JobView::Pending,
                Some(JobState::Running) => JobView::Running(since),
                Some(JobState::Ended(end)) => JobView::Ended(end, since),
            };
            let attempt = execution.map(|execution| AttemptView {
                id: execution.id,
                end: execution.end.filter(|(_, at)| self.seen(*at)).map(|(end, _)| end),
                silent: Duration::from_secs(self.now.saturating_sub(execution.beat + self.delay)),
                has_progress: true,
            });
            SubmissionView { job, attempt }
        });
        TaskView { retries, current }
    }

    /// Does what is decided; the end, once there is one.
    fn act(&mut self, step: Step) -> Option<Result<AttemptId, Budget>> {
        match step {
            Step::Wait => None,
            Step::Accept(id) => Some(Ok(id)),
            Step::GiveUp(budget) => Some(Err(budget)),
            Step::Submit => {
                let (state, since) = (Some(JobState::Pending), self.now);
                let submission = Submission { state, since, executions: Vec::new(), over: None };
                self.submissions.push(submission);
                None
            }
            Step::Replace { cause, .. } => {
                let last = self.submissions.last_mut().unwrap();
                last.over = Some(cause);
                // Cancelling is only a wish: the process may work on for a while.
                last.state = Some(JobState::Ended(JobEnd::Cancelled));
                let now = self.now;
                for execution in &mut last.executions {
                    execution.dies_at.get_or_insert(now + GHOST);
                }
                None
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, ..ProptestConfig::default() })]

    #[test]
    fn whatever_befalls_its_jobs_a_trial_is_taken_once_from_the_newest_attempt(
        faults in prop::collection::vec(fault(), 0..12),
        delay in 0_u64..=60,
        silent_from in 0_u64..400,
        silent_for in 0_u64..200,
    ) {
        let most = (faults.len() as u64 + 2) * 250 + silent_for;
        let mut world = World {
            now: 0,
            delay,
            faults,
            silent: silent_from..silent_from + silent_for,
            time_limit: u64::MAX >> 1,
            submissions: Vec::new(),
            crashes: 0,
        };
        let end = loop {
            prop_assert!(world.now < most, "nothing was decided in {most} s");
            let step = decide(&world.view(), &LIMITS);
            if let Some(end) = world.act(step) {
                break end;
            }
            world.pass();
        };
        match end {
            Ok(id) => {
                let newest = world.submissions.len() as u32;
                prop_assert_eq!(id.submission, newest, "of a submission that was replaced");
                let executions = &world.submissions[newest as usize - 1].executions;
                let accepted = executions.iter().find(|execution| execution.id == id);
                let end = accepted.and_then(|accepted| accepted.end);
                prop_assert!(end.is_some_and(|(end, at)| end == EndView::Published && world.seen(at)));
                // No later attempt was to be seen.
                let later = executions.iter().any(|e| e.id > id && world.seen(e.began));
                prop_assert!(!later);
            }
            Err(budget) => {
                prop_assert_eq!(budget, Budget::Trial);
                prop_assert!(world.crashes > LIMITS.trial_failures, "{} crashes", world.crashes);
            }
        }
    }
}

/// Seconds that a job waits for a node.
const QUEUE: u64 = 2;

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, ..ProptestConfig::default() })]

    /// What `docs/scale.md` promises to those who wait for a trial in the middle of the order.
    #[test]
    fn a_straggler_blocks_no_longer_than_its_jobs_may_wait_and_run(
        faults in prop::collection::vec(prop_oneof![1 => Just((Fault::Crawl, 3)), 2 => fault()], 0..12),
        delay in 0_u64..=60,
        silent_from in 0_u64..400,
        silent_for in 0_u64..200,
        time_limit in WORK + 1..200,
    ) {
        let limits = Limits { node_failures: 3, trial_failures: 1, interruptions: 4, ..LIMITS };
        let mut world = World {
            now: 0,
            delay,
            faults,
            silent: silent_from..silent_from + silent_for,
            time_limit,
            submissions: Vec::new(),
            crashes: 0,
        };
        let budgets = limits.node_failures + limits.interruptions + limits.trial_failures;
        while world.act(decide(&world.view(), &limits)).is_none() {
            world.pass();
            let begun: usize = world.submissions.iter().map(|one| one.executions.len().max(1)).sum();
            prop_assert!(begun <= budgets + 1 + world.submissions.len(), "{begun} jobs");
            let submitted = world.submissions.len();
            prop_assert!(submitted <= budgets + 1, "{submitted} submissions");
            let job = QUEUE + time_limit;
            let allowed = begun as u64 * job + submitted as u64 * (LIMITS.visibility.as_secs() + 1) + silent_for;
            prop_assert!(world.now <= allowed, "{} s, though {begun} jobs take {allowed} s at most", world.now);
        }
    }
}

fn view(job: JobView, attempt: Option<(Option<EndView>, u64)>) -> TaskView {
    let attempt = attempt.map(|(end, silent)| AttemptView {
        id: AttemptId { submission: 1, claim: 1 },
        end,
        silent: Duration::from_secs(silent),
        has_progress: true,
    });
    TaskView { retries: RetryCounts::default(), current: Some(SubmissionView { job, attempt }) }
}

#[test]
fn every_end_leads_where_the_table_says() {
    let s = Duration::from_secs;
    let replace = |cause, why| Step::Replace { cause, why };
    let interrupted = Some((Some(EndView::Interrupted), 0));
    let works = |silent| Some((None, silent));
    use JobEnd::{Completed, Failed, NodeFailed, TimedOut};
    for (job, attempt, step) in [
        (JobView::Pending, None, Step::Wait),
        (JobView::Unknown, works(10_000), Step::Wait),
        (JobView::Running(s(9999)), works(89), Step::Wait),
        (JobView::Running(s(9999)), works(90), replace(RetryCause::Node, FailureReason::Silent)),
        // Its requeued job has begun elsewhere a moment ago.
        (JobView::Running(s(3)), works(9999), Step::Wait),
        (JobView::Pending, interrupted, Step::Wait),
        (JobView::Ended(Failed, s(4)), interrupted, Step::Wait),
        (
            JobView::Ended(Failed, s(5)),
            interrupted,
            replace(RetryCause::Interrupted, FailureReason::Interrupted),
        ),
        (
            JobView::Ended(TimedOut, s(5)),
            works(0),
            replace(RetryCause::Interrupted, FailureReason::TimedOut),
        ),
        (
            JobView::Ended(NodeFailed, s(5)),
            works(0),
            replace(RetryCause::Node, FailureReason::NodeFailed),
        ),
        (JobView::Ended(Failed, s(69)), works(0), Step::Wait),
        (
            JobView::Ended(Failed, s(70)),
            works(0),
            replace(RetryCause::Trial, FailureReason::Crashed),
        ),
        (
            JobView::Ended(Completed, s(70)),
            None,
            replace(RetryCause::Node, FailureReason::NeverBegan),
        ),
        (JobView::Absent(s(70)), None, replace(RetryCause::Node, FailureReason::Vanished)),
        (
            JobView::Running(s(0)),
            Some((Some(EndView::Failed), 0)),
            replace(RetryCause::Trial, FailureReason::TrialFailed),
        ),
        (
            JobView::Ended(NodeFailed, s(500)),
            Some((Some(EndView::Published), 500)),
            Step::Accept(AttemptId { submission: 1, claim: 1 }),
        ),
    ] {
        assert_eq!(decide(&view(job, attempt), &LIMITS), step, "{job:?} {attempt:?}");
    }
}

#[test]
fn budgets_are_separate_and_a_trial_that_fails_by_itself_is_not_tried_again() {
    let limits = Limits { trial_failures: 0, node_failures: 2, without_progress: 3, ..LIMITS };
    let after = |causes: &[RetryCause]| {
        let mut retries = RetryCounts::default();
        causes.iter().for_each(|cause| retries.add(*cause));
        decide(&TaskView { retries, current: None }, &limits)
    };
    assert_eq!(after(&[]), Step::Submit);
    assert_eq!(after(&[RetryCause::Trial]), Step::GiveUp(Budget::Trial));
    assert_eq!(after(&[RetryCause::Node; 2]), Step::Submit);
    assert_eq!(after(&[RetryCause::Node; 3]), Step::GiveUp(Budget::Nodes));
    assert_eq!(after(&[RetryCause::Interrupted; 40]), Step::Submit);
    let [without_progress, interrupted] = [RetryCause::NoProgress, RetryCause::Interrupted];
    assert_eq!(
        after(&[without_progress, without_progress, interrupted, without_progress]),
        Step::Submit
    );
    assert_eq!(after(&[without_progress; 3]), Step::GiveUp(Budget::NoProgress));
}

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
