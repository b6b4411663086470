//! `burgeon tune` and `burgeon train`.

use std::path::Path;
use std::sync::atomic::Ordering;

use super::args::{Common, ResumeName, StudyArguments};
use super::exit::Exit;
use super::output::Output;
use super::view::{View, percent};
use super::watchdog::Watchdog;
use super::{CliError, check, document, launch};
use crate::ledger::Outcome;
use crate::spec::Override;
use crate::study::{Ended, Finished, Growth, Launch, LaunchError, Resume};
use crate::sys::announce::stop_with_supervisor;
use crate::sys::signals::{StopFlag, StopSignal};
use crate::train::Profiling;

/// Runs a study to its end and says what came of it.
pub fn run(
    arguments: &StudyArguments,
    common: &Common,
    growth: Growth,
    output: &Output,
) -> Result<Exit, CliError> {
    let jobs = arguments.jobs.map(Override::jobs);
    let study =
        document(arguments.study.as_deref(), common)?.with_overrides(jobs.into_iter().collect());
    let launch = Launch {
        resume: match arguments.resume {
            ResumeName::Never => Resume::Never,
            ResumeName::Auto => Resume::Auto,
        },
        profiling: if arguments.profile { Profiling::On } else { Profiling::Off },
        ..launch(common, growth)
    };
    watched(output, |view, stop| launch.run(&study, view, stop))
}

/// Goes on with a run and says what came of it.
pub fn resume(run: &Path, common: &Common, output: &Output) -> Result<Exit, CliError> {
    watched(output, |view, stop| launch(common, Growth::On).resume(run, view, stop))
}

fn watched(
    output: &Output,
    work: impl FnOnce(&mut View, &StopFlag) -> Result<Ended, LaunchError>,
) -> Result<Exit, CliError> {
    let watchdog = Watchdog::start().map_err(CliError::Signals)?;
    let stop = StopFlag::on_signals().map_err(CliError::Signals)?;
    stop_with_supervisor();
    let mut view = View::new(*output).raising(watchdog.begun());
    let ended = work(&mut view, &stop);
    view.close();
    // Whoever asked for a stop is told of it, also where the study ended meanwhile.
    let stopped = watchdog.signal().map(|signal| match signal {
        StopSignal::Interrupt => Exit::Interrupted,
        StopSignal::Terminate => Exit::Terminated,
    });
    match ended? {
        Ended::Finished(finished) => {
            let exit = tell(&finished, output);
            Ok(stopped.unwrap_or(exit))
        }
        Ended::Stopped(signal) => {
            let kept = match watchdog.begun().load(Ordering::SeqCst) {
                true => "what was learned is kept, and `burgeon resume` goes on",
                false => "training had not begun",
            };
            output.announce(&format!("stopped by {}; {kept}", signal.name()));
            Ok(stopped.unwrap_or(Exit::Terminated))
        }
    }
}

fn tell(finished: &Finished, output: &Output) -> Exit {
    let trials = match finished.trials {
        1 => "1 trial".into(),
        trials => format!("{trials} trials"),
    };
    let best = match finished.best_trial {
        Some(trial) => format!(
            "trial {trial}, {} on validation images{}, {} parameters",
            percent(finished.validation_accuracy),
            finished
                .test_accuracy
                .map_or(String::new(), |test| format!(", {} on test images", percent(test))),
            check::grouped(finished.parameters as usize),
        ),
        None => "no trial finished an epoch".into(),
    };
    let (word, exit) = match finished.outcome {
        Outcome::Accepted => ("accepted", Exit::Success),
        Outcome::Rejected => ("rejected", Exit::GateShut),
    };
    output.announce(&format!("{word}: {best}; {trials} in {:.1} s", finished.seconds));
    if finished.best_trial.is_some() {
        output.announce(&format!("best model: {}/best", finished.run));
    }
    exit
}
