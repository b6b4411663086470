//! The index that follows the pixels in a cache file: which images they are, and hashes that verify them.
//!
//! ```text
//! 4096 bytes    a line that says what the file is
//! pixels        [images, channels, height, width]
//! index         a line of JSON, then entries, images and hashes of blocks, of fixed length each
//! 8 bytes       length of the index
//! 32 bytes      SHA-256 of the index and its length
//! ```

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// Increased whenever decoding the same files would give other pixels, or the format changes.
pub const VERSION: u32 = 2;

/// Bytes that share one hash.
pub const BLOCK_LEN: usize = 1 << 20;

/// Identifies the files that were decoded; computed by [`fingerprint`](super::fingerprint).
pub type Fingerprint = String;

/// Length of a memory page; pixels begin at the start of one.
pub const PAGE: usize = 4096;

/// Bytes after the index.
const TRAILER_LEN: usize = 8 + 32;

/// Facts about all images together.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// The version of the format.
    pub version: u32,
    /// The files that were decoded.
    pub fingerprint: Fingerprint,
    /// `[channels, height, width]` of an image.
    pub shape: [usize; 3],
    /// Names of the classes, by label.
    pub classes: Vec<String>,
    /// Images that could not be read, by their index in the listing, each with what is wrong.
    pub unreadable: Vec<(usize, String)>,
    /// Folders and files without classes, with how many images they have.
    pub unlabelled: Vec<(String, usize)>,
    /// Length of [`Index::entries`].
    pub entries: usize,
    /// Length of [`Index::images`].
    pub images: usize,
}

/// An image that was decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Item {
    /// Identifies the original picture.
    pub digest: [u8; 32],
    /// Its index in the listing.
    pub entry: u32,
}

/// Which images the pixels belong to, and their hashes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Index {
    /// Facts about all images together.
    pub head: Head,
    /// Class of each image of the listing, and the split that it is given to.
    pub entries: Vec<(u16, u8)>,
    /// The images, in the order of their pixels.
    pub images: Vec<Item>,
    /// SHA-256 of each block of pixels.
    pub blocks: Vec<[u8; 32]>,
}

impl Index {
    /// Bytes of all pixels.
    pub fn pixels_len(&self) -> Option<usize> {
        let [channels, height, width] = self.head.shape;
        let image = channels.checked_mul(height)?.checked_mul(width)?;
        image.checked_mul(self.head.images)
    }

    /// The bytes that follow the pixels.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = serde_json::to_vec(&self.head).unwrap_or_default();
        bytes.push(b'\n');
        for (label, given) in &self.entries {
            bytes.extend(label.to_le_bytes());
            bytes.push(*given);
        }
        for image in &self.images {
            bytes.extend(image.digest);
            bytes.extend(image.entry.to_le_bytes());
        }
        for block in &self.blocks {
            bytes.extend(block);
        }
        let len = (bytes.len() as u64).to_le_bytes();
        bytes.extend(len);
        let hash = Sha256::digest(&bytes);
        bytes.extend(hash);
        bytes
    }
}

/// The index of a complete cache file; `None` if it is not one, or was changed since it was written.
pub fn read_index(file: &[u8]) -> Option<Index> {
    let (rest, hash) = file.split_at_checked(file.len().checked_sub(32)?)?;
    let (rest, len) = rest.split_at_checked(rest.len().checked_sub(TRAILER_LEN - 32)?)?;
    let len = usize::try_from(u64::from_le_bytes(len.try_into().ok()?)).ok()?;
    let start = rest.len().checked_sub(len)?;
    let hashed = file.get(start..file.len() - 32)?;
    if Sha256::digest(hashed)[..] != *hash {
        return None;
    }
    let index = parse(rest.get(start..)?)?;
    (start == PAGE.checked_add(index.pixels_len()?)?).then_some(index)
}

fn parse(bytes: &[u8]) -> Option<Index> {
    let end = bytes.iter().position(|&byte| byte == b'\n')?;
    let head: Head = serde_json::from_slice(&bytes[..end]).ok()?;
    let rest = &bytes[end + 1..];
    let (entries, rest) = rest.split_at_checked(head.entries.checked_mul(3)?)?;
    let (images, blocks) = rest.split_at_checked(head.images.checked_mul(36)?)?;
    let mut index = Index { head, ..Index::default() };
    let entry = |bytes: &[u8]| (u16::from_le_bytes([bytes[0], bytes[1]]), bytes[2]);
    index.entries = entries.chunks_exact(3).map(entry).collect();
    for image in images.chunks_exact(36) {
        let (digest, entry) = image.split_at(32);
        let entry = u32::from_le_bytes(entry.try_into().ok()?);
        index.images.push(Item { digest: digest.try_into().ok()?, entry });
        if entry as usize >= index.entries.len() {
            return None;
        }
    }
    let wanted = index.pixels_len()?.div_ceil(BLOCK_LEN);
    if blocks.len() != wanted * 32 {
        return None;
    }
    index.blocks = blocks.chunks_exact(32).filter_map(|hash| hash.try_into().ok()).collect();
    Some(index)
}
