//! What the scheduler says of all jobs of a study, asked once for all of them, and less often while nothing changes.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::seam::{Job, JobName, Scheduler, SchedulerError, Seen};

/// The shortest time between two questions, and the longest.
const INTERVAL: Duration = Duration::from_secs(1);
const INTERVAL_MAX: Duration = Duration::from_secs(10);
/// The longest after a failure: a controller that is down is left in peace.
const AFTER_FAILURE_MAX: Duration = Duration::from_secs(60);

/// The jobs of a study, as its scheduler sees them.
pub(crate) struct Board {
    scheduler: Box<dyn Scheduler>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The jobs that are asked for, and since when.
    watched: BTreeMap<String, (Option<String>, Instant)>,
    /// Jobs to cancel with the next question, as they could not be cancelled before.
    to_cancel: Vec<JobName>,
    seen: BTreeMap<String, Vec<Seen>>,
    /// When the last question was asked, and whether it was answered.
    asked: Option<(Instant, bool)>,
    interval: Duration,
}

impl Board {
    pub(crate) fn new(scheduler: Box<dyn Scheduler>) -> Self {
        Self { scheduler, state: Mutex::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // It is consistent even if another thread panicked.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Submits a job; not watched yet.
    pub(super) fn submit(&self, job: &Job) -> Result<String, SchedulerError> {
        self.scheduler.submit(job)
    }

    /// The jobs of a name, asked for at once.
    pub(super) fn find(&self, name: &str) -> Result<Vec<Seen>, SchedulerError> {
        let job = JobName { name: name.into(), id: None };
        Ok(self.scheduler.states(&[job])?.remove(name).unwrap_or_default())
    }

    /// Asks for a job from now on.
    pub(super) fn watch(&self, job: JobName) {
        let mut state = self.state();
        state.watched.insert(job.name, (job.id, Instant::now()));
        state.interval = INTERVAL;
    }

    pub(super) fn forget(&self, name: &str) {
        let mut state = self.state();
        state.watched.remove(name);
        state.seen.remove(name);
    }

    /// The jobs of a name as they were a moment ago; `None` if the scheduler did not answer since the name is watched.
    pub(super) fn look(&self, name: &str) -> Option<Vec<Seen>> {
        let mut state = self.state();
        if state.is_due() {
            self.ask(&mut state);
        }
        let (_, since) = state.watched.get(name)?;
        let (asked, true) = state.asked? else { return None };
        (asked >= *since).then(|| state.seen.get(name).cloned().unwrap_or_default())
    }

    /// Cancels jobs, now or as soon as the scheduler answers.
    pub(super) fn cancel(&self, jobs: Vec<JobName>) {
        if jobs.is_empty() || self.scheduler.cancel(&jobs).is_ok() {
            return;
        }
        self.state().to_cancel.extend(jobs);
    }

    fn ask(&self, state: &mut State) {
        let asked = Instant::now();
        if !state.to_cancel.is_empty() && self.scheduler.cancel(&state.to_cancel).is_ok() {
            state.to_cancel.clear();
        }
        let name = |(name, (id, _)): (&String, &(Option<String>, Instant))| JobName {
            name: name.clone(),
            id: id.clone(),
        };
        let jobs: Vec<JobName> = state.watched.iter().map(name).collect();
        match self.scheduler.states(&jobs) {
            Ok(seen) => {
                let is_same = seen == state.seen;
                state.interval = match is_same {
                    true => (state.interval * 3 / 2).clamp(INTERVAL, INTERVAL_MAX),
                    false => INTERVAL,
                };
                state.seen = seen;
                // The answer is as old as its question.
                state.asked = Some((asked, true));
            }
            Err(_) => {
                state.interval = (state.interval * 2).clamp(INTERVAL, AFTER_FAILURE_MAX);
                state.asked = Some((Instant::now(), false));
            }
        }
    }
}

impl State {
    fn is_due(&self) -> bool {
        self.asked.is_none_or(|(asked, _)| asked.elapsed() >= self.interval)
    }
}
