//! The loop: train, judge, diagnose, edit, train on.
//!
//! [`Study`] is the sole owner of a study's state. It talks to a [`Trainer`], so that a test runs
//! the whole loop in milliseconds, and it records everything it does as events. The loop has no
//! state but those: a study opened again runs the same loop from the start, takes what a trial
//! came to from the record where it has it, and so decides what it decided before.
//!
//! `[tune] jobs` trials train at the same time, on threads of their own. They are judged in the
//! order of their numbers, and what is proposed for trial *k* rests on the trials up to *k* − jobs
//! and on what those between are about to try; so nothing depends on who ends first, and the
//! number of jobs, which does matter, is part of the study.

mod deadline;
mod ended;
mod gate_check;
mod keep;
mod launch;
mod local_trainer;
mod observer;
mod phase;
mod publish;
mod recorded;
mod recorded_data;
mod run;
mod trainer;
mod trial;

pub use ended::{Ended, Finished, Stopped};
pub use launch::{
    EventObserver, Kind, Launch, LaunchError, LaunchListener, Ready, Resume, Resumed, Settings,
    StudySource, describe, input_shape,
};
pub use local_trainer::{AtWork, LocalTrainer};
pub use observer::{Listener, Silent};
pub use phase::Extension;
pub use publish::PublishError;
pub use recorded_data::{OtherData, data_hash};
pub use run::{Growth, Study, StudyError, StudySetup};
pub use trainer::{
    Parent, TestResult, Trainer, TrainerError, TrialNote, TrialObserver, TrialOutcome, TrialTask,
};
