//! Decoded images on disk, so that they are decoded once and need not fit into memory.
//!
//! ```text
//! framed ── writer ── .tmp-…       a block at a time, hashed as it is written
//!              └── index           what the images are, and the hashes; then fsync and rename
//!                    └── open      everything is checked before a pixel of it is believed; then it is mapped
//! ```
//!
//! Invariant: a file under its final name was written whole, and nothing writes to it again. What is torn, damaged or
//! of other files fails a check and is made anew.

mod index;
mod kept;
mod spool;
mod writer;

pub use self::index::{Fingerprint, Head, Index, Item};
pub use self::kept::{Cache, fingerprint, usual_folder};
pub use self::spool::Spool;
pub use self::writer::{Publish, Writer};
