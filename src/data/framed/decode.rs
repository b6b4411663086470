//! Decodes every image of a source, on every core, and tells those that cannot be read by name.

use std::collections::BTreeMap;

use rayon::prelude::*;
use sha2::{Digest, Sha256};

use super::listing::{Content, Listing};
use crate::data::frame::{Frame, GREY_BACKGROUND};
use crate::data::image_file::{Picture, PictureError};
use crate::data::{CHANNELS_MAX, DataError, Progress};
use crate::record::DataFinding;
use crate::sys::signals::StopFlag;
use crate::sys::spread::spread;

/// Images that were decoded, in the canonical order: by what they show, then by class.
#[derive(Debug)]
pub struct Decoded {
    /// `[count, channels, height, width]`.
    pub pixels: Vec<u8>,
    /// `[channels, height, width]` of an image.
    pub shape: [usize; 3],
    /// One for each image.
    pub images: Vec<DecodedImage>,
    unreadable: Vec<(usize, String)>,
}

/// What is known of one decoded image.
#[derive(Debug, Clone, Copy)]
pub struct DecodedImage {
    /// The SHA-256 of its pixels as they were before it was brought to the frame, so that splits do not
    /// depend on that.
    pub digest: [u8; 32],
    /// Its place in the listing.
    pub entry: usize,
}

/// Images between two calls of `progress`.
const BLOCK_LEN: usize = 512;

/// Names that a message or a finding lists.
const NAMED: usize = 10;

/// Decodes all images of a listing.
///
/// # Errors
/// If some cannot be read and are not to be skipped, memory does not hold them, or it is asked to stop.
pub fn decode(
    listing: &Listing,
    frame: Frame,
    skip_unreadable: bool,
    stop: &StopFlag,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<Decoded, DataError> {
    let total = listing.entries.len();
    let shape = frame.shape();
    let image_len: usize = shape.iter().product();
    let mut pixels = reserve(total, image_len)?;
    let mut images = Vec::with_capacity(total);
    let mut unreadable = Vec::new();
    let tells = matches!(listing.content, Content::Files(_));
    for start in (0..total).step_by(BLOCK_LEN) {
        if stop.requested().is_some() {
            return Err(DataError::Stopped);
        }
        let block = start..(start + BLOCK_LEN).min(total);
        let done = block.end;
        let decode_one = |entry| -> Result<(Vec<u8>, [u8; 32]), PictureError> {
            let picture = listing.picture(entry)?;
            Ok((frame.take(&picture, false), digest(&picture)))
        };
        let decoded: Vec<_> = spread(|| block.clone().into_par_iter().map(decode_one).collect());
        for (entry, image) in block.zip(decoded) {
            match image {
                Ok((image, digest)) => {
                    pixels.extend_from_slice(&image);
                    images.push(DecodedImage { digest, entry });
                }
                Err(error) => unreadable.push((entry, chain(&error))),
            }
        }
        if tells {
            progress(Progress::Reading { done, total });
        }
    }
    let decoded = Decoded { pixels, shape, images, unreadable };
    match decoded.unreadable.is_empty() || skip_unreadable {
        true => Ok(decoded.in_canonical_order(listing)),
        false => Err(DataError::Unreadable {
            dir: listing.root.clone(),
            files: decoded.unreadable.len(),
            named: decoded.named_unreadable(listing),
        }),
    }
}

/// SHA-256 over the size of a picture and its pixels in colour.
fn digest(picture: &Picture) -> [u8; 32] {
    let (height, width) = picture.size();
    let mut hash = Sha256::new();
    hash.update((height as u64).to_le_bytes());
    hash.update((width as u64).to_le_bytes());
    hash.update(picture.interleaved(CHANNELS_MAX, GREY_BACKGROUND));
    hash.finalize().into()
}

/// Room for all images, or an error that says how much they need.
fn reserve(count: usize, image_len: usize) -> Result<Vec<u8>, DataError> {
    let bytes = count.checked_mul(image_len);
    let mut pixels = Vec::new();
    match bytes.map(|bytes| pixels.try_reserve_exact(bytes)) {
        Some(Ok(())) => Ok(pixels),
        _ => Err(DataError::Request {
            problem: format!(
                "{count} images of {image_len} bytes do not fit into memory: use a smaller data.size"
            ),
        }),
    }
}

fn chain(error: &PictureError) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(error) = source {
        text += &format!(": {error}");
        source = error.source();
    }
    text
}

impl Decoded {
    /// The pixels of the image at `index`.
    pub fn image(&self, index: usize) -> &[u8] {
        let len = self.shape.iter().product::<usize>();
        &self.pixels[index * len..][..len]
    }

    fn in_canonical_order(self, listing: &Listing) -> Self {
        let mut order: Vec<usize> = (0..self.images.len()).collect();
        let key = |&at: &usize| {
            let image = &self.images[at];
            let entry = listing.entries[image.entry];
            // Images that are equal in all of this are interchangeable, but for their names.
            (image.digest, entry.label, entry.given, image.entry)
        };
        order.sort_by_key(key);
        let mut pixels = Vec::with_capacity(self.pixels.len());
        for &at in &order {
            pixels.extend_from_slice(self.image(at));
        }
        let images = order.iter().map(|&at| self.images[at]).collect();
        Self { pixels, images, ..self }
    }

    /// SHA-256 over the images and classes of each part that the source has, by the part's name.
    pub fn content_hashes(&self, listing: &Listing) -> BTreeMap<String, String> {
        let mut hashes: BTreeMap<&str, Sha256> = BTreeMap::new();
        for image in &self.images {
            let entry = listing.entries[image.entry];
            let hash = hashes.entry(entry.given.role()).or_default();
            hash.update(image.digest);
            hash.update(entry.label.to_le_bytes());
        }
        let names = Sha256::digest(listing.classes.join("\n"));
        let named = [("classes".to_owned(), hex::encode(names))];
        let parts = hashes
            .into_iter()
            .map(|(role, hash)| (format!("{role}-images"), hex::encode(hash.finalize())));
        parts.chain(named).collect()
    }

    fn named_unreadable(&self, listing: &Listing) -> Vec<String> {
        let named = self.unreadable.iter().take(NAMED);
        named.map(|(entry, why)| format!("{}: {why}", listing.name(*entry))).collect()
    }

    /// What is odd about the files: those that cannot be read, that are no pictures, and those that show the same.
    pub fn findings(&self, listing: &Listing) -> Vec<DataFinding> {
        let mut findings = Vec::new();
        if !self.unreadable.is_empty() {
            let (files, named) = (self.unreadable.len(), self.named_unreadable(listing));
            findings.push(DataFinding::Unreadable { files, named });
        }
        if !listing.passed_over.is_empty() {
            let named = listing.passed_over.iter().take(NAMED);
            findings.push(DataFinding::NoPictures {
                files: listing.passed_over.len(),
                named: named.map(|path| path.display().to_string()).collect(),
            });
        }
        let same = self.images.chunk_by(|a, b| a.digest == b.digest);
        let duplicates: Vec<&[DecodedImage]> = same.filter(|same| same.len() > 1).collect();
        if !duplicates.is_empty() {
            let named = duplicates.iter().take(NAMED).map(|same| {
                let names = same.iter().take(NAMED).map(|image| listing.name(image.entry));
                names.collect::<Vec<_>>().join(" = ")
            });
            findings.push(DataFinding::Duplicates {
                images: duplicates.iter().map(|same| same.len() - 1).sum(),
                named: named.collect(),
            });
        }
        findings
    }
}
