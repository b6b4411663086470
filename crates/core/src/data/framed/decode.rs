//! Decodes every image of a source, on every core, and names those that cannot be read.

use std::collections::BTreeMap;

use burgeon_pixels::{CHANNELS_MAX, Frame, GREY_BACKGROUND, Picture, PictureError};
use rayon::prelude::*;
use sha2::{Digest, Sha256};

use super::listing::{Content, Entry, Listing};
use super::room::MemoryBudget;
use crate::data::cache::{Fingerprint, Head, Index, Item, Publish, Writer};
use crate::data::pixels::{MappedPixels, Pixels};
use crate::data::{DataError, Progress, Store};
use crate::record::DataFinding;
use crate::sys::error_chain;
use crate::sys::signals::StopFlag;
use crate::sys::spread::run_in_pool;

/// Images that were decoded, in canonical order: by content, then by class.
#[derive(Debug)]
pub struct Decoded {
    /// `[count, channels, height, width]`, in the order of the listing.
    pub pixels: Pixels,
    /// `[channels, height, width]` of an image.
    pub shape: [usize; 3],
    /// One for each image.
    pub images: Vec<DecodedImage>,
    unreadable: Vec<(usize, String)>,
}

/// One decoded image.
#[derive(Debug, Clone, Copy)]
pub struct DecodedImage {
    /// Identifies the picture as it was before it was resized, so that splits do not depend on the size.
    pub digest: [u8; 32],
    /// Its index in the listing.
    pub entry: usize,
    /// Its index among the pixels.
    pub at: u32,
}

/// Most images between two calls of `progress`.
const BLOCK_LEN: usize = 512;

/// Names that a message or a finding lists.
const NAMED: usize = 10;

/// How images are decoded.
#[derive(Debug, Clone, Copy)]
pub struct Decoding<'a> {
    /// The shape that they are brought to.
    pub frame: Frame,
    /// Whether those that cannot be read are left out.
    pub skip_unreadable: bool,
    /// Most bytes held at a time.
    pub memory: u64,
    /// Once it is set, decoding ends.
    pub stop: &'a StopFlag,
}

/// Where decoded pixels go.
pub enum Sink<'a> {
    /// Into memory.
    Memory(Vec<u8>),
    /// Into a cache file, with the name under which it is published.
    File(Box<Writer>, &'a str),
}

/// The result of decoding all images of a listing.
struct Outcome {
    images: Vec<Item>,
    unreadable: Vec<(usize, String)>,
    /// Whether the system failed to read some file, which may be temporary.
    has_read_errors: bool,
}

impl Decoding<'_> {
    /// Decodes all images of a listing into a sink. `unchanged` says in the end whether the files are still those that
    /// were listed; only then is the cache file published, with this fingerprint.
    ///
    /// # Errors
    /// If some images cannot be read and are not to be skipped, the sink fails, or a stop is requested.
    pub fn run(
        self,
        listing: &Listing,
        mut sink: Sink<'_>,
        fingerprint: &Fingerprint,
        unchanged: &dyn Fn() -> bool,
        progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<Decoded, DataError> {
        let shape = self.frame.shape();
        let outcome = self.decode_all(listing, &mut sink, progress)?;
        if !outcome.unreadable.is_empty() && !self.skip_unreadable {
            return Err(unreadable(&outcome.unreadable, listing));
        }
        let pixels = match sink {
            Sink::Memory(pixels) => pixels.into(),
            Sink::File(writer, name) => {
                let is_temporary = outcome.has_read_errors || !unchanged();
                let publish = if is_temporary { Publish::No } else { Publish::As(name) };
                let entry = |entry: &Entry| (entry.label, entry.given as u8);
                let index = Index {
                    head: Head {
                        fingerprint: fingerprint.clone(),
                        shape,
                        classes: listing.classes.clone(),
                        unreadable: outcome.unreadable.clone(),
                        unlabelled: listing.unlabelled.clone(),
                        ..Head::default()
                    },
                    entries: listing.entries.iter().map(entry).collect(),
                    images: outcome.images.clone(),
                    blocks: Vec::new(),
                };
                Pixels::Mapped(writer.finish(index, publish)?)
            }
        };
        Ok(Decoded::new(pixels, shape, &outcome.images, outcome.unreadable, listing))
    }

    fn decode_all(
        &self,
        listing: &Listing,
        sink: &mut Sink<'_>,
        progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<Outcome, DataError> {
        let total = listing.entries.len();
        let image_len: usize = self.frame.shape().iter().product();
        // Two blocks are held, one that is decoded and one that is written; the rest is for decoders.
        let block_len = (self.memory / 16) as usize / image_len.max(1);
        let block_len = block_len.clamp(1, BLOCK_LEN);
        let room = MemoryBudget::of(self.memory / 2);
        let mut outcome =
            Outcome { images: Vec::new(), unreadable: Vec::new(), has_read_errors: false };
        let reports_progress = matches!(listing.content, Content::Files(_));
        let decode_one = |entry| -> Result<(Vec<u8>, [u8; 32]), PictureError> {
            let (picture, _place) =
                listing.picture(entry, Some(self.frame.decode_size()), &room)?;
            Ok((self.frame.take(&picture, false), digest(&picture)))
        };
        let mut full: Vec<Vec<u8>> = Vec::new();
        for start in (0..total).step_by(block_len) {
            if self.stop.requested().is_some() {
                return Err(DataError::Stopped);
            }
            let block = start..(start + block_len).min(total);
            let done = block.end;
            // The disk writes one block while the next one is decoded.
            let (written, decoded): (_, Vec<_>) = run_in_pool(|| {
                rayon::join(
                    || full.drain(..).try_for_each(|image| sink.write(&image)),
                    || block.clone().into_par_iter().map(decode_one).collect(),
                )
            });
            written?;
            for (entry, image) in block.zip(decoded) {
                match image {
                    Ok((image, digest)) => {
                        full.push(image);
                        outcome.images.push(Item { digest, entry: entry as u32 });
                    }
                    Err(error) => {
                        outcome.has_read_errors |= matches!(error, PictureError::Read(_));
                        outcome.unreadable.push((entry, error_chain(&error)));
                    }
                }
            }
            if reports_progress {
                progress(Progress::Reading { done, total });
            }
        }
        full.drain(..).try_for_each(|image| sink.write(&image))?;
        Ok(outcome)
    }
}

impl Sink<'_> {
    /// Reserves memory for `count` images of `image_len` bytes.
    ///
    /// # Errors
    /// If they need more than `most` bytes, or the memory is not available.
    pub fn memory(count: usize, image_len: usize, most: u64) -> Result<Self, DataError> {
        let bytes = count.saturating_mul(image_len);
        let mut pixels = Vec::new();
        if bytes as u64 > most || pixels.try_reserve_exact(bytes).is_err() {
            return Err(Store::too_large(bytes as u64, most));
        }
        Ok(Self::Memory(pixels))
    }

    fn write(&mut self, image: &[u8]) -> Result<(), DataError> {
        match self {
            Self::Memory(pixels) => {
                pixels.extend_from_slice(image);
                Ok(())
            }
            Self::File(writer, _) => writer.write(image),
        }
    }
}

