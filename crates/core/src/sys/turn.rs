//! Turns that processes share: each is the lock of a file, so that it ends with the process that has it.

use std::fs::{File, TryLockError};
use std::path::Path;

/// Environment variable for `burgeon retrain` with the number of turns, a space and their folder.
pub const TURNS_VARIABLE: &str = "BURGEON_TURNS";

/// A turn, until it is dropped.
#[derive(Debug)]
pub struct Turn {
    _file: File,
}

impl Turn {
    /// Takes one of the turns of a folder; `None` if others have them all.
    ///
    /// # Errors
    ///
    /// If a file cannot be opened or locked.
    pub fn take(folder: &Path, turns: usize) -> std::io::Result<Option<Self>> {
        std::fs::create_dir_all(folder)?;
        for number in 0..turns {
            let path = folder.join(number.to_string());
            let file = File::options().create(true).truncate(false).write(true).open(path)?;
            match file.try_lock() {
                Ok(()) => return Ok(Some(Self { _file: file })),
                Err(TryLockError::WouldBlock) => {}
                Err(TryLockError::Error(error)) => return Err(error),
            }
        }
        Ok(None)
    }
}
