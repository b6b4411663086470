//! What a training tells: its epochs, what a look inside showed, and what was tested. Values only.

mod epoch;
mod probe;
mod progress;
mod range_test;

pub use epoch::EpochRecord;
pub use probe::{LayerProbe, Probe};
pub use progress::{SoFar, StepProgress};
pub use range_test::RangeTest;
