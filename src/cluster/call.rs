//! Calls of a scheduler's programs: bounded in time and in what they print.

use std::io::{Read, Write};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};

use super::seam::SchedulerError;

/// How long a program of a scheduler may take.
pub(super) const LIMIT: Duration = Duration::from_secs(60);
/// The longest output that is read: squeue's for a hundred thousand jobs.
const OUTPUT_BYTES_MAX: u64 = 64 << 20;
const ERROR_CHARACTERS_MAX: usize = 2000;

/// Runs a program to its end, with this text as its input, and answers what it printed to standard output.
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
        // A group of its own, so that it is ended with all that it started, and not by the terminal's Ctrl-C.
        .process_group(0)
        .spawn()
        .map_err(missing)?;
    let group = Pid::from_child(&child);
    let writing = child.stdin.take().map(|mut stdin| {
        let input = input.to_owned();
        // A program that does not read its input is no error.
        thread::spawn(move || stdin.write_all(input.as_bytes()).unwrap_or_default())
    });
    let reading = child.stdout.take().map(read);
    let failing = child.stderr.take().map(read);
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
    // What it left running would keep the pipes open.
    let _ = kill_process_group(group, Signal::KILL);
    let text = |thread: Option<thread::JoinHandle<Vec<u8>>>| {
        let bytes = thread.and_then(|thread| thread.join().ok()).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    };
    let (output, errors) = (text(reading), text(failing));
    if let Some(writing) = writing {
        let _ = writing.join();
    }
    if status.success() {
        return Ok(output);
    }
    let said = if errors.trim().is_empty() { output } else { errors };
    let said: String = said.trim().chars().take(ERROR_CHARACTERS_MAX).collect();
    let said = if said.is_empty() { status.to_string() } else { said };
    Err(SchedulerError::Refused { program: name.into(), said })
}

fn read(from: impl Read + Send + 'static) -> thread::JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        // What could be read before an error is what there is.
        let _ = from.take(OUTPUT_BYTES_MAX).read_to_end(&mut bytes);
        bytes
    })
}

#[cfg(test)]
mod tests;
