//! Studies as types: the keys of a study file, their defaults, and their validation.
//!
//! [`StudyFile`] is the raw form, exactly what the TOML holds. [`Spec`] is the validated form: its
//! fields are private, so every shape in it fits and every number is in range. [`StudyDocument`]
//! turns text into either and locates errors by line. [`Edit`] changes a validated study.
//!
//! This module does no I/O and does not use burn.

mod bytes;
mod check;
mod check_layers;
mod data;
pub(crate) mod edit;
mod error;
mod gate;
mod keep;
pub(crate) mod layer;
mod model;
pub(crate) mod name;
mod notify;
pub(crate) mod optimizer;
mod parse;
mod plan;
pub(crate) mod pool;
pub(crate) mod pyramid;
mod render;
mod run;
pub(crate) mod schedule;
mod shape;
#[cfg(feature = "cli")]
mod short;
mod space;
pub(crate) mod study;
mod tagged;
mod train;
mod tune;
mod validate;

#[cfg(any(feature = "train", feature = "serve"))]
pub(crate) use bytes::Bytes;
pub use data::{Amount, DataSpec, Fallback, Fit, Size, Source};
pub(crate) use edit::EditCost;
#[cfg(feature = "train")]
pub(crate) use edit::edits_between;
pub(crate) use edit::never_negative;
pub(crate) use edit::operations;
pub(crate) use edit::training_flops;
pub use edit::{Edit, EditError, diff};
#[cfg(feature = "cli")]
pub(crate) use edit::{SectionDiff, sections};
#[doc(hidden)]
pub use error::Location;
pub use error::{Problem, SpecError};
pub use gate::GateSpec;
pub use keep::Keep;
pub(crate) use layer::Residual;
pub use layer::{Activation, BatchNorm, Conv, Dense, Dropout, Layer, Padding};
pub use model::ModelSpec;
pub(crate) use name::{RUN_NAME_RULE, is_run_name};
pub use notify::NotifySpec;
#[doc(hidden)]
pub use notify::{MailSecurity, MailSpec, WebhookSpec, WebhookTemplate};
#[cfg(feature = "mail")]
pub(crate) use notify::{check_url, is_separator, mail_address};
#[doc(hidden)]
pub use optimizer::MuonParameters;
pub use optimizer::{AdamParameters, Optimizer, SgdParameters};
pub use parse::{Override, StudyDocument};
pub(crate) use plan::projection_stride;
pub use pool::Pool;
#[doc(hidden)]
pub use run::{JobCommands, On, RunSpec};
pub(crate) use schedule::{learning_rate, mean_share};
pub use shape::{FeatureShape, InputShape, LayerPlan, LayerTable};
#[doc(hidden)]
pub use space::OptimizerName;
pub use space::SearchSpace;
pub(crate) use study::json_schema;
pub use study::{Spec, StudyFile};
pub use train::{
    Augment, Border, CheckpointInterval, EarlyStopping, GradientClipping, Schedule, TrainSpec,
};
pub use tune::{Goal, Policy, TuneSpec};
