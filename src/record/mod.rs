//! What a training tells: its epochs, what a look inside showed, and what was tested. Values only.

mod epoch;
mod measures;
mod probe;
mod progress;
mod range_test;

pub use epoch::EpochRecord;
pub use measures::{ClassRecall, Measure, wilson_lower_bound};
pub use probe::{LayerProbe, Probe};
pub use progress::{SoFar, StepProgress};
pub use range_test::RangeTest;
