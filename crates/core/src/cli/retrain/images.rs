//! Labelled images from the request log, and how well models classify them.

use std::collections::HashSet;
use std::path::Path;

use burgeon_pixels::{Picture, planes};
use jiff::Timestamp;

use crate::cli::error::CliError;
use crate::model::{OpenDevice, SavedModel};
use crate::registry::{Action, HeldOut, ImageHash, Record, Registry};
use crate::retrain::{Label, RetrainSettings, Retraining, Selected};
use crate::serve::predict::{LabelledImage, labelled};

const FILE_BYTES_MAX: u64 = 256 << 20;

/// Labels that may be used for training.
pub(super) struct Feedback {
    pub(super) labels: Vec<LabelledImage>,
}

/// Labels with their images, `[channels, height, width]` each.
pub(super) struct LabelledImages {
    pub(super) labels: Vec<Label>,
    pub(super) classes: Vec<String>,
    pixels: Vec<Vec<u8>>,
    shape: [usize; 3],
    fit: String,
}

impl Feedback {
    /// Reads the labels that the settings allow. Labels that were used for a version that was rolled back, and older
    /// ones, are never used again.
    pub(super) fn read(
        registry: &Registry,
        requests: &Path,
        settings: &RetrainSettings,
        decided: &[(Record, Retraining)],
    ) -> Result<Self, CliError> {
        let bad = decided.iter().filter(|(record, _)| record.action == Action::RolledBack);
        let bad = bad.map(|(_, retraining)| retraining.begun).max();
        let is_after =
            |label: &LabelledImage, at: Option<Timestamp>| at.is_none_or(|at| label.at > at);
        let classes = registry.held_out_set()?.classes;
        let mut labels = labelled(requests).map_err(CliError::File)?;
        labels.retain(|label| {
            is_after(label, bad)
                && is_after(label, settings.feedback_since)
                && !settings.ignore_sources.contains(&label.source)
                && classes.contains(&label.label)
        });
        Ok(Self { labels })
    }

    /// Reads the images of these labels. Truncated ones, and those of another shape, are left out.
    pub(super) fn images(self, registry: &Registry) -> Result<LabelledImages, CliError> {
        let set = registry.held_out_set()?;
        let (shape, classes) = (set.shape, set.classes);
        let mut images =
            LabelledImages { labels: Vec::new(), classes, pixels: Vec::new(), shape, fit: set.fit };
        for LabelledImage { image, label, source, .. } in self.labels {
            let read = registry.files().read(&image, FILE_BYTES_MAX);
            let picture = read.ok().and_then(|bytes| Picture::decode(&bytes).ok());
            let class = images.classes.iter().position(|class| *class == label);
            let (Some(picture), Some(class)) = (picture, class) else { continue };
            if picture.size() != (shape[1], shape[2]) {
                continue;
            }
            let pixels = planes(&picture.interleaved(shape[0], 0.0), shape[0]);
            let image = HeldOut::hash_image(shape, &pixels);
            images.labels.push(Label { source, image, class: class as u16 });
            images.pixels.push(pixels);
        }
        let held_out = registry.held_out()?;
        images.leave_out(std::iter::once(&held_out));
        Ok(images)
    }
}

impl LabelledImages {
    /// Leaves out images that are in these sets.
    pub(super) fn leave_out<'a>(&mut self, sets: impl Iterator<Item = &'a HeldOut>) {
        let hashes = |set: &'a HeldOut| {
            (0..set.set.images).map(move |at| HeldOut::hash_image(set.set.shape, set.image(at)))
        };
        let known: HashSet<ImageHash> = sets.flat_map(hashes).collect();
        let mut is_new = self.labels.iter().map(|label| !known.contains(&label.image));
        self.pixels.retain(|_| is_new.next().unwrap_or(false));
        self.labels.retain(|label| !known.contains(&label.image));
    }

    /// The selected images to train on, to validate on and to judge on, each appended to those of `base`.
    pub(super) fn sets(&self, selected: &Selected, base: Option<[HeldOut; 3]>) -> [HeldOut; 3] {
        let parts = [&selected.train, &selected.validation, &selected.held_out];
        let mut base = base.map(|sets| sets.into_iter());
        parts.map(|indices| {
            let before = base.as_mut().and_then(Iterator::next);
            let (mut pixels, mut labels) =
                before.map(|set| (set.pixels, set.labels)).unwrap_or_default();
            for &index in indices {
                pixels.extend_from_slice(&self.pixels[index]);
                labels.push(self.labels[index].class);
            }
            HeldOut::new("feedback", self.shape, &self.fit, &self.classes, pixels, labels)
        })
    }
}

/// Which of these images the model in a folder classifies correctly.
pub(super) fn correct_answers(
    folder: &Path,
    device: &OpenDevice,
    images: &HeldOut,
) -> Result<Vec<bool>, CliError> {
    let classifier = SavedModel::open(folder)?.classifier(&device.device)?;
    let rows: Vec<&[u8]> = (0..images.set.images).map(|at| images.image(at)).collect();
    let is_correct = |(row, label): (Vec<f32>, &u16)| {
        let best = (0..row.len()).rev().max_by(|a, b| row[*a].total_cmp(&row[*b]));
        best == Some(usize::from(*label))
    };
    Ok(classifier.logits(&rows)?.into_iter().zip(&images.labels).map(is_correct).collect())
}
