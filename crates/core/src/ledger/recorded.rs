//! An event with its time, as it is in the log.

use jiff::Timestamp;

use super::event::Event;

/// An event with its time.
#[derive(Debug, Clone, PartialEq)]
pub struct Recorded {
    /// When it was appended, by the clock of the machine that ran the study.
    pub at: Timestamp,
    /// What happened.
    pub event: Event,
}
