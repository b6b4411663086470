//! Reads IDX files, plain or gzipped, and verifies everything that their headers declare.
//!
//! The format (LeCun, Cortes and Burges, "The MNIST database of handwritten digits"): two zero bytes, the element type
//! (8 for unsigned bytes), the number of dimensions, each dimension as a big-endian `u32`, then the elements.
//!
//! Images that exceed the memory for them are written to a temporary file as they are read, and mapped.
//!
//! Invariant: no more memory is allocated than the file on disk can fill, and no element is returned before the counts,
//! the length, gzip's checksum and the expected hash have been verified.

use std::fs::File;
use std::io::{self, BufRead, BufReader, ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use burgeon_pixels::planes;
use flate2::bufread::MultiGzDecoder;
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::cache::Spool;
use super::pixels::Pixels;
use super::{DataError, Store};

/// The content of an IDX image file.
#[derive(Debug, Clone)]
pub struct IdxImages {
    /// `[count, channels, height, width]`.
    pub pixels: Pixels,
    /// Number of images.
    pub count: usize,
    /// 1 for grey images, which have three dimensions in the file; 3 for colour images, which have four.
    pub channels: usize,
    /// Rows of an image.
    pub height: usize,
    /// Columns of an image.
    pub width: usize,
    /// What was read.
    pub file: FileDigest,
}

/// The content of an IDX label file.
#[derive(Debug, Clone)]
pub struct IdxLabels {
    /// `[count]`.
    pub labels: Arc<[u8]>,
    /// What was read.
    pub file: FileDigest,
}

/// A file that was read, and the hash of its content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FileDigest {
    /// Its path.
    pub path: PathBuf,
    /// Length of the content after decompression.
    pub bytes: u64,
    /// SHA-256 of the content after decompression, in hex.
    pub sha256: String,
}

/// Requirements on a file besides being well-formed.
#[derive(Debug, Clone, Copy)]
pub struct Checks<'a> {
    /// SHA-256 that the inflated content must have, in lower-case hex.
    pub sha256: Option<&'a str>,
    /// Largest inflated content that is read at all.
    pub bytes_max: u64,
}

impl Default for Checks<'_> {
    /// No particular content, at most 4 GiB.
    fn default() -> Self {
        Self { sha256: None, bytes_max: 4 << 30 }
    }
}

/// The memory that the images of several files may use together.
#[derive(Debug)]
pub struct Room<'a> {
    store: &'a Store,
    left: AtomicU64,
}

impl<'a> Room<'a> {
    /// As much as the store allows.
    pub fn of(store: &'a Store) -> Self {
        Self { store, left: AtomicU64::new(store.memory) }
    }

    /// Takes so much of it, if there is so much left.
    fn take(&self, bytes: u64) -> bool {
        let take = |left: u64| left.checked_sub(bytes);
        self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_ok()
    }
}

/// Longest side of an image. A larger one is more likely a wrong header than a real data set.
pub const SIDE_MAX: usize = 4096;

/// Deflate cannot shrink further than this: two bits code at most 258 bytes.
const DEFLATE_RATIO_MAX: u64 = 1032;

/// Bytes that are hashed at a time, few enough to be still in the processor's cache after decoding.
const CHUNK_LEN: usize = 1 << 16;

/// Reads an image file: unsigned bytes in three dimensions, or in four, of which the second or the last are 1 or 3
/// channels.
///
/// # Errors
/// If the file cannot be read, is not such a file, is shorter or longer than its header says, or fails `checks`.
pub fn read_images(path: &Path, checks: Checks<'_>) -> Result<IdxImages, DataError> {
    read_images_within(path, checks, &Room::of(&Store::memory_alone()))
}

/// As [`read_images`]; images for which there is no room go into a file that is mapped.
///
/// # Errors
/// As [`read_images`], or if that file cannot be written.
pub fn read_images_within(
    path: &Path,
    checks: Checks<'_>,
    room: &Room<'_>,
) -> Result<IdxImages, DataError> {
    images(path, read(path, IMAGES, checks, room)?)
}

