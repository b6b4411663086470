//! Decides what to do next for a task: pure, so that tests can try any state.
//!
//! | attempt | job | then |
//! | --- | --- | --- |
//! | published | any | its result is accepted |
//! | failed by itself | any | the failure counts against the trial's budget |
//! | found its node unfit | any | the failure counts against the node's budget |
//! | interrupted | waits | the scheduler has requeued it: wait |
//! | interrupted | over | submit again; resumes from the checkpoint |
//! | works | runs | wait; once its heartbeat has been silent for too long, cancel, and count it against the node |
//! | works, or none yet | over | wait until everything that it wrote must be visible; then decide by how it ended |
//! | works, or none yet | waits, or the scheduler cannot be asked | wait |
//! | works, or none yet | unknown to the scheduler | the same, then count it against the node |

use std::time::Duration;

use super::attempts::AttemptId;
use super::retry::{RetryCause, RetryCounts};
use super::scheduler::JobEnd;
use crate::spec::RunSpec;

/// How long to wait, and how often to retry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Limits {
    /// How long a heartbeat may stay the same.
    pub(super) silence: Duration,
    /// How long data that another machine wrote may stay invisible.
    pub(super) visibility: Duration,
    /// How long a job that ended may take to be requeued by the scheduler.
    pub(super) requeue: Duration,
    pub(super) node_failures: usize,
    pub(super) trial_failures: usize,
    pub(super) interruptions: usize,
    /// Interruptions in a row without progress.
    pub(super) without_progress: usize,
}

/// How long a job that ended may take to be requeued.
const REQUEUE: Duration = Duration::from_secs(5);
const WITHOUT_PROGRESS_MAX: usize = 3;

impl Limits {
    pub(super) fn of(run: &RunSpec) -> Self {
        let seconds = |seconds: usize| Duration::from_secs(seconds as u64);
        Self {
            silence: seconds(run.silence),
            visibility: seconds(run.visibility),
            requeue: REQUEUE,
            node_failures: run.node_failures,
            trial_failures: run.trial_failures,
            interruptions: run.interruptions,
            without_progress: WITHOUT_PROGRESS_MAX,
        }
    }
}

/// The state of a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TaskView {
    /// The failures of earlier jobs, and of earlier attempts of the current one.
    pub(super) retries: RetryCounts,
    /// The newest submission; `None` before the first, and after it failed.
    pub(super) current: Option<SubmissionView>,
}

/// The state of a submission.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SubmissionView {
    pub(super) job: JobView,
    /// Its newest attempt, if one has begun.
    pub(super) attempt: Option<AttemptView>,
}

/// What is known about a job, and since when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum JobView {
    /// The scheduler cannot be asked.
    Unknown,
    /// It is unknown to the scheduler.
    Absent(Duration),
    Pending,
    Running(Duration),
    Ended(JobEnd, Duration),
}

/// What is known about an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct AttemptView {
    pub(super) id: AttemptId,
    pub(super) end: Option<EndView>,
    /// How long its heartbeat has not changed.
    pub(super) silent: Duration,
    /// Whether it has progressed beyond all earlier attempts.
    pub(super) has_progress: bool,
}

/// The end that an attempt reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum EndView {
    Published,
    Failed,
    Unfit,
    Interrupted,
    /// It found a newer attempt, which is not visible from here yet.
    Superseded,
}

/// What to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    Submit,
    Wait,
    /// Accept the result of this attempt.
    Accept(AttemptId),
    /// Count the submission as failed, and cancel its job.
    Replace {
        cause: RetryCause,
        why: FailureReason,
    },
    /// End the study with an error.
    GiveUp(Budget),
}

/// Why a submission failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum FailureReason {
    TrialFailed,
    Unfit,
    Interrupted,
    TimedOut,
    Preempted,
    NodeFailed,
    Cancelled,
    /// The process ended without reporting an end.
    Crashed,
    /// The job ended or vanished before burgeon started in it.
    NeverBegan,
    Silent,
    Vanished,
}

impl FailureReason {
    /// As a clause.
    pub(super) fn clause(self) -> &'static str {
        match self {
            Self::TrialFailed => "the trial failed",
            Self::Unfit => "the node cannot train it",
            Self::Interrupted => "it was interrupted, and its state is saved",
            Self::TimedOut => "it reached its time limit",
            Self::Preempted => "it was preempted",
            Self::NodeFailed => "its node failed",
            Self::Cancelled => "it was cancelled",
            Self::Crashed => "its process ended without a result",
            Self::NeverBegan => "burgeon never started in it",
            Self::Silent => "its heartbeat stopped",
            Self::Vanished => "the scheduler no longer knows it",
        }
    }
}

/// An exhausted budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Budget {
    Nodes,
    Trial,
    Interruptions,
    NoProgress,
}

