//! Collects pixels one after another, which may become more than fit into memory.

use super::index::Index;
use super::kept::Cache;
use super::writer::{Publish, Writer};
use crate::data::DataError;
use crate::data::pixels::Pixels;
use crate::data::store::Store;

/// Bytes that are buffered in any case, so that small sets touch no disk and large ones are written in large pieces.
const HELD_MAX: u64 = 16 << 20;

/// Collects pixels: in memory while they are few, otherwise in a temporary file.
#[derive(Debug)]
pub struct Spool {
    cache: Option<Cache>,
    memory: u64,
    held: Vec<u8>,
    writer: Option<Writer>,
}

impl Spool {
    /// An empty spool.
    pub fn new(store: &Store) -> Self {
        let cache = store.cache().ok().flatten();
        Self { cache, memory: store.memory, held: Vec::new(), writer: None }
    }

    /// Appends pixels.
    ///
    /// # Errors
    /// If neither memory nor the disk has room for them.
    pub fn extend(&mut self, pixels: &[u8]) -> Result<(), DataError> {
        self.held.extend_from_slice(pixels);
        let held = self.held.len() as u64;
        match &self.cache {
            Some(_) if held > HELD_MAX.min(self.memory / 4).max(1 << 16) => self.write_held(),
            None if held > self.memory => Err(Store::too_large(held, self.memory)),
            _ => Ok(()),
        }
    }

    fn write_held(&mut self) -> Result<(), DataError> {
        let writer = match (&mut self.writer, &self.cache) {
            (Some(writer), _) => writer,
            (none, Some(cache)) => none.insert(Writer::begin(cache, self.held.len() as u64)?),
            (None, None) => return Ok(()),
        };
        writer.write(&self.held)?;
        self.held.clear();
        Ok(())
    }

    /// All pixels that were collected.
    ///
    /// # Errors
    /// If the disk refuses it.
    pub fn finish(mut self) -> Result<Pixels, DataError> {
        if self.writer.is_some() {
            self.write_held()?;
        }
        match self.writer {
            Some(writer) => Ok(Pixels::Mapped(writer.finish(Index::default(), Publish::No)?)),
            None => Ok(self.held.into()),
        }
    }
}
