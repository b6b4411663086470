//! `figures.json` beside a published model: what it was measured at, for its card and for other programs.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::record::wilson_lower_bound;
use crate::sys::files::{FileError, Files};
use crate::sys::nan_if_null;
use crate::train::Measured;

/// File of the figures, in the folder of a model.
pub(super) const FIGURES_FILE: &str = "figures.json";
/// A confusion matrix of a few hundred classes is about a megabyte.
const FIGURES_BYTES_MAX: u64 = 256 << 20;
/// Confidence of the intervals.
pub(super) const CONFIDENCE: f64 = 0.95;

/// What a published model was measured at.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ModelFigures {
    /// Version of this format.
    pub version: u32,
    /// The model's trial; 0 for one that was imported.
    pub trial: u32,
    /// The epoch of the trial that it was taken after.
    pub epoch: usize,
    /// Hash of its weights.
    pub weights_hash: String,
    /// On the validation images.
    pub validation: SplitFigures,
    /// The same of its quantized form, if one was exported.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub int8: Option<SplitFigures>,
}

/// Figures on the images of one split.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SplitFigures {
    /// Number of images.
    pub images: u64,
    /// Share of them that are classified correctly, 0..=1.
    pub accuracy: f64,
    /// Ends of the 95 % Wilson interval of the accuracy.
    pub interval: [f64; 2],
    /// Mean cross-entropy in nats; not a number, written as null, if it is not finite.
    #[serde(deserialize_with = "nan_if_null")]
    pub loss: f64,
    /// Expected calibration error over 15 bins, 0..=1.
    #[serde(deserialize_with = "nan_if_null")]
    pub calibration_error: f64,
    /// Number of classes.
    pub classes: usize,
    /// `[label, predicted class, images]`, without zeros.
    pub confusion: Vec<(usize, usize, u64)>,
}

/// One class among the figures.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct ClassFigures {
    pub(super) support: u64,
    pub(super) precision: f64,
    pub(super) recall: f64,
    pub(super) f1: f64,
}

impl SplitFigures {
    /// Precision, recall, F1 and support of each class, by label; a share of nothing is 0.
    pub(super) fn by_class(&self) -> Vec<ClassFigures> {
        let (mut right, mut named, mut support) =
            (vec![0; self.classes], vec![0; self.classes], vec![0; self.classes]);
        for &(label, predicted, images) in &self.confusion {
            // A file that was changed by hand may name any class.
            if label >= self.classes || predicted >= self.classes {
                continue;
            }
            support[label] += images;
            named[predicted] += images;
            if label == predicted {
                right[label] += images;
            }
        }
        let share = |part: u64, whole: u64| part as f64 / whole.max(1) as f64;
        let classes = right.into_iter().zip(named).zip(support);
        let figures = classes.map(|((right, named), support)| ClassFigures {
            support,
            precision: share(right, named),
            recall: share(right, support),
            f1: share(2 * right, named + support),
        });
        figures.collect()
    }
}

impl From<Measured> for SplitFigures {
    fn from(measured: Measured) -> Self {
        let Measured { evaluation, calibration_error } = measured;
        let (images, accuracy) = (evaluation.images(), evaluation.accuracy());
        let confusion = evaluation.confusion.iter();
        Self {
            images,
            accuracy,
            interval: wilson_interval(accuracy, images),
            loss: evaluation.loss,
            calibration_error,
            classes: evaluation.classes,
            confusion: confusion.map(|(&(label, named), &images)| (label, named, images)).collect(),
        }
    }
}

/// Both ends of the 95 % Wilson interval of a share of `images`.
pub(super) fn wilson_interval(share: f64, images: u64) -> [f64; 2] {
    let bound = |share| wilson_lower_bound(share, images as usize, CONFIDENCE);
    [bound(share), 1.0 - bound(1.0 - share)]
}

impl ModelFigures {
    /// Stands for the trial of a model that was imported.
    pub(super) const IMPORTED: u32 = 0;
    /// The newest version of the format.
    pub(super) const VERSION: u32 = 1;

    /// The content of the file.
    pub(super) fn to_json(&self) -> Result<Vec<u8>, serde_json::Error> {
        let mut json = serde_json::to_vec(self)?;
        json.push(b'\n');
        Ok(json)
    }

    /// The figures in the folder of a model; `None` if it has none that this version can read, as with
    /// models of earlier versions.
    ///
    /// # Errors
    ///
    /// When the file is there and cannot be read.
    pub(super) fn read(files: &dyn Files, folder: &Path) -> Result<Option<Self>, FileError> {
        match files.read(&folder.join(FIGURES_FILE), FIGURES_BYTES_MAX) {
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
            Ok(json) => {
                let figures: Option<Self> = serde_json::from_slice(&json).ok();
                Ok(figures.filter(|figures| {
                    figures.version == Self::VERSION && figures.validation.classes <= CLASSES_MAX
                }))
            }
        }
    }
}

/// Labels are 16 bits.
const CLASSES_MAX: usize = 1 << 16;

#[cfg(test)]
mod tests {
    use super::*;

    fn figures(confusion: &[(usize, usize, u64)]) -> SplitFigures {
        SplitFigures {
            images: 10,
            accuracy: 0.9,
            interval: wilson_interval(0.9, 10),
            loss: f64::NAN,
            calibration_error: 0.1,
            classes: 2,
            confusion: confusion.to_vec(),
        }
    }

    #[test]
    fn classes_have_the_figures_of_the_confusion_matrix() {
        let [first, second] = figures(&[(0, 0, 6), (0, 1, 2), (1, 1, 2), (9, 9, 5)]).by_class()[..]
        else {
            panic!("two classes");
        };
        assert_eq!((first.support, first.precision, first.recall), (8, 1.0, 0.75));
        assert!((first.f1 - 2.0 * 0.75 / 1.75).abs() < 1e-12);
        assert_eq!((second.support, second.precision, second.recall), (2, 0.5, 1.0));
    }

    #[test]
    fn the_interval_has_both_ends_of_wilsons() {
        // statsmodels: proportion_confint(9, 10, method="wilson")
        let [low, high] = wilson_interval(0.9, 10);
        assert!((low - 0.595_849_7).abs() < 1e-6 && (high - 0.982_123_8).abs() < 1e-6, "{high}");
        assert_eq!(wilson_interval(1.0, 10)[1], 1.0);
    }
}
