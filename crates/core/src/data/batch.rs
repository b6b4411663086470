//! Batches of an epoch: an order that follows from the counter, and one reused buffer of normalized pixels.
//!
//! Invariant: batch `step` of an epoch depends on the counter, the subset and the settings alone, so a resumed run
//! that starts at any step sees the batches that the interrupted one would have seen.

use std::borrow::Cow;

use burgeon_pixels::{Augmenter, Normalization, Scratch};
use rayon::prelude::*;

use super::Subset;
use crate::sys::spread::run_in_pool;
use crate::sys::{Purpose, counter_seed, permutation};

/// Which epoch of which trial of which study.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EpochKey {
    /// The study's seed.
    pub study: u64,
    /// The trial within the study.
    pub trial: u64,
    /// The epoch within the trial.
    pub epoch: u64,
}

impl EpochKey {
    /// The order in which this epoch visits `len` images: `[len]` positions in the subset.
    pub fn order(self, len: usize) -> Vec<u32> {
        permutation(len, counter_seed(self.study, self.trial, Purpose::EpochOrder, self.epoch, 0))
    }

    /// The seed of the distortion of the image at a position in this epoch.
    pub fn distortion(self, position: u32) -> u64 {
        let Self { study, trial, epoch } = self;
        counter_seed(study, trial, Purpose::Augmentation, epoch, u64::from(position))
    }
}

/// What to do with the images that do not fill a last batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LastBatch {
    /// A smaller last batch.
    Keep,
    /// Leave them out of this epoch; the next epoch leaves out others.
    Drop,
}

/// How many batches ahead images on disk are prefetched.
const BATCHES_AHEAD: usize = 8;

/// A batch in the layout that networks read, its buffers reused from step to step.
#[derive(Debug, Clone, Default)]
pub struct Batch {
    /// Normalized pixels, `[len, channels, height, width]`.
    pub pixels: Vec<f32>,
    /// Classes, `[len]`.
    pub labels: Vec<u16>,
    /// Positions of the images in their subset, `[len]`.
    pub positions: Vec<u32>,
}

impl Batch {
    /// Images in this batch.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether no batch has been filled in yet.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }
}

/// The batches of one pass over a subset.
#[derive(Debug, Clone)]
pub struct Batches<'a> {
    subset: &'a Subset,
    normalization: Normalization,
    order: Option<Vec<u32>>,
    batch_size: usize,
    last: LastBatch,
    distortion: Option<(Cow<'a, Augmenter>, EpochKey)>,
    step: usize,
}

impl<'a> Batches<'a> {
    /// Every image once, in the subset's own order, for evaluation.
    ///
    /// # Panics
    /// If `batch_size` is 0.
    pub fn in_order(subset: &'a Subset, normalization: Normalization, batch_size: usize) -> Self {
        assert!(batch_size > 0, "a batch holds at least one image");
        let last = LastBatch::Keep;
        Self { subset, normalization, order: None, batch_size, last, distortion: None, step: 0 }
    }

    /// Every image once, shuffled by the counter, for training.
    ///
    /// # Panics
    /// If `batch_size` is 0.
    pub fn shuffled(
        subset: &'a Subset,
        normalization: Normalization,
        batch_size: usize,
        last: LastBatch,
        key: EpochKey,
    ) -> Self {
        let order = Some(key.order(subset.len()));
        Self { order, last, ..Self::in_order(subset, normalization, batch_size) }
    }

    /// Distorts each image in a way that follows from the counter and the image.
    pub fn augmented(self, augmenter: &'a Augmenter, key: EpochKey) -> Self {
        let distortion = (!augmenter.is_identity()).then_some((Cow::Borrowed(augmenter), key));
        Self { distortion, ..self }
    }

    /// Skips the batches before `step`.
    pub fn starting_at(self, step: usize) -> Self {
        Self { step, ..self }
    }

    /// Number of batches in the whole pass, including skipped ones.
    pub fn steps(&self) -> usize {
        match self.last {
            LastBatch::Keep => self.subset.len().div_ceil(self.batch_size),
            LastBatch::Drop => self.subset.len() / self.batch_size,
        }
    }

    /// The step that the next [`fill_next`](Self::fill_next) fills.
    pub fn step(&self) -> usize {
        self.step
    }

    /// Fills `batch` with the next step and returns whether there was one.
    pub fn fill_next(&mut self, batch: &mut Batch) -> bool {
        if self.step >= self.steps() {
            return false;
        }
        self.fill(self.step, batch);
        self.step += 1;
        true
    }

    /// Fills `batch` with step `step`.
    ///
    /// # Panics
    /// If there is no such step.
    pub fn fill(&self, step: usize, batch: &mut Batch) {
        assert!(step < self.steps(), "step {step} of {}", self.steps());
        let start = step * self.batch_size;
        let end = (start + self.batch_size).min(self.subset.len());
        batch.positions.clear();
        match &self.order {
            Some(order) => batch.positions.extend_from_slice(&order[start..end]),
            None => batch.positions.extend(start as u32..end as u32),
        }
        self.prefetch(step + BATCHES_AHEAD);
        batch.labels.clear();
        batch
            .labels
            .extend(batch.positions.iter().map(|&position| self.subset.label(position as usize)));
        batch.pixels.resize((end - start) * self.subset.image_len(), 0.0);
        match &self.distortion {
            Some((augmenter, key)) => self.distort_into(augmenter, *key, batch),
            None => self.normalize_into(batch),
        }
    }

    /// Prefetches the images of a later step from disk, if they are there, while earlier ones are trained on.
    fn prefetch(&self, step: usize) {
        let start = (step * self.batch_size).min(self.subset.len());
        let end = (start + self.batch_size).min(self.subset.len());
        for at in start..end {
            self.subset.will_need(self.order.as_ref().map_or(at, |order| order[at] as usize));
        }
    }

    fn normalize_into(&self, batch: &mut Batch) {
        let channels = self.subset.shape()[0];
        let images = batch.pixels.chunks_exact_mut(self.subset.image_len());
        for (out, &position) in images.zip(&batch.positions) {
            self.normalization.apply(self.subset.image(position as usize), channels, out);
        }
    }

    fn distort_into(&self, augmenter: &Augmenter, key: EpochKey, batch: &mut Batch) {
        let distort = |scratch: &mut Scratch, (out, &position): (&mut [f32], &u32)| {
            let seed = key.distortion(position);
            let image = self.subset.image(position as usize);
            augmenter.distort(image, self.subset.shape(), seed, self.normalization, scratch, out);
        };
        run_in_pool(|| {
            let images = batch.pixels.par_chunks_exact_mut(self.subset.image_len());
            // Fewer images are not worth handing over to another thread.
            images.zip(&batch.positions).with_min_len(8).for_each_init(Scratch::default, distort);
        });
    }
}

#[cfg(test)]
mod tests;