/// Reads a label file: unsigned bytes in one dimension.
///
/// # Errors
/// As [`read_images`].
pub fn read_labels(path: &Path, checks: Checks<'_>) -> Result<IdxLabels, DataError> {
    labels(read(path, LABELS, checks, &Room::of(&Store::memory_alone()))?)
}

/// Reads an image file's bytes, plain or gzipped, that are already in memory; `path` names them in errors.
///
/// # Errors
/// As [`read_images`].
pub fn parse_images(path: &Path, bytes: &[u8], checks: Checks<'_>) -> Result<IdxImages, DataError> {
    let (store, stored) = (Store::memory_alone(), bytes.len() as u64);
    images(path, read_stream(path, IMAGES, bytes, stored, checks, &Room::of(&store))?)
}

/// Reads a label file's bytes, plain or gzipped, that are already in memory; `path` names them in errors.
///
/// # Errors
/// As [`read_images`].
pub fn parse_labels(path: &Path, bytes: &[u8], checks: Checks<'_>) -> Result<IdxLabels, DataError> {
    let (store, stored) = (Store::memory_alone(), bytes.len() as u64);
    labels(read_stream(path, LABELS, bytes, stored, checks, &Room::of(&store))?)
}

/// The content of a file.
struct Content {
    dims: Vec<usize>,
    elements: Elements,
    file: FileDigest,
}

enum Elements {
    /// As they are in the file.
    Read(Arc<[u8]>),
    /// Images in a mapped file, channel by channel.
    Spooled(Pixels),
}

/// Numbers of dimensions that a file of images may have.
const IMAGES: &[usize] = &[3, 4];

/// Labels have one dimension.
const LABELS: &[usize] = &[1];

/// The shape of a file's images.
struct Shape {
    count: usize,
    channels: usize,
    height: usize,
    width: usize,
    /// Whether the channels of each pixel stand together.
    is_interleaved: bool,
}

impl Shape {
    fn of(path: &Path, dims: &[usize]) -> Result<Self, DataError> {
        let (is_interleaved, [count, channels, height, width]) = match *dims {
            [count, height, width] => (false, [count, 1, height, width]),
            [count, height, width, channels @ (1 | 3)] => {
                (channels > 1, [count, channels, height, width])
            }
            [count, channels @ (1 | 3), height, width] => (false, [count, channels, height, width]),
            _ => {
                let problem = format!(
                    "its header declares the dimensions {dims:?}; images have [count, height, width], with 1 or 3 channels in the second or last place"
                );
                return Err(DataError::malformed(path, problem));
            }
        };
        Ok(Self { count, channels, height, width, is_interleaved })
    }

    fn image_len(&self) -> usize {
        self.channels * self.height * self.width
    }
}

fn images(path: &Path, content: Content) -> Result<IdxImages, DataError> {
    let Content { dims, elements, file } = content;
    let shape = Shape::of(path, &dims)?;
    let pixels = match elements {
        Elements::Spooled(pixels) => pixels,
        Elements::Read(pixels) if shape.is_interleaved => {
            let images = pixels.chunks_exact(shape.image_len());
            Pixels::Memory(images.flat_map(|image| planes(image, shape.channels)).collect())
        }
        Elements::Read(pixels) => Pixels::Memory(pixels),
    };
    let Shape { count, channels, height, width, .. } = shape;
    Ok(IdxImages { pixels, count, channels, height, width, file })
}

fn labels(content: Content) -> Result<IdxLabels, DataError> {
    let labels = match content.elements {
        Elements::Read(labels) => labels,
        Elements::Spooled(labels) => labels.iter().copied().collect(),
    };
    Ok(IdxLabels { labels, file: content.file })
}

