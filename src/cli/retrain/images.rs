//! Labelled images of the log of requests.

use std::collections::HashSet;
use std::path::Path;

use jiff::Timestamp;

use crate::cli::error::CliError;
use crate::data::image_file::Picture;
use crate::data::layout::planes;
use crate::registry::{Action, HeldOut, ImageHash, Record, Registry};
use crate::retrain::{Label, RetrainSettings, Retraining, Selected};
use crate::serve::predict::{LabelledImage, labelled};

const FILE_BYTES_MAX: u64 = 256 << 20;

/// Labels that may be trained on.
pub(super) struct Feedback {
    pub(super) labels: Vec<LabelledImage>,
}

/// Their images, `[channels, height, width]` each.
pub(super) struct LabelledImages {
    pub(super) labels: Vec<Label>,
    pub(super) classes: Vec<String>,
    pixels: Vec<Vec<u8>>,
    shape: [usize; 3],
    fit: String,
}

impl Feedback {
    /// Those that nothing speaks against. What a version was trained on that was rolled back is not trusted again.
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

    /// Their images. Those that a crash tore, or that a version of another shape was given, are left out.
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

    /// To train on, to validate by and to judge by, together with those before.
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
