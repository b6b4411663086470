//! The names that most programs need, to be imported with `use burgeon::prelude::*;`.

pub use crate::data::{DataError, Dataset, Images, Subset};
pub use crate::model::Classifier;
pub use crate::record::{Ending, EpochRecord, Inherit, Outcome, StudyResult};
pub use crate::spec::{
    BatchNorm, Conv, Dense, Dropout, Edit, InputShape, Layer, Pool, Spec, StudyDocument, StudyFile,
};
pub use crate::study::{
    Ended, Finished, Kind, Launch, LaunchError, LaunchListener, Listener, StopFlag, Stopped,
    TestResult, Trainer, TrainerError, TrialObserver, TrialOutcome, TrialTask,
};
pub use crate::tune::{Policy, Proposal, TrialRecord};