fn read(
    path: &Path,
    ranks: &[usize],
    checks: Checks<'_>,
    room: &Room<'_>,
) -> Result<Content, DataError> {
    let file = File::open(path).map_err(DataError::read(path))?;
    let metadata = file.metadata().map_err(DataError::read(path))?;
    if !metadata.is_file() {
        return Err(DataError::malformed(path, "not a regular file"));
    }
    let stream = BufReader::with_capacity(CHUNK_LEN, file);
    read_stream(path, ranks, stream, metadata.len(), checks, room)
}

/// `stored` is the stream's own length, before inflating.
fn read_stream<R: BufRead>(
    path: &Path,
    ranks: &[usize],
    mut stream: R,
    stored: u64,
    checks: Checks<'_>,
    room: &Room<'_>,
) -> Result<Content, DataError> {
    let gzipped = stream.fill_buf().map_err(DataError::read(path))?.starts_with(&[0x1f, 0x8b]);
    if gzipped {
        let available = stored.saturating_mul(DEFLATE_RATIO_MAX);
        Decoder { path, stream: MultiGzDecoder::new(stream), hash: Sha256::new() }
            .decode(ranks, available, checks, room)
    } else {
        Decoder { path, stream, hash: Sha256::new() }.decode(ranks, stored, checks, room)
    }
}

struct Decoder<'a, R> {
    path: &'a Path,
    stream: R,
    hash: Sha256,
}

