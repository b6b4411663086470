//! Images beside those of a study's own data, such as those of feedback.

use sha2::{Digest, Sha256};

use super::cache::Spool;
use super::{DataError, Dataset, Images, Store, Subset};

/// How often an image is repeated at most.
const REPEATED_MAX: usize = 100;

/// Images to train on, and to choose the best epoch by, beside those of a study.
#[derive(Debug, Clone)]
pub(crate) struct MoreImages {
    /// To train on.
    pub train: Images,
    /// To validate by.
    pub validation: Images,
    /// Their share of what is trained on, 0..1; where they are fewer, they are repeated.
    pub share: f64,
}

impl MoreImages {
    /// SHA-256 of what `of` a study they make.
    pub fn hash(&self, of: &str) -> String {
        let mut hash = Sha256::new().chain_update(of).chain_update(self.share.to_le_bytes());
        for images in [&self.train, &self.validation] {
            hash.update((images.count() as u64).to_le_bytes());
            hash.update(images.pixels());
            images.labels().iter().for_each(|label| hash.update(label.to_le_bytes()));
        }
        hex::encode(hash.finalize())
    }
}

impl Dataset {
    /// The same data set with more images to train on and to validate by; test images, classes and normalization stay.
    ///
    /// # Errors
    /// If their shape or classes are others, or there is no room for them.
    pub(crate) fn with_more(self, more: &MoreImages, store: &Store) -> Result<Self, DataError> {
        let Self { train, validation, test, classes, normalization, .. } = self;
        let wanted = more.share / (1.0 - more.share) * train.len() as f64;
        let repeated = (wanted / more.train.count().max(1) as f64).ceil() as usize;
        let train = joined(&train, &more.train, repeated.clamp(1, REPEATED_MAX), store)?;
        let validation = joined(&validation, &more.validation, 1, store)?;
        let data = Self::new(train, validation, test, classes.len())?;
        Ok(Self { classes, normalization, ..data })
    }
}

fn joined(
    first: &Subset,
    more: &Images,
    repeated: usize,
    store: &Store,
) -> Result<Subset, DataError> {
    if first.shape() != more.shape() {
        let (is, other) = (first.shape(), more.shape());
        let problem = format!("images of {other:?} beside those of {is:?}: one shape is needed");
        return Err(DataError::Arrays { problem });
    }
    let mut pixels = Spool::new(store);
    for position in 0..first.len() {
        pixels.extend(first.image(position))?;
    }
    pixels.extend(more.pixels())?;
    let own = (0..first.len()).map(|position| first.label(position));
    let labels: Vec<u16> = own.chain(more.labels().iter().copied()).collect();
    let (own, all) = (first.len() as u32, labels.len() as u32);
    let images = Images::of_pixels(pixels.finish()?, labels.into(), more.shape())?;
    let again = (0..repeated).flat_map(|_| own..all);
    Subset::new(images, (0..own).chain(again).collect::<Vec<u32>>())
}

#[cfg(test)]
mod tests;
