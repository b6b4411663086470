//! A simulated cluster that does everything that a real one was seen to do.

use std::time::Duration;

use proptest::prelude::*;

use crate::cluster::attempts::AttemptId;
use crate::cluster::decide::{
    AttemptView, Budget, EndView, JobView, Step, SubmissionView, TaskView,
};
use crate::cluster::retry::{RetryCause, RetryCounts};
use crate::cluster::scheduler::{JobEnd, JobState};

/// Seconds that a job waits for a node.
pub(super) const QUEUE: u64 = 2;
/// What befalls an execution after so many seconds.
#[derive(Debug, Clone, Copy)]
pub(super) enum Fault {
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

pub(super) fn fault() -> impl Strategy<Value = (Fault, u64)> {
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
pub(super) const WORK: u64 = 30;
/// Seconds for which an execution works on whose node was declared dead; longer than any seen.
pub(super) const GHOST: u64 = 25;

pub(super) struct Execution {
    pub(super) id: AttemptId,
    pub(super) began: u64,
    done: u64,
    fault: Option<(Fault, u64)>,
    is_alive: bool,
    dies_at: Option<u64>,
    beat: u64,
    pub(super) end: Option<(EndView, u64)>,
}

pub(super) struct Submission {
    state: Option<JobState>,
    since: u64,
    pub(super) executions: Vec<Execution>,
    over: Option<RetryCause>,
}

/// A cluster, a folder whose content is seen late, and the study's view of both.
pub(super) struct World {
    pub(super) now: u64,
    /// Seconds after which what was written is seen.
    pub(super) delay: u64,
    pub(super) faults: Vec<(Fault, u64)>,
    /// When the scheduler cannot be asked.
    pub(super) silent: std::ops::Range<u64>,
    /// The longest that the scheduler lets an execution run.
    pub(super) time_limit: u64,
    pub(super) submissions: Vec<Submission>,
    pub(super) crashes: usize,
}

impl World {
    pub(super) fn seen(&self, at: u64) -> bool {
        at + self.delay <= self.now
    }

    /// A second passes for all jobs, those that the study no longer wants included.
    pub(super) fn pass(&mut self) {
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

    pub(super) fn view(&self) -> TaskView {
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
    pub(super) fn act(&mut self, step: Step) -> Option<Result<AttemptId, Budget>> {
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
