//! The loop: train, judge, diagnose, edit, train on.
//!
//! `Study` is the sole owner of a study's state. It talks to a [`Trainer`], so that a test runs
//! the whole loop in milliseconds, and it records everything it does as events. The loop has no
//! state but those: a study opened again runs the same loop from the start, takes what a trial
//! came to from the record where it has it, and so decides what it decided before.
//!
//! `[tune] jobs` trials train at the same time, on threads of their own. They are judged in the
//! order of their numbers, and what is proposed for trial *k* rests on the trials up to *k* − jobs
//! and on what those between are about to try; so nothing depends on who ends first, and the
//! number of jobs, which does matter, is part of the study.

mod begin;
mod deadline;
mod ended;
mod gate_check;
mod keep;
pub(crate) mod launch;
pub(crate) mod local_trainer;
pub(crate) mod observer;
mod phase;
pub(crate) mod publish;
mod recorded;
pub(crate) mod recorded_data;
pub(crate) mod run;
mod trainer;
mod trial;

pub use crate::sys::signals::{StopFlag, StopReason, StopSignal};
pub(crate) use begin::begin_study;
pub use ended::{Ended, Finished, Stopped};
pub(crate) use gate_check::ConstantAnswer;
pub(crate) use launch::{Checked, EventObserver, describe, input_shape};
pub use launch::{Kind, Launch, LaunchError, LaunchListener, Ready, Resume, Resumed, Settings};
pub use observer::Listener;
pub(crate) use observer::Silent;
pub use phase::Extension;
pub(crate) use recorded_data::{OtherData, data_hash};
pub use run::{Growth, StudyError};
pub use trainer::{
    Parent, TestResult, Trainer, TrainerError, TrialNote, TrialObserver, TrialOutcome, TrialTask,
};
