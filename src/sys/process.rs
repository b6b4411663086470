//! Identifies processes across reboots, containers and reused process ids.

use std::fs;
use std::path::Path;

use rustix::io::Errno;
use rustix::process::{Pid, test_kill_process};
use serde::{Deserialize, Serialize};

/// Identifies one process among all that ever ran on any machine.
///
/// A process id alone does not: ids are reused, start again with every boot, and are separate in every
/// container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessName {
    /// Process id, as the process itself sees it.
    pub pid: u32,
    /// Start time in clock ticks since boot; `None` if the system does not provide it.
    pub started: Option<u64>,
    /// The kernel's id of this boot; empty if the system has none.
    pub boot: String,
    /// The namespace of the process id; containers have separate ones.
    pub pid_namespace: Option<String>,
    /// The machine's host name.
    pub host: String,
    /// The machine's id, which is the same after a reboot; `None` if it has none, as most containers. It is
    /// needed because several machines may run containers with the same host name.
    #[serde(default)]
    pub machine: Option<String>,
}

/// Whether another process is still running, as far as this one can tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Liveness {
    /// It runs, or is stopped and may continue.
    Alive,
    /// It has ended.
    Dead(Cause),
    /// It is, or was, on another machine or in another container.
    Unknown,
}

/// How it is known that a process has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// No process has its id, or only a zombie does.
    Exited,
    /// Its id belongs to a process that started at another time.
    PidReused,
    /// The machine was rebooted since.
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
            machine: read_line("/etc/machine-id").filter(|id| !id.is_empty()),
        }
    }

    /// Whether `other` runs, seen from this process.
    pub fn liveness_of(&self, other: &Self) -> Liveness {
        self.judge(other, runs(other.pid), started(other.pid))
    }

    /// The rules of [`ProcessName::liveness_of`], given what the system reports about the process id.
    fn judge(&self, other: &Self, runs: bool, started: Option<u64>) -> Liveness {
        if self.boot != other.boot {
            let is_same_machine = self.machine.is_some() && self.machine == other.machine;
            return if is_same_machine && self.host == other.host {
                Liveness::Dead(Cause::Rebooted)
            } else {
                Liveness::Unknown
            };
        }
        if self.pid_namespace != other.pid_namespace
            // Without boot ids, only the host name distinguishes machines.
            || (self.boot.is_empty() && self.host != other.host)
        {
            return Liveness::Unknown;
        }
        if !runs {
            Liveness::Dead(Cause::Exited)
        } else if started != other.started {
            Liveness::Dead(Cause::PidReused)
        } else {
            Liveness::Alive
        }
    }
}

/// Whether a process with this id runs or is stopped. A zombie does not count: it keeps its id until its
/// parent waits for it, which process 1 of a container may never do.
fn runs(pid: u32) -> bool {
    let Some(id) = i32::try_from(pid).ok().and_then(Pid::from_raw) else {
        return false;
    };
    // A process of another user cannot be signalled, but exists.
    let exists = matches!(test_kill_process(id), Ok(()) | Err(Errno::PERM));
    let has_ended = stat_field(pid, 3).is_some_and(|state| matches!(&*state, "Z" | "X"));
    exists && !has_ended
}

fn started(pid: u32) -> Option<u64> {
    stat_field(pid, 22)?.parse().ok()
}

/// A field of `/proc/PID/stat` by its number in proc(5), at least 3: fields are counted from the end of the
/// program's name, which may contain spaces and parentheses.
fn stat_field(pid: u32, number: usize) -> Option<String> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, after_name) = stat.rsplit_once(')')?;
    after_name.split_whitespace().nth(number - 3).map(str::to_owned)
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
            machine: Some(host.into()),
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
    fn a_process_that_ended_and_that_nobody_asked_after_is_dead() {
        let mut child = std::process::Command::new("sleep").arg("600").spawn().unwrap();
        let this = ProcessName::current();
        let name = ProcessName { pid: child.id(), started: started(child.id()), ..this.clone() };
        assert_eq!(this.liveness_of(&name), Liveness::Alive);
        child.kill().unwrap();
        if cfg!(target_os = "linux") {
            while stat_field(child.id(), 3).unwrap() != "Z" {
                std::thread::yield_now();
            }
            assert_eq!(this.liveness_of(&name), Liveness::Dead(Cause::Exited));
        }
        child.wait().unwrap();
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
    fn machines_of_one_name_are_not_taken_for_one_machine_that_was_booted() {
        let here = named("b", "trainer", 5);
        for machine in [None, Some("another".into())] {
            let there = ProcessName { machine, ..named("a", "trainer", 5) };
            assert_eq!(here.judge(&there, true, Some(5)), Liveness::Unknown);
            let nameless = ProcessName { machine: None, ..here.clone() };
            assert_eq!(nameless.judge(&there, true, Some(5)), Liveness::Unknown);
        }
    }

    #[test]
    fn a_process_on_another_machine_or_in_another_container_cannot_be_seen() {
        let here = named("b", "host", 5);
        assert_eq!(here.judge(&named("a", "other", 5), true, Some(5)), Liveness::Unknown);
        let contained = ProcessName { pid_namespace: None, ..named("b", "other", 5) };
        assert_eq!(here.judge(&contained, true, Some(5)), Liveness::Unknown);
    }
}
