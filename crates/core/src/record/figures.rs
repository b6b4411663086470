//! `figures.json` beside a published model: what it was measured at, for its card and for other programs.

use serde::{Deserialize, Serialize};

use crate::sys::nan_if_null;

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
    /// The wrong answers that the model was surest of, the surest first; not in files of version 0.1.0.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mistakes: Vec<Mistake>,
}

/// A wrong answer.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Mistake {
    /// The image's place in its split, counted from 0.
    pub image: usize,
    /// Its class.
    pub label: usize,
    /// The predicted class.
    pub predicted: usize,
    /// The probability that the model gives its answer, 0..=1.
    pub confidence: f64,
}

/// How many wrong answers are kept.
pub(crate) const MISTAKES_MAX: usize = 25;

/// How many of their images stand side by side in a picture.
pub(crate) const MISTAKES_COLUMNS: usize = 5;

/// How many classes, one below the other, a picture of training images shows.
pub(crate) const SAMPLES_ROWS: usize = 20;

/// Pixels between the images of a picture, and around them.
pub(crate) const PICTURE_GAP: usize = 2;

/// One class among the figures.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct ClassFigures {
    pub(crate) support: u64,
    pub(crate) precision: f64,
    pub(crate) recall: f64,
    pub(crate) f1: f64,
}

impl SplitFigures {
    /// Precision, recall, F1 and support of each class, by label; a share of nothing is 0.
    pub(crate) fn by_class(&self) -> Vec<ClassFigures> {
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

impl ModelFigures {
    /// Stands for the trial of a model that was imported.
    pub(crate) const IMPORTED: u32 = 0;
    /// The newest version of the format.
    pub(crate) const VERSION: u32 = 1;

    /// The content of the file.
    pub(crate) fn to_json(&self) -> Result<Vec<u8>, serde_json::Error> {
        let mut json = serde_json::to_vec(self)?;
        json.push(b'\n');
        Ok(json)
    }
}

#[cfg(test)]
mod tests;