fn unreadable(unreadable: &[(usize, String)], listing: &Listing) -> DataError {
    DataError::Unreadable {
        dir: listing.root.clone(),
        files: unreadable.len(),
        named: named(unreadable, listing),
    }
}

fn named(unreadable: &[(usize, String)], listing: &Listing) -> Vec<String> {
    let named = unreadable.iter().take(NAMED);
    named.map(|(entry, why)| format!("{}: {why}", listing.name(*entry))).collect()
}

/// SHA-256 over the coefficients of a JPEG picture, most of whose pixels are never computed if it is large; of other
/// pictures over their size and colour pixels. So a JPEG picture never counts as a copy of a file of another format.
fn digest(picture: &Picture) -> [u8; 32] {
    picture.digest().unwrap_or_else(|| {
        let (height, width) = picture.size();
        let mut hash = Sha256::new();
        hash.update((height as u64).to_le_bytes());
        hash.update((width as u64).to_le_bytes());
        hash.update(picture.interleaved(CHANNELS_MAX, GREY_BACKGROUND));
        hash.finalize().into()
    })
}

impl Decoded {
    fn new(
        pixels: Pixels,
        shape: [usize; 3],
        items: &[Item],
        unreadable: Vec<(usize, String)>,
        listing: &Listing,
    ) -> Self {
        let image = |(at, item): (usize, &Item)| DecodedImage {
            digest: item.digest,
            entry: item.entry as usize,
            at: at as u32,
        };
        let mut images: Vec<DecodedImage> = items.iter().enumerate().map(image).collect();
        images.sort_by_key(|image| {
            let entry = listing.entries[image.entry];
            // Images that are equal in all of this are interchangeable, but for their names.
            (image.digest, entry.label, entry.given, image.entry)
        });
        Self { pixels, shape, images, unreadable }
    }

    /// The images in a cache file; `None` if they do not belong to this listing.
    ///
    /// # Errors
    /// If some images cannot be read and are not to be skipped.
    pub fn cached(
        (index, pixels): (Index, MappedPixels),
        frame: Frame,
        skip_unreadable: bool,
        listing: &Listing,
    ) -> Result<Option<Self>, DataError> {
        let is_same = |(entry, (label, given)): (&Entry, &(u16, u8))| {
            entry.label == *label && entry.given as u8 == *given
        };
        let are_same = index.entries.len() == listing.entries.len()
            && listing.entries.iter().zip(&index.entries).all(is_same);
        if !are_same || index.head.shape != frame.shape() || index.head.classes != listing.classes {
            return Ok(None);
        }
        let unreadable_images = index.head.unreadable;
        if unreadable_images.iter().any(|(entry, _)| *entry >= listing.entries.len()) {
            return Ok(None);
        }
        if !unreadable_images.is_empty() && !skip_unreadable {
            return Err(unreadable(&unreadable_images, listing));
        }
        let pixels = Pixels::Mapped(pixels);
        Ok(Some(Self::new(pixels, frame.shape(), &index.images, unreadable_images, listing)))
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

    /// Findings about the files: those that cannot be read, that are not pictures, and that are copies of others.
    pub fn findings(&self, listing: &Listing) -> Vec<DataFinding> {
        let mut findings = Vec::new();
        if !self.unreadable.is_empty() {
            let (files, named) = (self.unreadable.len(), named(&self.unreadable, listing));
            findings.push(DataFinding::Unreadable { files, named });
        }
        if !listing.skipped.is_empty() {
            let named = listing.skipped.iter().take(NAMED);
            findings.push(DataFinding::NoPictures {
                files: listing.skipped.len(),
                named: named.map(|path| path.display().to_string()).collect(),
            });
        }
        findings.extend(
            listing.unlabelled.iter().map(|(name, images)| DataFinding::Unlabelled {
                name: name.clone(),
                images: *images,
            }),
        );
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
