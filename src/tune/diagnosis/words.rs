//! Figures and names as people read them.

use std::fmt;

use super::Diagnosis;

/// A fraction in people's words.
pub(super) struct Percent(pub(super) f64);

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{:.1} %", self.0 * 100.0)
    }
}

/// Items with commas between them.
pub(super) fn list<T: fmt::Display>(items: &[T]) -> String {
    items.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

impl fmt::Display for Diagnosis {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(match self {
            Self::Healthy => "healthy",
            Self::Diverged => "diverged",
            Self::LearningRateTooHigh => "learning rate too high",
            Self::LearningRateTooLow => "learning rate too low",
            Self::Stalled => "stalled",
            Self::StillImproving => "still improving",
            Self::Underfit => "underfit",
            Self::OverRegularized => "held back",
            Self::Overfit => "overfit",
            Self::DataSuspicious => "data suspicious",
        })
    }
}
