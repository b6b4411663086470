//! The trainer as a process.

use std::cell::Cell;
use std::ffi::OsString;
use std::io;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

use super::SuperviseError;
use crate::sys::announce::SUPERVISED_VARIABLE;

/// A trainer that runs, or has ended and was not looked at.
#[derive(Debug)]
pub(super) struct Child {
    pid: libc::pid_t,
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
            .stdin(Stdio::null())
            // A group of its own, so that Ctrl-C at a terminal comes once, through us, and not
            // twice, which would end it on the spot.
            .process_group(0);
        stop_it_when_we_die(&mut command);
        let pid = command.spawn()?.id();
        Ok(Self { pid: pid.cast_signed(), ended: Cell::new(None) })
    }

    pub(super) fn pid(&self) -> u32 {
        self.pid.cast_unsigned()
    }

    /// Sends a signal to the trainer and whatever it started.
    pub(super) fn signal(&self, signal: i32) {
        if self.ended.get().is_none() {
            // SAFETY: a plain system call. It can only fail for a group that has just ended, which
            // `reap` is about to find.
            unsafe { libc::kill(-self.pid, signal) };
        }
    }

    /// Buries every child that has ended, and tells whether the trainer is among them.
    pub(super) fn reap(&self) -> Option<ExitStatus> {
        while let Some((pid, status)) = reap_one() {
            if pid == self.pid {
                self.ended.set(Some(status));
            }
        }
        self.ended.get()
    }
}

/// Buries adopted orphans that have ended, while no trainer runs.
pub(super) fn reap_orphans() {
    while reap_one().is_some() {}
}

fn reap_one() -> Option<(libc::pid_t, ExitStatus)> {
    let mut status = 0;
    // SAFETY: a plain system call that writes to `status` alone.
    let pid = unsafe { libc::waitpid(-1, &raw mut status, libc::WNOHANG) };
    (pid > 0).then(|| (pid, ExitStatus::from_raw(status)))
}

/// As process 1 of a container this process gets all orphans anyway; elsewhere it asks for those
/// of its trainers, so that nothing outlives them unseen.
#[cfg(target_os = "linux")]
pub(super) fn adopt_orphans() {
    // SAFETY: a plain system call. A kernel without it gives orphans to process 1.
    unsafe { libc::prctl(libc::PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) };
}

#[cfg(not(target_os = "linux"))]
pub(super) fn adopt_orphans() {}

/// Lets the kernel stop the trainer gracefully should this process be killed.
#[cfg(target_os = "linux")]
fn stop_it_when_we_die(command: &mut Command) {
    let ask = || {
        // SAFETY: a plain system call, allowed between fork and exec.
        unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGTERM, 0, 0, 0) };
        Ok(())
    };
    // SAFETY: the closure makes one system call and touches no memory.
    unsafe { command.pre_exec(ask) };
}

#[cfg(not(target_os = "linux"))]
fn stop_it_when_we_die(_command: &mut Command) {}

/// A file for the trainer's announcement, in a folder that goes when this value does.
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
        // Left behind, it would be one small folder among temporary files.
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}
