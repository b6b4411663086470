//! The study's connection to its scheduler: one poll covers all jobs, and polls are less frequent while nothing changes.
//!
//! Invariant: the lock is never held during a call of the scheduler, which may take a minute, and `look` never waits for
//! one. A thread polls, one poll at a time; until it has an answer, the previous one is used.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::scheduler::{Job, JobRef, JobStatus, Scheduler, SchedulerError};

/// The shortest time between two polls, and the longest.
const INTERVAL: Duration = Duration::from_secs(1);
const INTERVAL_MAX: Duration = Duration::from_secs(10);
/// The longest after a failure, to spare a controller that is down.
const AFTER_FAILURE_MAX: Duration = Duration::from_secs(60);

/// The jobs of a study, as its scheduler reports them.
pub(crate) struct SchedulerClient(Arc<Shared>);

/// What the polling thread and its callers share.
struct Shared {
    scheduler: Box<dyn Scheduler>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The jobs that are polled, and since when.
    watched: BTreeMap<String, (Option<String>, Instant)>,
    /// Jobs to cancel with the next poll, because cancelling them failed before.
    to_cancel: Vec<JobRef>,
    jobs: BTreeMap<String, Vec<JobStatus>>,
    /// When the last poll began, and whether it succeeded.
    polled: Option<(Instant, bool)>,
    is_polling: bool,
    interval: Duration,
}

/// The last answer of the scheduler about the jobs of a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) jobs: Vec<JobStatus>,
    /// Until when it is valid: now or, if the next poll is overdue, when that was due.
    pub(super) as_of: Instant,
}

impl SchedulerClient {
    pub(crate) fn new(scheduler: Box<dyn Scheduler>) -> Self {
        Self(Arc::new(Shared { scheduler, state: Mutex::default() }))
    }

    /// Submits a job, which is not polled yet.
    pub(super) fn submit(&self, job: &Job) -> Result<String, SchedulerError> {
        self.0.scheduler.submit(job)
    }

    /// The jobs of a name, by a call of its own.
    pub(super) fn find(&self, name: &str) -> Result<Vec<JobStatus>, SchedulerError> {
        let job = JobRef { name: name.into(), id: None };
        Ok(self.0.scheduler.states(&[job])?.remove(name).unwrap_or_default())
    }

    /// Polls a job from now on.
    pub(super) fn watch(&self, job: JobRef) {
        let mut state = self.0.state();
        state.watched.insert(job.name, (job.id, Instant::now()));
        state.interval = INTERVAL;
    }

    pub(super) fn forget(&self, name: &str) {
        let mut state = self.0.state();
        state.watched.remove(name);
        state.jobs.remove(name);
    }

    /// The jobs of a name by the last poll; `None` if no poll has succeeded since the name is watched. Starts the next
    /// poll if that is due.
    pub(super) fn look(&self, name: &str) -> Option<Answer> {
        let mut state = self.0.state();
        let answer = state.answer(name);
        let is_due = state.is_due();
        state.is_polling |= is_due;
        drop(state);
        if is_due {
            let poll = Poll(Arc::clone(&self.0));
            // If no thread can be started, the poll is dropped, which counts as a failed poll.
            drop(thread::Builder::new().name("scheduler".into()).spawn(move || poll.run()));
        }
        answer
    }

    /// Cancels jobs, now or as soon as the scheduler responds.
    pub(super) fn cancel(&self, jobs: Vec<JobRef>) {
        if jobs.is_empty() || self.0.scheduler.cancel(&jobs).is_ok() {
            return;
        }
        self.0.state().to_cancel.extend(jobs);
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        // It is consistent even if another thread panicked.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn is_due(&self) -> bool {
        let is_due = self.polled.is_none_or(|(polled, _)| polled.elapsed() >= self.interval);
        is_due && !self.is_polling
    }

    fn answer(&self, name: &str) -> Option<Answer> {
        let (_, since) = self.watched.get(name)?;
        let (polled, true) = self.polled? else { return None };
        (polled >= *since).then(|| Answer {
            jobs: self.jobs.get(name).cloned().unwrap_or_default(),
            as_of: Instant::now().min(polled + self.interval),
        })
    }

    fn answered(&mut self, polled: Instant, mut jobs: BTreeMap<String, Vec<JobStatus>>) {
        // Some may have been forgotten meanwhile.
        jobs.retain(|name, _| self.watched.contains_key(name));
        self.interval = match jobs == self.jobs {
            true => (self.interval * 3 / 2).clamp(INTERVAL, INTERVAL_MAX),
            false => INTERVAL,
        };
        self.jobs = jobs;
        // The answer is as old as its question.
        self.polled = Some((polled, true));
        self.is_polling = false;
    }

    fn failed(&mut self) {
        self.interval = (self.interval * 2).clamp(INTERVAL, AFTER_FAILURE_MAX);
        self.polled = Some((Instant::now(), false));
        self.is_polling = false;
    }
}

/// A poll in progress.
struct Poll(Arc<Shared>);

impl Poll {
    fn run(self) {
        let polled = Instant::now();
        let (to_cancel, jobs) = {
            let mut state = self.0.state();
            let watched = state.watched.iter();
            let jobs = watched.map(|(name, (id, _))| JobRef { name: name.clone(), id: id.clone() });
            let jobs: Vec<JobRef> = jobs.collect();
            (std::mem::take(&mut state.to_cancel), jobs)
        };
        if !to_cancel.is_empty() && self.0.scheduler.cancel(&to_cancel).is_err() {
            self.0.state().to_cancel.extend(to_cancel);
        }
        match self.0.scheduler.states(&jobs) {
            Ok(jobs) => self.0.state().answered(polled, jobs),
            Err(_) => self.0.state().failed(),
        }
    }
}

impl Drop for Poll {
    fn drop(&mut self) {
        let mut state = self.0.state();
        if state.is_polling {
            state.failed();
        }
    }
}

#[cfg(test)]
mod tests;
