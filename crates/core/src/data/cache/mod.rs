//! Decoded images on disk, so that they are decoded once and need not fit into memory.
//!
//! ```text
//! framed ── writer ── .tmp-…       a block at a time, hashed as it is written
//!              └── index           what the images are, and the hashes; then fsync and rename
//!                    └── open      everything is verified before a pixel is used; then it is mapped
//! ```
//!
//! Invariant: a file under its final name is complete, and is never written to again. One that is torn, damaged or made
//! from other files fails a check and is made again.

mod index;
mod kept;
mod spool;
mod writer;

pub use self::index::{Fingerprint, Head, Index, Item};
pub use self::kept::{Cache, default_folder, fingerprint};
pub use self::spool::Spool;
pub use self::writer::{Publish, Writer};
