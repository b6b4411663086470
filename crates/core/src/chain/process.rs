//! Runs the programs of stages: with a time limit, ended as a whole process group, their output passed on as it comes.

use std::fmt;
use std::io::{self, Read};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group, test_kill_process_group};
use serde::{Deserialize, Serialize};

use crate::sys::process::{Liveness, ProcessName, processor_time};
use burgeon_container::{Hang, HangLimits, SignsOfLife};

/// How a program ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finished {
    /// It exited with this code.
    Exited(i32),
    /// It was killed by a signal that was not sent here.
    Killed(i32),
    /// It was asked to stop.
    Stopped,
    /// It exceeded its time limit.
    OutOfTime,
    /// It hung, and was ended.
    Hung(Hang),
}

/// A predicate, such as `exited with code 3`.
impl fmt::Display for Finished {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exited(code) => write!(f, "exited with code {code}"),
            Self::Killed(signal) => write!(f, "was killed by signal {signal}"),
            Self::Stopped => f.write_str("was stopped"),
            Self::OutOfTime => f.write_str("exceeded its time limit"),
            Self::Hung(hang) => write!(f, "hung and was ended: {hang}"),
        }
    }
}

/// How a program is run.
pub struct Run<'a> {
    /// Time limit.
    pub limit: Option<Duration>,
    /// How long it may be inactive.
    pub hang: HangLimits,
    /// Time from SIGTERM to SIGKILL.
    pub grace: Duration,
    /// Whether to stop it; called several times a second.
    pub stop: &'a dyn Fn() -> bool,
    /// Receives its output.
    pub output: &'a mut dyn FnMut(&[u8]),
    /// The file that names the process while it runs, so that [`end_left_over`] can end it after a crash of this process.
    pub process_file: Option<&'a Path>,
}

/// Time from SIGTERM to SIGKILL of what a killed service left running.
const LEFT_OVER_GRACE: Duration = Duration::from_secs(6);
/// How often a running program is checked.
const CHECK_INTERVAL: Duration = Duration::from_millis(50);
/// How long to wait after the end of a program for the output of processes that it left behind.
const OUTPUT_GRACE: Duration = Duration::from_millis(500);

impl Run<'_> {
    /// Runs a program to its end.
    ///
    /// # Errors
    ///
    /// If it cannot be started.
    pub fn program(self, mut command: Command) -> io::Result<Finished> {
        let (mut reader, writer) = io::pipe()?;
        command
            .stdin(Stdio::null())
            .stdout(writer.try_clone()?)
            .stderr(writer)
            // A process group of its own, so that it can be ended with all its children.
            .process_group(0);
        let child = command.spawn()?;
        // It holds the write ends of the pipes, which must be closed for the output to end.
        drop(command);
        let group = Group::of(&child);
        if let (Some(path), Some(name)) = (self.process_file, group.name()) {
            // Without it, a process that outlives a crash of the service is only found by its lock.
            let _ = std::fs::write(path, name);
        }
        let (sender, receiver) = sync_channel::<Vec<u8>>(64);
        thread::spawn(move || {
            let mut buffer = [0; 8192];
            while let Ok(read @ 1..) = reader.read(&mut buffer) {
                if sender.send(buffer[..read].to_vec()).is_err() {
                    break;
                }
            }
        });
        let process_file = self.process_file;
        let finished = self.watch(child, &group, &receiver);
        group.signal(Signal::KILL);
        if let Some(path) = process_file {
            let _ = std::fs::remove_file(path);
        }
        finished
    }

    fn watch(
        self,
        mut child: Child,
        group: &Group,
        output: &Receiver<Vec<u8>>,
    ) -> io::Result<Finished> {
        let Self { limit, hang, grace, stop, output: print, .. } = self;
        let started = Instant::now();
        let mut signs = SignsOfLife::new(hang, started);
        let mut ending: Option<(Finished, Instant)> = None;
        let mut is_open = true;
        loop {
            match output.recv_timeout(CHECK_INTERVAL) {
                Ok(bytes) => {
                    signs.printed(Instant::now());
                    print(&bytes);
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) if is_open => is_open = false,
                Err(RecvTimeoutError::Disconnected) => thread::sleep(CHECK_INTERVAL),
            }
            if let Some(status) = child.try_wait()? {
                let until = Instant::now() + OUTPUT_GRACE;
                // Processes that it left behind may print forever.
                while let left @ 1.. = until.saturating_duration_since(Instant::now()).as_millis()
                    && let Ok(bytes) = output.recv_timeout(Duration::from_millis(left as u64))
                {
                    print(&bytes);
                }
                return Ok(ending.map_or_else(|| finished(status), |(finished, _)| finished));
            }
            match ending {
                None => {
                    let now = Instant::now();
                    if signs.asks_for_processor_time(now) {
                        signs.computed(processor_time(child.id()), now);
                    }
                    let out_of_time = limit.is_some_and(|limit| started.elapsed() > limit);
                    let why = if stop() {
                        Some(Finished::Stopped)
                    } else if out_of_time {
                        Some(Finished::OutOfTime)
                    } else {
                        signs.hang(now).map(Finished::Hung)
                    };
                    if let Some(why) = why {
                        group.signal(Signal::TERM);
                        ending = Some((why, Instant::now()));
                    }
                }
                Some((_, since)) if since.elapsed() > grace => group.signal(Signal::KILL),
                Some(_) => {}
            }
        }
    }
}

