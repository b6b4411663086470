//! What a trainer does for its supervisor: it announces its run folder, and stops if the supervisor dies.
//!
//! The supervisor names a file in an environment variable; the trainer writes the path of its run folder to
//! that file. Without a supervisor the variable is not set, and nothing happens.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::files::{FileError, Operation};

/// Environment variable that names the file.
pub const SUPERVISED_VARIABLE: &str = "BURGEON_SUPERVISED";

/// Environment variable that holds the supervisor's process id.
pub const SUPERVISOR_VARIABLE: &str = "BURGEON_SUPERVISOR";

/// Environment variable that holds the process id of what started a supervisor and wants it to end with it: a service
/// that is killed leaves no training behind that nobody watches.
pub const PARENT_VARIABLE: &str = "BURGEON_PARENT";

/// Makes the kernel send SIGTERM to this process if its supervisor, if there is one, dies. Call it after a
/// handler for SIGTERM is installed.
pub fn stop_with_supervisor() {
    stop_with(SUPERVISOR_VARIABLE);
}

/// The same for the parent process that the variable names, if it names one.
#[cfg(target_os = "linux")]
pub fn stop_with(variable: &str) {
    use rustix::process::{
        Pid, Signal, getpid, getppid, kill_process, set_parent_process_death_signal,
    };
    let parent = std::env::var(variable).ok().and_then(|pid| pid.parse().ok());
    let Some(parent) = parent.and_then(Pid::from_raw) else {
        return;
    };
    // Neither call can fail for the current process.
    let _ = set_parent_process_death_signal(Some(Signal::TERM));
    if getppid() != Some(parent) {
        // It died before the call above.
        let _ = kill_process(getpid(), Signal::TERM);
    }
}

/// The supervisor's folder, if there is a supervisor: heartbeats are written there before there is a run
/// folder.
pub fn supervisor_folder() -> Option<PathBuf> {
    let file = PathBuf::from(std::env::var_os(SUPERVISED_VARIABLE)?);
    file.parent().map(Path::to_owned)
}

/// An identifier of the supervisor, the same for all processes that it starts; `None` without a supervisor.
pub fn supervision() -> Option<String> {
    let folder = supervisor_folder()?;
    Some(folder.file_name()?.to_string_lossy().into_owned())
}

/// Does nothing: only Linux can notify a process of its parent's death.
#[cfg(not(target_os = "linux"))]
pub fn stop_with(_: &str) {}

/// Tells the supervisor, if there is one, that this process works in `run_folder`. Call it after the folder
/// is locked.
///
/// # Errors
///
/// When the file that the supervisor named cannot be written.
pub fn announce(run_folder: &Path) -> Result<(), FileError> {
    match std::env::var_os(SUPERVISED_VARIABLE) {
        Some(file) => write_announcement(Path::new(&file), run_folder),
        None => Ok(()),
    }
}

fn write_announcement(file: &Path, run_folder: &Path) -> Result<(), FileError> {
    let failed = |e| FileError::new(Operation::Write, file, 0, e);
    let folder = std::path::absolute(run_folder).map_err(failed)?;
    let temporary = file.with_extension("tmp");
    // Not synced, because it is not needed after the two processes have ended.
    fs::write(&temporary, folder.as_os_str().as_bytes())
        .and_then(|()| fs::rename(&temporary, file))
        .map_err(failed)
}

/// For the supervisor: the run folder that was announced in `file`, if one was.
pub fn announced(file: &Path) -> Option<PathBuf> {
    let path = fs::read(file).ok()?;
    let path = PathBuf::from(OsStr::from_bytes(path.trim_ascii_end()));
    path.is_dir().then_some(path)
}

#[cfg(test)]
mod tests;
