//! What follows from the state of a task: pure, so that a test can put it to any state.
//!
//! | attempt | job | then |
//! | --- | --- | --- |
//! | published | any | its result is taken |
//! | failed by itself | any | the trial's budget is charged |
//! | found its node unfit | any | the node's budget is charged |
//! | interrupted | waits | the scheduler has requeued it: wait |
//! | interrupted | over | submit again; goes on from the checkpoint |
//! | works | runs | wait; once its heartbeat has been silent for too long, cancel, and charge the node |
//! | works, or none yet | over | wait until what it may have written must be visible; then by how it ended |
//! | works, or none yet | waits, or the scheduler cannot be asked | wait |
//! | works, or none yet | not known to the scheduler | the same, then charge the node |

use std::time::Duration;

use super::attempts::AttemptId;
use super::retry::{RetryCause, RetryCounts};
use super::scheduler::JobEnd;
use crate::spec::RunSpec;

/// How long to wait, and how often to begin again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Limits {
    /// How long a heartbeat may stay the same.
    pub(super) silence: Duration,
    /// How long what another machine has written may stay invisible.
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
    /// What earlier jobs came to, and earlier attempts of the current one.
    pub(super) retries: RetryCounts,
    /// The newest submission; `None` before the first, and once it came to nothing.
    pub(super) current: Option<SubmissionView>,
}

/// The state of a submission.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SubmissionView {
    pub(super) job: JobView,
    /// Its newest attempt, if one has begun.
    pub(super) attempt: Option<AttemptView>,
}

/// What is known of a job, and for how long it has been so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum JobView {
    /// The scheduler cannot be asked.
    Unknown,
    /// The scheduler does not know it.
    Absent(Duration),
    Pending,
    Running(Duration),
    Ended(JobEnd, Duration),
}

/// What is known of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct AttemptView {
    pub(super) id: AttemptId,
    pub(super) end: Option<EndView>,
    /// How long its heartbeat has been the same.
    pub(super) silent: Duration,
    /// Whether it is ahead of all attempts before it.
    pub(super) has_progress: bool,
}

/// What an attempt says of its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum EndView {
    Published,
    Failed,
    Unfit,
    Interrupted,
    /// It found a newer attempt, which is not to be seen from here yet.
    Superseded,
}

/// What to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    Submit,
    Wait,
    /// Take the result of this attempt.
    Accept(AttemptId),
    /// The submission came to nothing; its job is cancelled, whatever it may still do.
    Replace {
        cause: RetryCause,
        why: FailureReason,
    },
    /// End the study with an error.
    GiveUp(Budget),
}

/// Why a submission came to nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum FailureReason {
    TrialFailed,
    Unfit,
    Interrupted,
    TimedOut,
    Preempted,
    NodeFailed,
    Cancelled,
    /// The process ended without a word.
    Crashed,
    /// The job ended, or vanished, before burgeon had begun in it.
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
            Self::NeverBegan => "burgeon never began in it",
            Self::Silent => "its heartbeat stopped",
            Self::Vanished => "the scheduler no longer knows it",
        }
    }
}

/// A budget that is used up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Budget {
    Nodes,
    Trial,
    Interruptions,
    NoProgress,
}

/// What to do in this state.
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
        // A result counts even if the job was begun too often meanwhile.
        Step::Wait => over.map_or(Step::Wait, Step::GiveUp),
        step => step,
    }
}

/// The budget that is used up, if one is.
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
            // Silent on both counts: a requeued job may have begun on another node a moment ago.
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

/// After the end of a job that left no end of its own behind; `silent` is why, if the scheduler does not know.
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
