//! The pixels of a set of images, in memory or in a mapped file.

use std::ops::Deref;
use std::sync::Arc;

use crate::sys::mapped::MappedFile;

/// Pixels, cheap to clone.
#[derive(Debug, Clone)]
pub enum Pixels {
    /// In memory.
    Memory(Arc<[u8]>),
    /// A part of a file.
    Mapped(MappedPixels),
}

/// A part of a mapped file.
#[derive(Debug, Clone)]
pub struct MappedPixels {
    /// The file.
    pub file: Arc<MappedFile>,
    /// Where they begin.
    pub start: usize,
    /// How many there are.
    pub len: usize,
    /// Whether they exceed the memory limit, so that it pays to prefetch them.
    pub exceeds_memory: bool,
}

impl Pixels {
    /// Prefetches these bytes, if they are likely not to be in memory.
    pub fn will_need(&self, start: usize, len: usize) {
        if let Self::Mapped(mapped) = self
            && mapped.exceeds_memory
        {
            mapped.file.will_need(mapped.start + start, len);
        }
    }
}

impl Deref for Pixels {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Memory(pixels) => pixels,
            Self::Mapped(mapped) => &mapped.file[mapped.start..mapped.start + mapped.len],
        }
    }
}

impl From<Vec<u8>> for Pixels {
    fn from(pixels: Vec<u8>) -> Self {
        Self::Memory(pixels.into())
    }
}
