//! The judgement of a gate on a figure other than the accuracy.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Measure;
use crate::sys::nan_if_null;

/// The judgement of a gate on one figure other than the accuracy.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct FloorJudgement {
    /// The kind of figure.
    pub measure: Measure,
    /// Its measured value, 0..=1; NaN if the trainer does not report it.
    #[serde(deserialize_with = "nan_if_null")]
    pub measured: f64,
    /// The value compared to the floor: `measured`, or its lower confidence bound.
    #[serde(deserialize_with = "nan_if_null")]
    pub judged: f64,
    /// The value that must be reached.
    pub floor: f64,
}

impl FloorJudgement {
    /// Whether the floor is reached. NaN does not reach it.
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
