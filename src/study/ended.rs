//! How a run of a study ended.

use std::path::PathBuf;

use crate::ledger::DataOrigin;
use crate::record::StudyResult;
use crate::sys::signals::StopReason;
use crate::tune::TrialRecord;

/// How a call of `Study::run` or [`Launch::run`](super::Launch::run) ended.
#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "one is made a run")]
pub enum Ended {
    /// The study is over.
    Finished(Finished),
    /// It was asked to stop; it can be resumed.
    Stopped(Stopped),
}

/// A study that is over.
#[derive(Debug, Clone, PartialEq)]
pub struct Finished {
    /// What it came to.
    pub result: StudyResult,
    /// The trials that were judged, with their specs and curves, in order.
    pub trials: Vec<TrialRecord>,
    /// The run folder.
    pub run: PathBuf,
    /// Where the images come from; `None` for a `Study` that was driven by hand.
    pub data: Option<DataOrigin>,
}

/// A study that was asked to stop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stopped {
    /// The run folder, for [`Launch::resume`](super::Launch::resume); `None` where it was stopped
    /// before there was one.
    pub run: Option<PathBuf>,
    /// What asked for it.
    pub reason: StopReason,
}