fn finished(status: ExitStatus) -> Finished {
    match (status.code(), status.signal()) {
        (Some(code), _) => Finished::Exited(code),
        (None, signal) => Finished::Killed(signal.unwrap_or(0)),
    }
}

/// A process group: a process and those that it started and that stayed in its group.
struct Group {
    leader: Option<Pid>,
}

impl Group {
    fn of(child: &Child) -> Self {
        Self { leader: Some(Pid::from_child(child)) }
    }

    fn signal(&self, signal: Signal) {
        if let Some(leader) = self.leader {
            // Only fails for a group that has ended.
            let _ = kill_process_group(leader, signal);
        }
    }

    /// What is written into a process file.
    fn name(&self) -> Option<String> {
        let leader = self.leader?.as_raw_nonzero().get().cast_unsigned();
        serde_json::to_string(&ProcessFile { process: ProcessName::of_child(leader) }).ok()
    }
}

#[derive(Serialize, Deserialize)]
struct ProcessFile {
    process: ProcessName,
}

/// Ends what a killed service left running: the group of the process that this file names, unless its id was reused.
pub fn end_left_over(process_file: &Path) {
    let Ok(text) = std::fs::read(process_file) else { return };
    let _ = std::fs::remove_file(process_file);
    let Ok(ProcessFile { process }) = serde_json::from_slice(&text) else { return };
    let leader = i32::try_from(process.pid).ok().and_then(Pid::from_raw);
    let Some(leader) = leader else { return };
    let is_ours = match ProcessName::current().liveness_of(&process) {
        Liveness::Alive => true,
        // The number of a group is not given to a new process as long as the group has members: if no process has
        // it, and the group lives, it is the one that the file names.
        Liveness::Dead(crate::sys::process::Cause::Exited) => {
            test_kill_process_group(leader).is_ok()
        }
        Liveness::Dead(_) | Liveness::Unknown => false,
    };
    if !is_ours {
        return;
    }
    // A training saves its state first.
    let _ = kill_process_group(leader, Signal::TERM);
    let since = Instant::now();
    while test_kill_process_group(leader).is_ok() {
        if since.elapsed() > LEFT_OVER_GRACE {
            let _ = kill_process_group(leader, Signal::KILL);
            return;
        }
        thread::sleep(CHECK_INTERVAL);
    }
}

#[cfg(test)]
mod tests;
