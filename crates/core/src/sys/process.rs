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

    /// A child of this process, which has not been waited for.
    #[cfg(feature = "serve")]
    pub fn of_child(pid: u32) -> Self {
        Self { pid, started: started(pid), ..Self::current() }
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

/// Linux counts in hundredths of a second here, whatever its own clock does.
#[cfg(feature = "serve")]
const MILLISECONDS_OF_A_TICK: u64 = 10;

/// The processor time that a process has used, with that of all processes that it started and that still have it above
/// them or have been waited for. `None` where the system does not tell.
#[cfg(feature = "serve")]
pub fn processor_time(root: u32) -> Option<std::time::Duration> {
    let mut all = std::collections::BTreeMap::new();
    for entry in fs::read_dir("/proc").ok()?.flatten() {
        let pid = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok());
        // One may end while it is read.
        if let Some(pid) = pid
            && let Some(stat) = parent_and_ticks(pid)
        {
            all.insert(pid, stat);
        }
    }
    all.get(&root)?;
    let is_below = |pid: u32| {
        // Bounded, as parents change while they are read.
        let mut above =
            std::iter::successors(Some(pid), |pid| all.get(pid).map(|(parent, _)| *parent));
        above.by_ref().take(1000).any(|pid| pid == root)
    };
    let ticks: u64 =
        all.iter().filter(|(pid, _)| is_below(**pid)).map(|(_, (_, ticks))| ticks).sum();
    Some(std::time::Duration::from_millis(ticks * MILLISECONDS_OF_A_TICK))
}

/// A process's parent, and the ticks of the clock that it and those of its children that it waited for have used.
#[cfg(feature = "serve")]
fn parent_and_ticks(pid: u32) -> Option<(u32, u64)> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, after_name) = stat.rsplit_once(')')?;
    // Fields by their number in proc(5), of which the third comes first here.
    let fields: Vec<&str> = after_name.split_whitespace().collect();
    let field = |number: usize| fields.get(number - 3)?.parse::<u64>().ok();
    let ticks = field(14)? + field(15)? + field(16)? + field(17)?;
    Some((field(4)?.try_into().ok()?, ticks))
}

pub(crate) fn host_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

fn read_line(path: impl AsRef<Path>) -> Option<String> {
    Some(fs::read_to_string(path).ok()?.trim().to_owned())
}

#[cfg(test)]
mod tests;
