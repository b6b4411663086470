//! Names of processes that hold across reboots and reused process ids.

use std::fs;
use std::path::Path;

use rustix::io::Errno;
use rustix::process::{Pid, test_kill_process};
use serde::{Deserialize, Serialize};

/// One process among all that ever ran on any machine.
///
/// A process id alone is no name: ids are reused, start again with every boot, and mean another
/// process in every container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessName {
    /// Process id, as the process itself sees it.
    pub pid: u32,
    /// When it started, in clock ticks since boot; `None` where the system does not tell.
    pub started: Option<u64>,
    /// The kernel's name for this boot; empty where the system has none.
    pub boot: String,
    /// In which the id counts: containers each have their own.
    pub pid_namespace: Option<String>,
    /// The machine's name.
    pub host: String,
}

/// Whether another process still runs, as far as this one can tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Liveness {
    /// It runs, or is stopped and may go on.
    Alive,
    /// It is gone.
    Dead(Cause),
    /// It is, or was, on another machine or in another container.
    Unknown,
}

/// Why a process is held to be gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// No process has its id.
    Exited,
    /// Its id belongs to a process that started at another time.
    PidReused,
    /// The machine was booted since.
    Rebooted,
}

impl ProcessName {
    /// This process.
    pub fn current() -> Self {
        let pid = std::process::id();
        Self {
            pid,
            started: started(pid),
            boot: read_line("/proc/sys/kernel/random/boot_id").unwrap_or_default(),
            pid_namespace: fs::read_link("/proc/self/ns/pid")
                .ok()
                .map(|namespace| namespace.to_string_lossy().into_owned()),
            host: host_name(),
        }
    }

    /// Whether `other` runs, seen from this process.
    pub fn liveness_of(&self, other: &Self) -> Liveness {
        self.judge(other, exists(other.pid), started(other.pid))
    }

    /// The rules of [`ProcessName::liveness_of`], given what the system says about the id.
    fn judge(&self, other: &Self, exists: bool, started: Option<u64>) -> Liveness {
        if self.boot != other.boot {
            return if self.host == other.host {
                Liveness::Dead(Cause::Rebooted)
            } else {
                Liveness::Unknown
            };
        }
        if self.pid_namespace != other.pid_namespace
            // Without names for boots, only that of the machine tells machines apart.
            || (self.boot.is_empty() && self.host != other.host)
        {
            return Liveness::Unknown;
        }
        if !exists {
            Liveness::Dead(Cause::Exited)
        } else if started != other.started {
            Liveness::Dead(Cause::PidReused)
        } else {
            Liveness::Alive
        }
    }
}

fn exists(pid: u32) -> bool {
    let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) else {
        return false;
    };
    // Somebody else's process may not be signalled, but it is there.
    matches!(test_kill_process(pid), Ok(()) | Err(Errno::PERM))
}

/// Field 22 of `/proc/PID/stat`, counted after the program's name, which may hold anything.
fn started(pid: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, after_name) = stat.rsplit_once(')')?;
    after_name.split_whitespace().nth(19)?.parse().ok()
}

fn host_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

fn read_line(path: impl AsRef<Path>) -> Option<String> {
    Some(fs::read_to_string(path).ok()?.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(boot: &str, host: &str, started: u64) -> ProcessName {
        ProcessName {
            pid: 7,
            started: Some(started),
            boot: boot.into(),
            pid_namespace: Some("pid:[1]".into()),
            host: host.into(),
        }
    }

    #[test]
    fn this_process_is_alive() {
        let this = ProcessName::current();
        assert_eq!(this.liveness_of(&this), Liveness::Alive);
    }

    #[test]
    fn a_process_that_ended_is_dead() {
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let mut name = ProcessName::current();
        name.pid = child.id();
        name.started = started(child.id());
        child.wait().unwrap();
        assert!(matches!(ProcessName::current().liveness_of(&name), Liveness::Dead(_)));
    }

    #[test]
    fn a_reused_process_id_is_seen_by_its_start() {
        let this = ProcessName::current();
        let before = ProcessName { started: Some(1), ..this.clone() };
        assert_eq!(this.liveness_of(&before), Liveness::Dead(Cause::PidReused));
    }

    #[test]
    fn no_process_outlives_a_boot() {
        let verdict = named("b", "host", 5).judge(&named("a", "host", 5), true, Some(5));
        assert_eq!(verdict, Liveness::Dead(Cause::Rebooted));
    }

    #[test]
    fn a_process_on_another_machine_or_in_another_container_cannot_be_seen() {
        let here = named("b", "host", 5);
        assert_eq!(here.judge(&named("a", "other", 5), true, Some(5)), Liveness::Unknown);
        let contained = ProcessName { pid_namespace: None, ..named("b", "other", 5) };
        assert_eq!(here.judge(&contained, true, Some(5)), Liveness::Unknown);
    }
}
