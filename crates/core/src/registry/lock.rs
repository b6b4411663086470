//! The lock of a registry: one process writes at a time, and others wait for it.

use std::path::Path;
use std::sync::Arc;
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::error::RegistryError;
use crate::sys::files::Files;
use crate::sys::lock::{LockError, LockRequest, RunLock};

/// How long a writer waits for others. Each may copy a large model.
const PATIENCE: Duration = Duration::from_secs(60);
const RETRY: Duration = Duration::from_millis(10);

/// Locks a registry's folder; `command` names this process to others that wait.
pub(super) fn lock(
    files: &Arc<dyn Files>,
    folder: &Path,
    command: &str,
) -> Result<RunLock, RegistryError> {
    let request = LockRequest::new(command);
    let began = Instant::now();
    loop {
        match RunLock::acquire(files, folder, &request) {
            Err(LockError::Locked { .. }) if began.elapsed() < PATIENCE => sleep(RETRY),
            other => return Ok(other?),
        }
    }
}
