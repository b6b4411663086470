//! Cross-validation: figures of networks that were each trained without the images of one fold.

use serde::{Deserialize, Serialize};

use super::ClassRecall;
use super::measures::wilson_interval;
use crate::sys::nan_if_null;

/// What a network gets right of the fold that it was not trained on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FoldResult {
    /// The fold, counted from 1; the first is the validation split.
    pub fold: u32,
    /// How many folds there are.
    pub folds: u32,
    /// Images of the fold.
    pub images: u64,
    /// Of these, images classified correctly.
    pub correct: u64,
    /// Images and correctly classified ones of each class, by label; empty if the trainer does not report them.
    #[serde(with = "super::measures::recalls")]
    pub recalls: Vec<ClassRecall>,
    /// Number of epochs trained.
    pub epochs: u32,
    /// Seconds of training.
    #[serde(deserialize_with = "nan_if_null")]
    pub seconds: f64,
}

impl FoldResult {
    /// Share of the fold's images classified correctly, 0..=1; 0 without images.
    pub fn accuracy(&self) -> f64 {
        self.correct as f64 / self.images.max(1) as f64
    }

    /// `fold 2/5  validation 87.50 %`.
    pub fn words(&self) -> String {
        let Self { fold, folds, .. } = self;
        format!("fold {fold}/{folds}  validation {:.2} %", self.accuracy() * 100.0)
    }
}

/// The measured folds together: every image counts once, classified by a network that was not trained on it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CrossValidation {
    /// How many folds there are.
    pub folds: u32,
    /// How many of them were measured.
    pub measured: u32,
    /// Images of the measured folds.
    pub images: u64,
    /// Of these, images classified correctly.
    pub correct: u64,
    /// Images and correctly classified ones of each class, by label; empty if a fold lacks them.
    #[serde(skip_serializing)]
    pub recalls: Vec<ClassRecall>,
}

impl CrossValidation {
    /// Adds up the folds; `None` if none was measured.
    pub fn of(results: &[FoldResult]) -> Option<Self> {
        let folds = results.first()?.folds;
        let classes = results.iter().map(|fold| fold.recalls.len()).max().unwrap_or(0);
        let is_told = results.iter().all(|fold| fold.recalls.len() == classes);
        let mut recalls =
            vec![ClassRecall { right: 0, images: 0 }; if is_told { classes } else { 0 }];
        for fold in results {
            for (sum, class) in recalls.iter_mut().zip(&fold.recalls) {
                sum.right += class.right;
                sum.images += class.images;
            }
        }
        Some(Self {
            folds,
            measured: results.len() as u32,
            images: results.iter().map(|fold| fold.images).sum(),
            correct: results.iter().map(|fold| fold.correct).sum(),
            recalls,
        })
    }

    /// Whether every fold was measured.
    pub fn is_whole(&self) -> bool {
        self.measured == self.folds
    }

    /// Share of the images classified correctly, 0..=1; 0 without images.
    pub fn accuracy(&self) -> f64 {
        self.correct as f64 / self.images.max(1) as f64
    }

    /// Both ends of the 95 % Wilson interval of the accuracy.
    pub fn interval(&self) -> [f64; 2] {
        wilson_interval(self.accuracy(), self.images)
    }

    /// `5 folds`, or, if not all were measured, `2 of 5 folds`.
    pub fn extent(&self) -> String {
        match self.is_whole() {
            true => format!("{} folds", self.folds),
            false => format!("{} of {} folds", self.measured, self.folds),
        }
    }

    /// `cross-validated over 5 folds: 86.40 % (84.1 % to 88.4 %)`.
    pub fn words(&self) -> String {
        format!("cross-validated over {}: {}", self.extent(), self.figure())
    }

    /// `86.40 % (84.1 % to 88.4 %)`.
    pub fn figure(&self) -> String {
        let [low, high] = self.interval().map(|bound| bound * 100.0);
        format!("{:.2} % ({low:.1} % to {high:.1} %)", self.accuracy() * 100.0)
    }
}

/// The images on which a trial is judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Basis {
    /// The validation images.
    #[default]
    Validation,
    /// The same, although the study asks for folds, because the trainer trains none.
    NoFolds,
    /// Those of the measured folds.
    Folds {
        /// How many were measured.
        measured: u32,
        /// How many there are.
        folds: u32,
    },
}

impl Basis {
    /// Those of a cross-validation.
    pub fn of(folds: &CrossValidation) -> Self {
        Self::Folds { measured: folds.measured, folds: folds.folds }
    }

    /// Whether these are the validation images alone, as the study asks.
    pub fn is_validation(&self) -> bool {
        *self == Self::Validation
    }

    /// Whether no fold is missing.
    pub fn is_whole(self) -> bool {
        !matches!(self, Self::Folds { measured, folds } if measured < folds)
    }

    /// What the accuracy on them is called.
    pub fn name(self) -> &'static str {
        match self {
            Self::Validation | Self::NoFolds | Self::Folds { measured: 0, .. } => {
                "validation accuracy"
            }
            Self::Folds { .. } => "cross-validated accuracy",
        }
    }

    /// What a judgement on them has to add, as a clause.
    pub fn note(self) -> Option<String> {
        match self {
            Self::Validation => None,
            Self::NoFolds => {
                Some("not cross-validated, because this trainer does not train folds".into())
            }
            Self::Folds { measured, folds } => (measured < folds).then(|| {
                format!("{measured} of {folds} folds were measured; all must be, to pass")
            }),
        }
    }
}

#[cfg(test)]
mod tests;
