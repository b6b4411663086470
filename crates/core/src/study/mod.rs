//! The loop: train a trial, apply the gate, diagnose, edit, train the next trial.
//!
//! Programs use [`Launch`]: it loads the data, opens the device, makes a run folder, runs the loop
//! and writes the report. [`Launch::resume`] continues a run that was stopped or killed.
//!
//! The loop itself (`Study`) trains through a [`Trainer`], so tests run it in milliseconds, and
//! records everything as events. It keeps no other state: a resumed study runs the same loop from
//! the start, takes the results of finished trials from the record, and so makes the same decisions.
//!
//! A study with `[model] from` starts its first trial with the weights of a trained model; later trials grow
//! from it as in any other study. Its run keeps a copy of the model in `start/`.
//!
//! `[tune] jobs` trials train at the same time, each on its own thread. They are judged in the order
//! of their numbers, and the proposal for trial *k* depends only on the results of trials up to
//! *k* − jobs and on the edits of those that are running. So it does not matter which one ends first;
//! the number of jobs does matter, and is part of the study.

pub(crate) mod begin;
pub(crate) mod card;
mod deadline;
mod ended;
mod export;
mod folds;
mod gate_check;
mod keep;
pub(crate) mod launch;
pub(crate) mod local_trainer;
mod node;
pub(crate) mod observer;
mod phase;
pub(crate) mod publish;
mod recorded;
pub(crate) mod recorded_data;
mod remote_trainer;
pub(crate) mod run;
pub(crate) mod setup;
mod trainer;
mod trial;

pub use crate::sys::signals::{StopFlag, StopReason, StopSignal};
pub(crate) use begin::begin_study;
pub(crate) use card::{CardError, refresh_card};
pub use ended::{Ended, Finished, Stopped};
pub(crate) use export::{
    ExportError, ExportFormat, Exported, QuantizationCost, QuantizationImages, export,
    export_evaluation,
};
pub(crate) use gate_check::ConstantAnswer;
pub(crate) use launch::{Checked, EventObserver, describe, input_shape};
pub(crate) use launch::{ImportRunError, ImportedRun, WeightsImport, import};
pub use launch::{Kind, Launch, LaunchError, LaunchListener, Ready, Resume, Resumed, Settings};
#[cfg(feature = "cli")]
pub(crate) use launch::{TrialError, TrialWork, attempt};
pub use observer::Listener;
pub(crate) use observer::Silent;
pub use phase::Extension;
pub(crate) use recorded_data::{OtherData, data_hash};
pub use setup::{Growth, StudyError};
pub use trainer::{
    Parent, TestResult, Trainer, TrainerError, TrialNote, TrialObserver, TrialOutcome, TrialTask,
};
