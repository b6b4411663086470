//! Runs the command of `[notify]` when a study is over.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};

use super::error::NotifyError;
use crate::record::StudyResult;

/// Runs `[notify] command` and waits for it, with `BURGEON_STUDY`, `BURGEON_OUTCOME`,
/// `BURGEON_ACCURACY` and `BURGEON_RUN_DIR` in its environment.
///
/// # Errors
///
/// If the program cannot be started, fails, or is still running after ten minutes, when it is killed with what it started. The
/// result of the study stands.
pub fn notify(command: &[String], study: &str, result: &StudyResult) -> Result<(), NotifyError> {
    notify_while(command, study, result, &mut || true)
}

/// Like [`notify`], but calls `keep_going` while it waits. Once that returns `false`, the program is sent SIGTERM, and has two
/// seconds to end before it is killed.
///
/// # Errors
///
/// Those of [`notify`], and [`NotifyError::Stopped`] if the program was not started or was killed.
pub fn notify_while(
    command: &[String],
    study: &str,
    result: &StudyResult,
    keep_going: &mut dyn FnMut() -> bool,
) -> Result<(), NotifyError> {
    run(command, study, result, LIMIT, keep_going)
}

fn run(
    command: &[String],
    study: &str,
    result: &StudyResult,
    limit: Duration,
    keep_going: &mut dyn FnMut() -> bool,
) -> Result<(), NotifyError> {
    let Some((program, arguments)) = command.split_first() else {
        return Ok(());
    };
    if !keep_going() {
        return Err(NotifyError::Stopped { program: program.clone() });
    }
    let failed = |source| NotifyError::Start { program: program.clone(), source };
    let mut child = Command::new(program)
        .args(arguments)
        .env("BURGEON_STUDY", study)
        .env("BURGEON_OUTCOME", result.outcome.name())
        .env("BURGEON_ACCURACY", result.validation_accuracy.to_string())
        .env("BURGEON_RUN_DIR", &result.run)
        .stdin(Stdio::null())
        // Standard output may carry events.
        .stdout(Stdio::null())
        // So that what it starts can be ended with it.
        .process_group(0)
        .spawn()
        .map_err(failed)?;
    match wait_while(&mut child, limit, keep_going).map_err(failed)? {
        Waited::Ended(status) if status.success() => Ok(()),
        Waited::Ended(status) => Err(NotifyError::Failed { program: program.clone(), status }),
        Waited::Stopped => Err(NotifyError::Stopped { program: program.clone() }),
        Waited::TimedOut => Err(NotifyError::TimedOut { program: program.clone(), limit }),
    }
}

/// How long a program may run: a process that waits for it holds its run, and its place on a cluster.
const LIMIT: Duration = Duration::from_secs(10 * 60);

/// How long a program may take to end once it is to be stopped.
const GRACE: Duration = Duration::from_secs(2);
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// How waiting for a program ended; by then the program has, too.
enum Waited {
    Ended(ExitStatus),
    Stopped,
    TimedOut,
}

fn wait_while(
    child: &mut Child,
    limit: Duration,
    keep_going: &mut dyn FnMut() -> bool,
) -> io::Result<Waited> {
    let since = Instant::now();
    let mut until = None;
    let waited = loop {
        if let Some(status) = child.try_wait()? {
            // A program that was asked to end and did not finish has told nobody, and will be started again.
            let was_stopped = until.is_some() && !status.success();
            return Ok(if was_stopped { Waited::Stopped } else { Waited::Ended(status) });
        }
        if !keep_going() {
            let until = *until.get_or_insert_with(|| {
                signal(child, Signal::TERM);
                Instant::now() + GRACE
            });
            if Instant::now() >= until {
                break Waited::Stopped;
            }
        }
        if since.elapsed() >= limit {
            break Waited::TimedOut;
        }
        sleep(LOOK_EVERY);
    };
    signal(child, Signal::KILL);
    child.wait()?;
    Ok(waited)
}

/// Signals the program and what it started. A child that has not been waited for keeps its process id, so no other group is hit.
fn signal(child: &Child, signal: Signal) {
    // Only fails for a group that has ended.
    let _ = kill_process_group(Pid::from_child(child), signal);
}

#[cfg(test)]
mod tests;
