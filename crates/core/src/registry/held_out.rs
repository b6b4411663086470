//! The held-out images of a registry: written once, and verified by their hash.

use std::collections::HashMap;
use std::path::Path;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::error::RegistryError;
use crate::sys::files::Files;

/// SHA-256 of an image's shape and pixels.
pub(crate) type ImageHash = [u8; 32];

/// The file of the description.
const SET_FILE: &str = "set.json";
const PIXELS_FILE: &str = "pixels.bin";
const LABELS_FILE: &str = "labels.bin";
const SET_BYTES_MAX: u64 = 64 << 20;
/// Largest set.
const PIXELS_BYTES_MAX: u64 = 16 << 30;

/// The description of a set of held-out images.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct HeldOutSet {
    /// Version of this format.
    pub v: u32,
    /// Where they come from, in words.
    pub origin: String,
    /// The number of images.
    pub images: usize,
    /// `[channels, height, width]` of each.
    pub shape: [usize; 3],
    /// How pictures of another size were fitted to this shape.
    pub fit: String,
    /// The names of the classes, by label.
    pub classes: Vec<String>,
    /// SHA-256 of pixels and labels, in hex.
    pub sha256: String,
}

/// The held-out images in memory.
#[derive(Debug, Clone)]
pub(crate) struct HeldOut {
    /// Their description.
    pub set: HeldOutSet,
    /// `[images, channels, height, width]`, 0 for black.
    pub pixels: Vec<u8>,
    /// The label of each image.
    pub labels: Vec<u16>,
}

impl HeldOut {
    /// A set of pixels, `[images, channels, height, width]`, and labels.
    pub fn new(
        origin: &str,
        shape: [usize; 3],
        fit: &str,
        classes: &[String],
        pixels: Vec<u8>,
        labels: Vec<u16>,
    ) -> Self {
        let set = HeldOutSet {
            v: 1,
            origin: origin.into(),
            images: labels.len(),
            shape,
            fit: fit.into(),
            classes: classes.to_vec(),
            sha256: hash_of(&pixels, &labels),
        };
        Self { set, pixels, labels }
    }

    /// Bytes of an image.
    pub fn image_len(&self) -> usize {
        self.set.shape.iter().product()
    }

    /// An image, `[channels, height, width]`; empty beyond the last.
    pub fn image(&self, index: usize) -> &[u8] {
        let len = self.image_len();
        self.pixels.get(index * len..(index + 1) * len).unwrap_or_default()
    }

    /// The hash of an image, independent of the set that contains it.
    pub fn hash_image(shape: [usize; 3], image: &[u8]) -> ImageHash {
        let mut hash = Sha256::new();
        for side in shape {
            hash.update((side as u64).to_le_bytes());
        }
        hash.update(image);
        hash.finalize().into()
    }

    /// The sorted indices of the images whose hashes are in a set.
    pub fn seen_among(&self, others: impl Iterator<Item = ImageHash>) -> Vec<u32> {
        let mut own: HashMap<ImageHash, Vec<u32>> = HashMap::new();
        for index in 0..self.set.images {
            let hash = Self::hash_image(self.set.shape, self.image(index));
            own.entry(hash).or_default().push(index as u32);
        }
        let mut seen: Vec<u32> = others.filter_map(|hash| own.remove(&hash)).flatten().collect();
        seen.sort_unstable();
        seen
    }

    /// Whether the set can be used to judge versions, and is not too large to be read.
    pub(super) fn check(&self) -> Result<(), RegistryError> {
        let (images, bytes) = (self.set.images, self.pixels.len());
        match images > 0 && bytes as u64 <= PIXELS_BYTES_MAX {
            true => Ok(()),
            false => Err(RegistryError::HeldOut { images, bytes }),
        }
    }

    /// Writes the set into a new folder.
    ///
    /// # Errors
    ///
    /// If a file cannot be written.
    pub fn write(&self, files: &dyn Files, folder: &Path) -> Result<(), RegistryError> {
        files.create_folders(folder)?;
        files.write_atomically(&folder.join(PIXELS_FILE), &self.pixels)?;
        files.write_atomically(&folder.join(LABELS_FILE), &label_bytes(&self.labels))?;
        // Written last, so that its presence means that the set is complete.
        let mut json = serde_json::to_vec_pretty(&self.set).unwrap_or_default();
        json.push(b'\n');
        Ok(files.write_atomically(&folder.join(SET_FILE), &json)?)
    }

    /// Reads the set and checks its hash.
    ///
    /// # Errors
    ///
    /// If a file cannot be read, or was changed.
    pub fn read(files: &dyn Files, folder: &Path) -> Result<Self, RegistryError> {
        let set = HeldOutSet::read(files, folder)?;
        let path = folder.join(PIXELS_FILE);
        let pixels = files.read(&path, PIXELS_BYTES_MAX)?;
        let labels = read_labels(files, folder, &set)?;
        if hash_of(&pixels, &labels) != set.sha256 || pixels.len() != set.pixels() {
            let why =
                "the held-out images differ from those that the registry was created with".into();
            return Err(RegistryError::Damaged { path, why });
        }
        Ok(Self { set, pixels, labels })
    }
}

impl HeldOutSet {
    pub(super) fn read(files: &dyn Files, folder: &Path) -> Result<Self, RegistryError> {
        let path = folder.join(SET_FILE);
        let bytes = files.read(&path, SET_BYTES_MAX)?;
        let damaged = |why: String| RegistryError::Damaged { path: path.clone(), why };
        let set: Self =
            serde_json::from_slice(&bytes).map_err(|error| damaged(error.to_string()))?;
        let is_sound = set.v == 1
            && set.shape.iter().try_fold(set.images, |all, side| all.checked_mul(*side)).is_some()
            && set.images <= u32::MAX as usize;
        if is_sound {
            Ok(set)
        } else {
            Err(damaged("it was written by another version of burgeon".into()))
        }
    }

    fn pixels(&self) -> usize {
        self.images * self.shape.iter().product::<usize>()
    }
}

/// The label of each image, without the pixels.
pub(super) fn read_labels(
    files: &dyn Files,
    folder: &Path,
    set: &HeldOutSet,
) -> Result<Vec<u16>, RegistryError> {
    let path = folder.join(LABELS_FILE);
    let bytes = files.read(&path, 2 * set.images as u64)?;
    let labels: Vec<u16> =
        bytes.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]])).collect();
    let fits = labels.iter().all(|&label| usize::from(label) < set.classes.len());
    if bytes.len() != 2 * set.images || !fits {
        let why = "its labels do not match the set".into();
        return Err(RegistryError::Damaged { path, why });
    }
    Ok(labels)
}

fn label_bytes(labels: &[u16]) -> Vec<u8> {
    labels.iter().flat_map(|label| label.to_le_bytes()).collect()
}

fn hash_of(pixels: &[u8], labels: &[u16]) -> String {
    let hash = Sha256::new().chain_update(pixels).chain_update(label_bytes(labels)).finalize();
    hex::encode(hash)
}

#[cfg(test)]
mod tests;
