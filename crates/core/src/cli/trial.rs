//! `burgeon trial`: one attempt at a trial, as a job of a cluster runs it.

use super::args::{Common, TrialArguments};
use super::error::CliError;
use super::exit::Exit;
use super::launch;
use super::output::Output;
use super::watchdog::Watchdog;
use crate::cluster::{ClaimError, End};
use crate::study::{Growth, TrialError, TrialWork, attempt};
use crate::sys::signals::StopFlag;

/// Works on a trial until it is trained, or somebody asks for an end.
///
/// The exit code tells schedulers what to do: 0 if there is nothing more to do, 143 if the trial goes on in another job, 1
/// if it failed.
pub fn trial(
    arguments: &TrialArguments,
    common: &Common,
    output: &Output,
) -> Result<Exit, CliError> {
    let watchdog = Watchdog::start().map_err(CliError::Signals)?;
    let stop = StopFlag::on_signals().map_err(CliError::Signals)?;
    stop.also_on_warning().map_err(CliError::Signals)?;
    // Its claim is there to be ended from the first moment on.
    watchdog.begun().store(true, std::sync::atomic::Ordering::SeqCst);
    let work = TrialWork {
        trial: arguments.trial,
        part: arguments.part,
        submission: arguments.submission,
    };
    let ended = match attempt(&arguments.run, work, launch(common, Growth::On), &stop) {
        Ok(ended) => ended,
        // A job that is no longer needed has nothing to do.
        Err(TrialError::Claim(error @ ClaimError::Replaced { .. })) => {
            output.print_always(&format!("trial {}: {error}", arguments.trial));
            return Ok(Exit::Success);
        }
        Err(TrialError::Launch(error)) => return Err(error.into()),
        Err(TrialError::Claim(error)) => return Err(CliError::Trial(error)),
    };
    let (exit, how) = match &ended.end {
        End::Published(_) => (Exit::Success, "trained".to_owned()),
        End::Superseded => (Exit::Success, "a newer attempt has taken over".to_owned()),
        End::Interrupted => (
            Exit::Terminated,
            "interrupted; its state is saved, and another job will continue it".to_owned(),
        ),
        End::Failed(why) => (Exit::Failed, format!("failed: {why}")),
        End::Unfit(why) => (Exit::Failed, format!("this machine cannot train it: {why}")),
    };
    output.print_always(&format!(
        "trial {}, attempt {}: {how}",
        arguments.trial,
        ended.folder.display()
    ));
    Ok(exit)
}
