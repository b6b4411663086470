//! The values that are recorded about trainings and data: epochs, probes, range tests, endings,
//! diagnoses, results. Plain data; this module does not use burn.

mod data;
mod diagnosis;
mod ending;
mod epoch;
mod floor;
mod forecast;
mod graft;
mod inherit;
mod inherited;
pub(crate) mod measures;
#[cfg(feature = "cli")]
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
pub use forecast::Forecast;
pub use graft::GraftReport;
pub use inherit::Inherit;
#[doc(hidden)]
pub use inherited::{Forgetting, InheritedModel};
pub(crate) use measures::wilson_lower_bound;
pub use measures::{ClassRecall, Measure};
pub(crate) use probe::ConfidenceGroup;
pub use probe::{LayerProbe, Probe};
pub(crate) use profile::{LayerProfile, Profile};
pub use progress::{SoFar, StepProgress};
pub use range_test::RangeTest;
pub use result::{Outcome, StudyResult};
