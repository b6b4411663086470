//! The inputs of the loop, and the errors that end it early.

use super::publish::PublishError;
use super::trainer::TrainerError;
use crate::ledger::{LedgerError, RunFolderError};
use crate::spec::{EditError, Spec, SpecError};

/// The inputs of the loop.
#[derive(Debug, Clone)]
pub struct StudySetup {
    /// The first trial's spec; its `[gate]` and `[tune]` apply to all trials.
    pub spec: Spec,
    /// Number of training images.
    pub training_images: usize,
    /// Number of validation images, for the confidence interval of an accuracy.
    pub validation_images: usize,
    /// Whether a trial that misses the gate is followed by an edited one.
    pub growth: Growth,
}

/// Whether a trial that misses the gate is followed by an edited one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Growth {
    /// Yes, until a trial passes the gate or the budget is used up (`burgeon tune`).
    On,
    /// No: one trial, then the gate (`burgeon train`).
    Off,
}

/// An error that ends the loop early. What was recorded stays, and the run can be resumed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StudyError {
    /// The record cannot be written.
    #[error("the record cannot be written")]
    Ledger(#[from] LedgerError),
    /// The run folder cannot be written.
    #[error("the run folder cannot be written")]
    Folder(#[from] RunFolderError),
    /// A file of the run cannot be written.
    #[error("a file of the run cannot be written")]
    Publish(#[from] PublishError),
    /// The trainer failed.
    #[error("trial {trial} failed")]
    Trainer {
        /// Number of the trial.
        trial: u32,
        /// The cause.
        source: TrainerError,
    },
    /// The record holds a trial that the policy would not propose now.
    #[error(
        "trial {trial} in the record is not the trial that burgeon would make now (spec hash {recorded} in the record, {now} now); resume with the version and the policy that began this run, or start a new run"
    )]
    DecidesDifferently {
        /// Number of the trial.
        trial: u32,
        /// The spec's hash in the record.
        recorded: String,
        /// The spec's hash now.
        now: String,
    },
    /// The record lacks an event that later events depend on.
    #[error("the record does not say how trial {trial} {what}, although later events follow")]
    NotRecorded {
        /// Number of the trial.
        trial: u32,
        /// `began` or `ended`.
        what: &'static str,
    },
    /// An edit in the record cannot be applied.
    #[error("trial {trial} cannot be rebuilt from the record")]
    Edit {
        /// Number of the trial.
        trial: u32,
        /// The cause.
        source: EditError,
    },
    /// The gate or budget of an extension is out of range.
    #[error("the extended study is invalid")]
    Spec(#[from] SpecError),
    /// The policy proposed a trial that cannot be trained.
    #[error("the policy's proposal for trial {trial} cannot be used: {why}")]
    Proposal {
        /// Number of the trial.
        trial: u32,
        /// What is wrong with it.
        why: String,
    },
    /// The extension is not possible, or would change nothing.
    #[error("the study cannot be extended: {0}")]
    Extension(String),
}