impl<R: Read> Decoder<'_, R> {
    /// `available` bounds the length of the content from above.
    fn decode(
        mut self,
        ranks: &[usize],
        available: u64,
        checks: Checks<'_>,
        room: &Room<'_>,
    ) -> Result<Content, DataError> {
        let (dims, header_len) = self.header(ranks)?;
        let payload = self.payload_len(&dims)?;
        let bytes = header_len + payload;
        if bytes > checks.bytes_max {
            return self.refuse(format!(
                "its header declares {bytes} bytes, more than the limit of {}",
                checks.bytes_max
            ));
        }
        if bytes > available {
            return self.refuse(format!(
                "its header declares {bytes} bytes, but the file is too short to hold them"
            ));
        }
        let elements = match room.take(payload) {
            true => Elements::Read(self.whole(payload, bytes)?),
            false => Elements::Spooled(self.spooled(&dims, bytes, room.store)?),
        };
        self.expect_end(bytes)?;
        let file = self.verify(bytes, checks)?;
        Ok(Content { dims, elements, file })
    }

    fn whole(&mut self, payload: u64, bytes: u64) -> Result<Arc<[u8]>, DataError> {
        // Allocated once at its final size, so that large files are never in memory twice.
        let mut content: Arc<[u8]> = std::iter::repeat_n(0, payload as usize).collect();
        if let Some(content) = Arc::get_mut(&mut content) {
            self.fill(content, bytes)?;
        }
        Ok(content)
    }

    /// Images, channel by channel, in a file that is mapped.
    fn spooled(&mut self, dims: &[usize], bytes: u64, store: &Store) -> Result<Pixels, DataError> {
        let shape = Shape::of(self.path, dims)?;
        let len = shape.image_len();
        let mut spool = Spool::new(store);
        let mut block = vec![0; len * (CHUNK_LEN / len).max(1)];
        let mut left = shape.count * len;
        while left > 0 {
            let block = {
                let now = left.min(block.len());
                &mut block[..now]
            };
            self.fill(block, bytes)?;
            left -= block.len();
            match shape.is_interleaved {
                false => spool.extend(block)?,
                true => block
                    .chunks_exact(len)
                    .try_for_each(|image| spool.extend(&planes(image, shape.channels)))?,
            }
        }
        spool.finish()
    }

    fn header(&mut self, ranks: &[usize]) -> Result<(Vec<usize>, u64), DataError> {
        let mut magic = [0; 4];
        self.fill_header(&mut magic)?;
        let (kind, rank) = (magic[2], usize::from(magic[3]));
        if magic[..2] != [0, 0] || kind != 8 || !ranks.contains(&rank) {
            let wanted = if ranks == IMAGES {
                "an IDX image file starts with 00000803 (or 00000804, in colour)"
            } else {
                "an IDX label file starts with 00000801"
            };
            let found: String = magic.iter().map(|byte| format!("{byte:02x}")).collect();
            return self.refuse(format!("starts with the bytes {found}, but {wanted}"));
        }
        let mut dims = vec![0; rank];
        for dim in &mut dims {
            let mut word = [0; 4];
            self.fill_header(&mut word)?;
            *dim = u32::from_be_bytes(word) as usize;
        }
        Ok((dims, 4 + 4 * rank as u64))
    }

    fn payload_len(&self, dims: &[usize]) -> Result<u64, DataError> {
        if dims[0] == 0 {
            return self.refuse("its header declares 0 items; at least 1 is needed");
        }
        if let Some(side) = dims[1..].iter().find(|side| !(1..=SIDE_MAX).contains(*side)) {
            return self.refuse(format!(
                "its header declares images {side} pixels wide or high; 1 to {SIDE_MAX} are supported"
            ));
        }
        // At most 2^32 × 2^12 × 2^12, which fits; a fourth dimension is a few channels, or is refused.
        if dims.len() == 4 && ![dims[1], dims[3]].iter().any(|side| [1, 3].contains(side)) {
            return self.refuse(format!(
                "its header declares the dimensions {dims:?}; the second or the last of four are 1 or 3 channels"
            ));
        }
        Ok(dims.iter().map(|&dim| dim as u64).product())
    }

    fn fill_header(&mut self, bytes: &mut [u8]) -> Result<(), DataError> {
        let result = self.stream.read_exact(bytes);
        result.map_err(|error| self.stream_error(error, "ends within the IDX header"))?;
        self.hash.update(&bytes);
        Ok(())
    }

    fn fill(&mut self, content: &mut [u8], promised: u64) -> Result<(), DataError> {
        for chunk in content.chunks_mut(CHUNK_LEN) {
            let result = self.stream.read_exact(chunk);
            result.map_err(|error| {
                self.stream_error(
                    error,
                    &format!("ends before the {promised} bytes that its header declares"),
                )
            })?;
            self.hash.update(&chunk);
        }
        Ok(())
    }

    /// Reading to the very end also makes the gzip decoder compare its checksum.
    fn expect_end(&mut self, promised: u64) -> Result<(), DataError> {
        let mut byte = [0];
        loop {
            match self.stream.read(&mut byte) {
                Ok(0) => return Ok(()),
                Ok(_) => {
                    return self.refuse(format!(
                        "continues after the {promised} bytes that its header declares"
                    ));
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(self.stream_error(error, "ends within the gzip checksum")),
            }
        }
    }

    fn verify(self, bytes: u64, checks: Checks<'_>) -> Result<FileDigest, DataError> {
        let sha256 = hex::encode(self.hash.finalize());
        match checks.sha256 {
            Some(expected) if expected != sha256 => Err(DataError::WrongContent {
                path: self.path.to_owned(),
                expected: expected.to_owned(),
                actual: sha256,
            }),
            _ => Ok(FileDigest { path: self.path.to_owned(), bytes, sha256 }),
        }
    }

    fn stream_error(&self, error: io::Error, when_short: &str) -> DataError {
        match error.kind() {
            ErrorKind::UnexpectedEof => DataError::malformed(self.path, when_short),
            ErrorKind::InvalidInput | ErrorKind::InvalidData => {
                DataError::malformed(self.path, format!("its gzip stream is corrupt ({error})"))
            }
            _ => DataError::read(self.path)(error),
        }
    }

    fn refuse<T>(&self, problem: impl Into<String>) -> Result<T, DataError> {
        Err(DataError::malformed(self.path, problem))
    }
}

#[cfg(test)]
mod tests;
