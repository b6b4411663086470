//! The loop: train, judge, diagnose, edit, train on.
//!
//! [`Study`] is the sole owner of a study's state. It talks to a [`Trainer`], so that a test runs
//! the whole loop in milliseconds, and it records everything it does as events. The loop has no
//! state but those: a study opened again runs the same loop from the start, takes what a trial
//! came to from the record where it has it, and so decides what it decided before.

mod launch;
mod local_trainer;
mod observer;
mod publish;
mod run;
mod trainer;

pub use launch::{
    EventObserver, Launch, LaunchError, LaunchListener, Ready, Resume, Resumed, data_hash,
    describe, input_shape,
};
pub use local_trainer::LocalTrainer;
pub use observer::{Listener, Silent};
pub use publish::PublishError;
pub use run::{Ended, Finished, Growth, Study, StudyError, StudySetup};
pub use trainer::{
    Parent, TestResult, Trainer, TrainerError, TrainingEnd, TrialNote, TrialObserver, TrialOutcome,
    TrialTask,
};
