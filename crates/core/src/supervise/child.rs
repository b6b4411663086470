//! The trainer as a child process.

use std::cell::Cell;
use std::ffi::OsString;
use std::io;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

use rustix::process::{Pid, Signal, WaitOptions, kill_process_group, wait};

use super::error::SuperviseError;
use crate::sys::announce::{PARENT_VARIABLE, SUPERVISED_VARIABLE, SUPERVISOR_VARIABLE};

/// A trainer process that was started, and perhaps ended since.
#[derive(Debug)]
pub(super) struct Child {
    pid: Pid,
    ended: Cell<Option<ExitStatus>>,
}

impl Child {
    pub(super) fn start(
        program: &Path,
        args: &[OsString],
        announcement: &Path,
    ) -> io::Result<Self> {
        let mut command = Command::new(program);
        command
            .args(args)
            .env(SUPERVISED_VARIABLE, announcement)
            .env(SUPERVISOR_VARIABLE, std::process::id().to_string())
            .env_remove(PARENT_VARIABLE)
            .stdin(Stdio::null())
            // Its own process group, so that it receives Ctrl-C only once, from this process: a second
            // signal would end it at once.
            .process_group(0);
        let pid = Pid::from_child(&command.spawn()?);
        Ok(Self { pid, ended: Cell::new(None) })
    }

    pub(super) fn pid(&self) -> u32 {
        self.pid.as_raw_nonzero().get().cast_unsigned()
    }

    /// Sends a signal to the trainer and the processes that it started.
    pub(super) fn signal(&self, signal: Signal) {
        if self.ended.get().is_none() {
            // Only fails for a group that has just ended, which `reap` is about to find.
            let _ = kill_process_group(self.pid, signal);
        }
    }

    /// Reaps every child that ended; returns the trainer's status if it is one of them.
    pub(super) fn reap(&self) -> Option<ExitStatus> {
        while let Some((pid, status)) = reap_one() {
            if pid == self.pid {
                self.ended.set(Some(status));
            }
        }
        self.ended.get()
    }
}

/// Reaps adopted orphans that ended while no trainer runs.
pub(super) fn reap_orphans() {
    while reap_one().is_some() {}
}

fn reap_one() -> Option<(Pid, ExitStatus)> {
    let (pid, status) = wait(WaitOptions::NOHANG).ok().flatten()?;
    Some((pid, ExitStatus::from_raw(status.as_raw())))
}

/// Makes this process adopt orphaned processes of trainers, as process 1 of a container does anyway.
#[cfg(target_os = "linux")]
pub(super) fn adopt_orphans() {
    // A kernel without it gives orphans to process 1.
    let _ = rustix::process::set_child_subreaper(Some(rustix::process::getpid()));
}

#[cfg(not(target_os = "linux"))]
pub(super) fn adopt_orphans() {}

/// A file in which the trainer announces its run folder, in a folder that is removed when this value is
/// dropped.
#[derive(Debug)]
pub(super) struct AnnouncementFile {
    folder: PathBuf,
    file: PathBuf,
}

impl AnnouncementFile {
    pub(super) fn create() -> Result<Self, SuperviseError> {
        let path = std::env::temp_dir();
        let nanos = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |at| at.as_nanos());
        let folder = path.join(format!("burgeon-supervise-{}-{nanos}", std::process::id()));
        std::fs::create_dir(&folder)
            .map_err(|source| SuperviseError::Announcement { path, source })?;
        let file = folder.join("run-folder");
        Ok(Self { folder, file })
    }

    pub(super) fn path(&self) -> &Path {
        &self.file
    }
}

impl Drop for AnnouncementFile {
    fn drop(&mut self) {
        // If this fails, only a small folder among the temporary files is left behind.
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}