/// Decides what to do in a state.
pub(super) fn decide(view: &TaskView, limits: &Limits) -> Step {
    let over = over_budget(&view.retries, limits);
    let Some(current) = &view.current else {
        return over.map_or(Step::Submit, Step::GiveUp);
    };
    let step = match &current.attempt {
        Some(attempt) => with_attempt(attempt, current.job, limits),
        None => without_attempt(current.job, limits),
    };
    match step {
        // A result counts even if the job was restarted too often meanwhile.
        Step::Wait => over.map_or(Step::Wait, Step::GiveUp),
        step => step,
    }
}

/// The exhausted budget, if there is one.
pub(super) fn over_budget(retries: &RetryCounts, limits: &Limits) -> Option<Budget> {
    if retries.trial_failures > limits.trial_failures {
        Some(Budget::Trial)
    } else if retries.node_failures > limits.node_failures {
        Some(Budget::Nodes)
    } else if retries.without_progress >= limits.without_progress {
        Some(Budget::NoProgress)
    } else if retries.interruptions > limits.interruptions {
        Some(Budget::Interruptions)
    } else {
        None
    }
}

fn with_attempt(attempt: &AttemptView, job: JobView, limits: &Limits) -> Step {
    let interrupted =
        if attempt.has_progress { RetryCause::Interrupted } else { RetryCause::NoProgress };
    match (attempt.end, job) {
        (Some(EndView::Published), _) => Step::Accept(attempt.id),
        (Some(EndView::Failed), _) => replace(RetryCause::Trial, FailureReason::TrialFailed),
        (Some(EndView::Unfit), _) => replace(RetryCause::Node, FailureReason::Unfit),
        (Some(EndView::Interrupted), JobView::Ended(_, since) | JobView::Absent(since))
            if since >= limits.requeue =>
        {
            replace(interrupted, FailureReason::Interrupted)
        }
        // The process is over, and yet its job is not.
        (Some(EndView::Interrupted), JobView::Running(_)) if attempt.silent >= limits.silence => {
            replace(interrupted, FailureReason::Interrupted)
        }
        (Some(EndView::Interrupted), _) => Step::Wait,
        (None | Some(EndView::Superseded), JobView::Running(since)) => {
            // Both must be silent: a requeued job may have started on another node a moment ago.
            match attempt.silent.min(since) >= limits.silence {
                true => replace(RetryCause::Node, FailureReason::Silent),
                false => Step::Wait,
            }
        }
        (None | Some(EndView::Superseded), JobView::Ended(end, since)) => {
            after_end(end, since, interrupted, FailureReason::Crashed, limits)
        }
        (None | Some(EndView::Superseded), JobView::Absent(since))
            if since >= limits.visibility =>
        {
            replace(RetryCause::Node, FailureReason::Vanished)
        }
        (None | Some(EndView::Superseded), _) => Step::Wait,
    }
}

fn without_attempt(job: JobView, limits: &Limits) -> Step {
    match job {
        JobView::Unknown | JobView::Pending => Step::Wait,
        JobView::Running(since) if since >= limits.silence.max(limits.visibility) => {
            replace(RetryCause::Node, FailureReason::NeverBegan)
        }
        JobView::Absent(since) if since >= limits.visibility => {
            replace(RetryCause::Node, FailureReason::Vanished)
        }
        JobView::Running(_) | JobView::Absent(_) => Step::Wait,
        JobView::Ended(end, since) => {
            after_end(end, since, RetryCause::Interrupted, FailureReason::NeverBegan, limits)
        }
    }
}

/// Decides after the end of a job that reported no end; `silent` is the reason if the scheduler does not know one.
fn after_end(
    end: JobEnd,
    since: Duration,
    interrupted: RetryCause,
    silent: FailureReason,
    limits: &Limits,
) -> Step {
    let (patience, cause, why) = match end {
        // What it wrote at its end may not be visible yet.
        JobEnd::Completed => (limits.visibility, RetryCause::Node, silent),
        JobEnd::Failed if silent == FailureReason::Crashed => {
            (limits.visibility, RetryCause::Trial, silent)
        }
        JobEnd::Failed => (limits.visibility, RetryCause::Node, silent),
        JobEnd::TimedOut => (limits.requeue, interrupted, FailureReason::TimedOut),
        JobEnd::Preempted => (limits.requeue, interrupted, FailureReason::Preempted),
        JobEnd::NodeFailed => (limits.requeue, RetryCause::Node, FailureReason::NodeFailed),
        JobEnd::Cancelled => (limits.requeue, RetryCause::Node, FailureReason::Cancelled),
    };
    if since >= patience { replace(cause, why) } else { Step::Wait }
}

fn replace(cause: RetryCause, why: FailureReason) -> Step {
    Step::Replace { cause, why }
}

#[cfg(test)]
mod tests;
