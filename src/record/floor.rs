//! What a gate says of a figure besides the accuracy.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Measure;
use crate::sys::nan_if_null;

/// What the gate says of one figure besides the accuracy.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct FloorJudgement {
    /// What was measured.
    pub measure: Measure,
    /// The figure, 0..=1; NaN where the trainer does not tell it.
    #[serde(deserialize_with = "nan_if_null")]
    pub measured: f64,
    /// What was held against the floor: the figure, or the lower bound of its interval.
    #[serde(deserialize_with = "nan_if_null")]
    pub judged: f64,
    /// What had to be reached.
    pub floor: f64,
}

impl FloorJudgement {
    /// Whether the floor is reached; NaN reaches none.
    pub fn holds(&self) -> bool {
        self.judged >= self.floor
    }
}

impl fmt::Display for FloorJudgement {
    /// `least recall 12.00 % is below the gate of 50.00 %`.
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let verb = if self.holds() { "reaches" } else { "is below" };
        let (name, judged, floor) = (self.measure.name(), self.judged * 100.0, self.floor * 100.0);
        write!(f, "{name} {judged:.2} % {verb} the gate of {floor:.2} %")
    }
}
