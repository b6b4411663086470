//! The result of running a study.

use std::path::PathBuf;

use crate::ledger::DataOrigin;
use crate::record::StudyResult;
use crate::sys::signals::StopReason;
use crate::tune::TrialRecord;

/// The result of [`Launch::run`](super::Launch::run) and [`Launch::resume`](super::Launch::resume).
#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "only one is made per run")]
pub enum Ended {
    /// The study finished: a model was accepted, or the budget was used up.
    Finished(Finished),
    /// A stop was requested. The run can be resumed where it stopped.
    Stopped(Stopped),
}

/// The result of a finished study.
#[derive(Debug, Clone, PartialEq)]
pub struct Finished {
    /// Outcome, best trial and accuracies.
    pub result: StudyResult,
    /// All judged trials with their specs and learning curves, in order.
    pub trials: Vec<TrialRecord>,
    /// The run folder, such as `runs/lenet-5-0001`; the best model is in `best/` below it.
    pub run: PathBuf,
    /// Where the images came from, including whether the built-in digits replaced MNIST. Always
    /// `Some` after a [`Launch`](super::Launch).
    pub data: Option<DataOrigin>,
}

/// A study that was stopped on request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stopped {
    /// The run folder, for [`Launch::resume`](super::Launch::resume); `None` if it was stopped
    /// before there was one.
    pub run: Option<PathBuf>,
    /// Whether a signal or the program requested the stop.
    pub reason: StopReason,
}
