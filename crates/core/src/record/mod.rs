//! The values that are recorded about trainings and data: epochs, probes, range tests, endings,
//! diagnoses, results. Plain data; this module does not use burn.

mod data;
mod diagnosis;
mod ending;
mod epoch;
pub(crate) mod figures;
mod floor;
mod folds;
mod forecast;
mod graft;
mod inherit;
mod inherited;
pub(crate) mod measures;
#[cfg(any(feature = "cli", feature = "serve"))]
pub(crate) mod paired;
mod probe;
pub(crate) mod profile;
mod progress;
mod range_test;
mod result;

pub use data::{DataFinding, Split, SplitCounts};
pub use diagnosis::{Conclusion, Diagnosis, Finding};
pub use ending::Ending;
pub use epoch::EpochRecord;
#[doc(hidden)]
pub use floor::FloorJudgement;
#[doc(hidden)]
pub use folds::{Basis, CrossValidation, FoldResult};
pub use forecast::Forecast;
pub use graft::GraftReport;
pub use inherit::Inherit;
#[doc(hidden)]
pub use inherited::{Forgetting, InheritedModel};
pub use measures::{ClassRecall, Measure};
pub(crate) use measures::{wilson_interval, wilson_lower_bound};
pub(crate) use probe::{ConfidenceGroup, SampleTraining};
pub use probe::{LayerProbe, Probe};
pub(crate) use profile::{LayerProfile, Profile};
pub use progress::{SoFar, StepProgress};
pub use range_test::RangeTest;
pub use result::{Outcome, StudyResult};
