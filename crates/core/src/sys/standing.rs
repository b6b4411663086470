//! Who holds a run folder, for onlookers: nothing is locked for that, not even for a moment, so that any number of
//! them disturb no process that wants the folder.

use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

use super::holder::Holder;
use super::lock::LOCK_FILE;
use super::process::{Liveness, ProcessName};

/// Who holds a run folder, as far as the content of its lock tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// No process, or one that has ended.
    Free,
    /// A living process of this machine.
    Held(Holder),
    /// A process on another machine or in another container, which may have ended.
    Elsewhere(Holder),
}

/// Longest content of a lock that is read.
const LIMIT_BYTES: u64 = 16 << 10;

/// Reads who holds a run folder; `this` is the process that asks. A lock that cannot be read counts as free.
pub fn standing(folder: &Path, this: &ProcessName) -> Standing {
    let Some(holder) = holder(&folder.join(LOCK_FILE)) else { return Standing::Free };
    match this.liveness_of(&holder.process) {
        Liveness::Alive => Standing::Held(holder),
        Liveness::Dead(_) => Standing::Free,
        Liveness::Unknown => Standing::Elsewhere(holder),
    }
}

fn holder(path: &Path) -> Option<Holder> {
    // Opening a pipe would wait for its other end.
    if !fs::metadata(path).ok()?.is_file() {
        return None;
    }
    let mut text = Vec::new();
    File::open(path).ok()?.take(LIMIT_BYTES).read_to_end(&mut text).ok()?;
    serde_json::from_slice(&text).ok()
}

#[cfg(test)]
mod tests;
