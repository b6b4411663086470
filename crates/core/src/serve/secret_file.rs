//! Tokens and secrets in files: reread when the file changes, and compared in constant time.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use ring::hmac;

use crate::notify::Secret;

/// A file whose first line is a secret.
#[derive(Debug)]
pub(super) struct SecretFile {
    path: PathBuf,
    what: &'static str,
    read: Mutex<Option<(Stamp, Secret)>>,
}

/// What changes when a file is written or replaced.
type Stamp = [i64; 5];

impl SecretFile {
    /// A file; `what` describes it in messages.
    pub(super) fn new(path: &Path, what: &'static str) -> Self {
        Self { path: path.into(), what, read: Mutex::new(None) }
    }

    /// The current secret in the file.
    ///
    /// # Errors
    ///
    /// The reason as a sentence, without the secret.
    pub(super) fn current(&self) -> Result<Secret, String> {
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        let stamp = stamp(&self.path);
        if let (Some(stamp), Some((of, secret))) = (stamp, &*read)
            && *of == stamp
        {
            return Ok(secret.clone());
        }
        *read = None;
        let secret = Secret::read(&self.path, self.what)?;
        *read = stamp.map(|stamp| (stamp, secret.clone()));
        Ok(secret)
    }

    /// The secret; if it cannot be read, `None` and a line in the log.
    pub(super) fn current_or_logged(&self) -> Option<Secret> {
        self.current()
            .inspect_err(|why| {
                tracing::error!(why, "cannot read a secret; requests that need it are refused")
            })
            .ok()
    }
}

fn stamp(path: &Path) -> Option<Stamp> {
    let found = std::fs::metadata(path).ok()?;
    Some([
        found.ino() as i64,
        found.size() as i64,
        found.mtime(),
        found.mtime_nsec(),
        found.ctime_nsec(),
    ])
}

/// Whether two texts are equal, in a time that does not reveal where they differ.
pub(super) fn is_same(given: &[u8], expected: &[u8]) -> bool {
    // ring compares tags in constant time, and all tags have the same length. The key need not be secret.
    let key = hmac::Key::new(hmac::HMAC_SHA256, b"burgeon compares");
    hmac::verify(&key, given, hmac::sign(&key, expected).as_ref()).is_ok()
}

#[cfg(test)]
mod tests;
