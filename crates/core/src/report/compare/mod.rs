//! Two runs side by side: their studies, data, curves and figures, and whether one is better than the other.

mod side;
mod significance;

pub(crate) use self::side::{Side, SideError};
pub(crate) use self::significance::Significance;

use serde::Serialize;

use crate::record::paired::Discordant;
use crate::spec::{SectionDiff, sections};

/// Two runs, compared.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Comparison {
    /// The runs.
    pub runs: [Side; 2],
    /// How the studies differ that the runs began with.
    pub study: Vec<SectionDiff>,
    /// How the studies of the best trials differ; nothing if a run has none yet.
    pub best: Vec<SectionDiff>,
    /// Which data differs.
    pub data: DataDifference,
    /// How much more accurate the second run's best model is on the validation images, in fractions; `None` if one
    /// of them has none.
    pub difference: Option<f64>,
    /// Whether that is more than chance.
    pub significance: Significance,
}

/// How the data of two runs differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct DataDifference {
    /// Whether both have the same images and labels, in splits of the same sizes.
    pub is_same: bool,
    /// Whether both were judged on the same validation images, which the seed chooses too.
    pub same_validation_images: bool,
}

impl Comparison {
    /// Compares two runs. `measured` are the images that only one of the two has right, if that was measured.
    pub fn of(first: Side, second: Side, measured: Option<Discordant>) -> Self {
        let is_same = first.data_hash.is_some() && first.data_hash == second.data_hash;
        let data = DataDifference {
            is_same,
            same_validation_images: is_same
                && first.seed == second.seed
                && first.images == second.images,
        };
        let difference = match (first.validation_accuracy, second.validation_accuracy) {
            (Some(first), Some(second)) => Some(second - first),
            _ => None,
        };
        let significance = match (measured, data.same_validation_images) {
            (Some(measured), _) => Significance::measured(measured),
            (None, true) => Significance::of_recalls(&first.recalls, &second.recalls),
            (None, false) => Significance::OtherImages,
        };
        let best = match (&first.best_study, &second.best_study) {
            (Some(first), Some(second)) => sections(first, second),
            _ => Vec::new(),
        };
        let study = sections(&first.study, &second.study);
        Self { study, best, data, difference, significance, runs: [first, second] }
    }
}
