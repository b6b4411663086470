//! Runs the programs of a scheduler, with limits on time and output.

use std::io::{ErrorKind, Read, Write};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};

use super::scheduler::SchedulerError;

/// How long a program of a scheduler may take.
pub(super) const LIMIT: Duration = Duration::from_secs(60);
/// The longest output that is read: that of squeue for a hundred thousand jobs.
const OUTPUT_BYTES_MAX: u64 = 64 << 20;
/// How long a pipe is read after its program has ended.
const PIPES_LIMIT: Duration = Duration::from_secs(1);
const ERROR_CHARACTERS_MAX: usize = 2000;

/// Runs a program to its end, with this text as its input, and returns its standard output.
pub(super) fn call(
    name: &str,
    mut command: Command,
    input: &str,
    limit: Duration,
) -> Result<String, SchedulerError> {
    let missing = |source| SchedulerError::Missing { program: name.into(), source };
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        // A process group of its own, so that it can be ended with its children, and is not ended by Ctrl-C in the
        // terminal.
        .process_group(0)
        .spawn()
        .map_err(missing)?;
    let group = Pid::from_child(&child);
    if let Some(mut stdin) = child.stdin.take() {
        let input = input.to_owned();
        // It is not an error if the program does not read its input.
        thread::spawn(move || stdin.write_all(input.as_bytes()).unwrap_or_default());
    }
    let reading = child.stdout.take().map(Reading::of);
    let failing = child.stderr.take().map(Reading::of);
    let until = Instant::now() + limit;
    let mut pause = Duration::from_millis(2);
    let status = loop {
        if let Some(status) = child.try_wait().map_err(missing)? {
            break status;
        }
        if Instant::now() > until {
            // Only fails for a group that has ended.
            let _ = kill_process_group(group, Signal::KILL);
            let _ = child.wait();
            return Err(SchedulerError::Silent { program: name.into(), limit });
        }
        thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(50));
    };
    // Processes that it left running would keep the pipes open.
    let _ = kill_process_group(group, Signal::KILL);
    // Even so, processes with a group of their own, such as an ssh connection that outlives its command, may hold them.
    let text = |reading: Option<Reading>| {
        let bytes = reading.map(|reading| reading.within(PIPES_LIMIT)).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    };
    let (output, errors) = (text(reading), text(failing));
    if status.success() {
        return Ok(output);
    }
    let said = if errors.trim().is_empty() { output } else { errors };
    let said: String = said.trim().chars().take(ERROR_CHARACTERS_MAX).collect();
    let said = if said.is_empty() { status.to_string() } else { said };
    Err(SchedulerError::Refused { program: name.into(), said })
}

/// The output of a pipe, read by a thread that ends with the pipe.
struct Reading {
    read: Arc<Mutex<Vec<u8>>>,
    ended: Receiver<()>,
}

impl Reading {
    fn of(from: impl Read + Send + 'static) -> Self {
        let read = Arc::<Mutex<Vec<u8>>>::default();
        let (end, ended) = channel();
        let shared = Arc::clone(&read);
        thread::spawn(move || {
            let mut from = from.take(OUTPUT_BYTES_MAX);
            let mut part = vec![0; 64 << 10];
            loop {
                match from.read(&mut part) {
                    Err(error) if error.kind() == ErrorKind::Interrupted => {}
                    // What could be read before an error is what there is.
                    Ok(0) | Err(_) => break,
                    Ok(len) => {
                        let mut read = shared.lock().unwrap_or_else(PoisonError::into_inner);
                        read.extend_from_slice(&part[..len]);
                    }
                }
            }
            // The receiver no longer waits.
            let _ = end.send(());
        });
        Self { read, ended }
    }

    /// All output, or what has arrived within this time.
    fn within(self, limit: Duration) -> Vec<u8> {
        // Ended or not, what there is is what there is.
        let _ = self.ended.recv_timeout(limit);
        std::mem::take(&mut *self.read.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests;
