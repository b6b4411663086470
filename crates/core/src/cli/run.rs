//! `burgeon tune` and `burgeon train`.

use std::sync::atomic::Ordering;
use std::time::Duration;

use super::args::{Common, ResumeArguments, ResumeName, StudyArguments, TrackArguments};
use super::error::CliError;
use super::exit::Exit;
use super::output::Output;
use super::report::targets;
use super::view::{View, grouped, percent};
use super::watchdog::Watchdog;
use super::{document, launch, overrides};
use crate::record::Outcome;
use crate::spec::Override;
use crate::study::{Ended, Extension, Finished, Growth, Launch, LaunchError, Resume, Settings};
use crate::sys::announce::stop_with_supervisor;
use crate::sys::signals::{StopFlag, StopSignal};
use crate::train::Profiling;
use crate::tune::TrialRecord;

/// Runs a study to its end and prints the result.
pub fn run(
    arguments: &StudyArguments,
    common: &Common,
    growth: Growth,
    output: &Output,
) -> Result<Exit, CliError> {
    let jobs = arguments.jobs.map(Override::jobs);
    let on = arguments.on.map(|on| Override::on(on.name()));
    let study = document(arguments.study.as_deref(), common, output)?
        .with_overrides(jobs.into_iter().chain(on).collect());
    let settings = Settings {
        resume: match arguments.resume {
            ResumeName::Never => Resume::Never,
            ResumeName::Auto => Resume::Auto,
        },
        profiling: if arguments.profile { Profiling::On } else { Profiling::Off },
        ..launch(common, growth)
    };
    with_view(&arguments.track, output, |view, stop| {
        Launch::new(&study).settings(settings).listener(view).stop(stop).run()
    })
}

/// Continues a run, or extends it, and prints the result.
pub fn resume(
    arguments: &ResumeArguments,
    common: &Common,
    output: &Output,
) -> Result<Exit, CliError> {
    let extension = Extension {
        more_trials: arguments.more_trials.unwrap_or(0),
        more_epochs: arguments.more_epochs.unwrap_or(0),
        gate: arguments.gate,
    };
    with_view(&arguments.track, output, |view, stop| {
        Launch::default()
            .settings(launch(common, Growth::On))
            .overrides(overrides(common))
            .extend(extension)
            .listener(view)
            .stop(stop)
            .resume(&arguments.run)
    })
}

/// How long tools that show the run may take for the rest of it at its end.
const TRACKING_LIMIT: Duration = Duration::from_secs(30);
/// After a signal, the process has to be gone soon.
const TRACKING_LIMIT_STOPPED: Duration = Duration::from_secs(1);

fn with_view(
    track: &TrackArguments,
    output: &Output,
    work: impl FnOnce(&mut View, &StopFlag) -> Result<Ended, LaunchError>,
) -> Result<Exit, CliError> {
    let targets = targets(track)?;
    let watchdog = Watchdog::start().map_err(CliError::Signals)?;
    let stop = StopFlag::on_signals().map_err(CliError::Signals)?;
    stop_with_supervisor();
    let mut view = View::new(*output).setting(watchdog.begun()).shown_at(targets);
    let ended = work(&mut view, &stop);
    view.close();
    view.finish_tracking(match watchdog.signal() {
        Some(_) => TRACKING_LIMIT_STOPPED,
        None => TRACKING_LIMIT,
    });
    let lost_events = view.lost_events();
    // After a signal, the exit code is the signal's, even if the study finished meanwhile.
    let stopped = watchdog.signal().map(|signal| match signal {
        StopSignal::Interrupt => Exit::Interrupted,
        StopSignal::Terminate => Exit::Terminated,
    });
    match ended? {
        Ended::Finished(finished) => {
            let exit = print_result(&finished, output);
            lost_events.map_or(Ok(stopped.unwrap_or(exit)), Err)
        }
        Ended::Stopped(ended) => {
            if let Some(error) = lost_events {
                output.print_error(&error);
            }
            let kept = match watchdog.begun().load(Ordering::SeqCst) {
                true => "the training state is saved; continue with `burgeon resume`",
                false => "training had not begun",
            };
            output.print_always(&format!("stopped by {}; {kept}", ended.reason.name()));
            Ok(stopped.unwrap_or(Exit::Terminated))
        }
    }
}

fn print_result(ended: &Finished, output: &Output) -> Exit {
    let finished = &ended.result;
    let best = ended.trials.iter().find(|trial| Some(trial.trial) == finished.best_trial);
    let on = match best.and_then(TrialRecord::cross_validation) {
        Some(folds) => format!("cross-validated over {}", folds.extent()),
        None => "on validation images".into(),
    };
    let trials = match finished.trials {
        1 => "1 trial".into(),
        trials => format!("{trials} trials"),
    };
    let best = match finished.best_trial {
        Some(trial) => format!(
            "trial {trial}, {} {on}{}, {} parameters",
            percent(finished.validation_accuracy),
            finished
                .test_accuracy
                .map_or(String::new(), |test| format!(", {} on test images", percent(test))),
            grouped(finished.parameters as usize),
        ),
        None => "no trial finished an epoch".into(),
    };
    let (word, exit) = match finished.outcome {
        Outcome::Accepted => ("accepted", Exit::Success),
        Outcome::Rejected => ("rejected", Exit::GateNotPassed),
    };
    output.print_always(&format!("{word}: {best}; {trials} in {:.1} s", finished.seconds));
    if finished.best_trial.is_some() {
        output.print_always(&format!("best model: {}/best", finished.run));
    }
    exit
}
