//! The stage that trains a study: with `burgeon supervise -- tune`, which grows it until it passes its gate, and resumes
//! it after a crash.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use super::build::{Build, End, ModelPart, Trained};
use super::config::ProgramRule;
use super::contained::{Contained, DATA};
use super::process::{Finished, Run};
use super::study::{self, Built, Demands};
use crate::ledger::{self, RunFolder};
use crate::report::write::are_current;
use crate::report::{self, Report, ReportError, State};
use crate::sys::announce::PARENT_VARIABLE;
use crate::sys::error_chain;
use crate::sys::files::RealFiles;
use burgeon_container::HangLimits;

/// How long a run may be locked by a training that a killed service left behind.
const LOCKED: Duration = Duration::from_secs(60);
/// How often a training is resumed that others kill. Crashes are handled by its supervisor.
const KILLS: u32 = 20;
/// Time from SIGTERM to SIGKILL: a training ends within 5 s.
const GRACE: Duration = Duration::from_secs(7);

/// Trains a study of the checkout, or resumes its training.
pub(super) fn train(
    build: &mut Build,
    file: &Path,
    rule: Option<&ProgramRule>,
) -> Result<(String, Trained), End> {
    let checkout = build.chain.places.checkout(build.row.id);
    let demands = demands(build, rule)?;
    let seen_at = seen_at(&checkout, rule);
    let built = study::read(&checkout, file, seen_at, demands).map_err(|error| {
        build.failed(format!("the study is not valid: {}", error_chain(&error)))
    })?;
    train_built(build, &built, rule)
}

/// The path of the checkout for the process that trains.
pub(super) fn seen_at<'a>(checkout: &'a Path, rule: Option<&ProgramRule>) -> &'a Path {
    if rule.is_some() { Path::new("/checkout") } else { checkout }
}

/// What the configuration requires of a study.
pub(super) fn demands(build: &Build, rule: Option<&ProgramRule>) -> Result<Demands, End> {
    if rule.is_some() && build.repository.run.is_some() {
        return Err(build.failed(
            "`run` of the repository in server.toml hands trials to a cluster, and a [[rule]] of studies puts them into a \
             container, from which no job can be submitted; leave one of them out",
        ));
    }
    Ok(Demands {
        gate: build.repository.gate,
        seconds: build.repository.train_seconds,
        run: build.repository.run.clone().unwrap_or_default(),
        has_data: build.repository.data.is_some(),
    })
}

/// Trains a study that is safe to run here, or resumes its training.
pub(super) fn train_built(
    build: &mut Build,
    Built { study, changes }: &Built,
    rule: Option<&ProgramRule>,
) -> Result<(String, Trained), End> {
    let (chain, id) = (build.chain, build.row.id);
    for change in changes {
        build.say(change);
    }
    // Rewritten each time with the same content, so that the run from before a restart is found again.
    let path = chain.places.build(id).join("study.toml");
    std::fs::write(&path, study.to_toml())
        .map_err(|error| build.failed(format!("cannot write {}: {error}", path.display())))?;
    let runs = chain.places.runs(id);
    // Shown during the training; there is one run at most.
    chain.store.set_run(id, &format!("runs/{}-0001", study.name))?;
    let code = train_to_completion(build, &path, &runs, rule)?;
    let run = run_folder(&runs);
    if let Some(run) = &run
        && let Some(name) = run.file_name().and_then(|name| name.to_str())
    {
        let relative = format!("runs/{name}");
        chain.store.set_run(id, &relative)?;
        build.row.run = Some(relative);
    }
    match (code, run) {
        (0 | 3, Some(run)) => judged(build, &run, code),
        (2, _) => Err(build.failed("the study is not valid; see the log")),
        (code, _) => {
            Err(build.failed(format!("training failed with exit code {code}; see the log")))
        }
    }
}

/// Trains until the training exits by itself, and resumes it if it is killed; returns its exit code.
fn train_to_completion(
    build: &mut Build,
    study: &Path,
    runs: &Path,
    rule: Option<&ProgramRule>,
) -> Result<i32, End> {
    let mut held_since = None;
    let mut kills = 0;
    loop {
        // The training may have finished before a restart.
        if let Some(code) = run_folder(runs).and_then(|run| ended(&run)) {
            return Ok(code);
        }
        let finished = match rule {
            Some(rule) => contained(build, study, runs, rule)?,
            None => supervise(build, study, runs)?,
        };
        match finished {
            Finished::Stopped | Finished::OutOfTime => return Err(build.stop.end()),
            Finished::Exited(4)
                if held_since.get_or_insert_with(Instant::now).elapsed() < LOCKED =>
            {
                let line = "the run is still locked by an earlier training; waiting for it to end";
                build.say(line);
            }
            Finished::Exited(130 | 143) | Finished::Killed(_) | Finished::Hung(_)
                if kills < KILLS =>
            {
                kills += 1;
                held_since = None;
                build.say(&format!("training {finished}; resuming it from its last checkpoint"));
            }
            Finished::Exited(code) => return Ok(code),
            Finished::Killed(signal) => {
                return Err(
                    build.failed(format!("training was killed by signal {signal}, {kills} times"))
                );
            }
            Finished::Hung(hang) => {
                return Err(build.failed(format!("training hung repeatedly: {hang}")));
            }
        }
        if build.stop.is_asked() {
            return Err(build.stop.end());
        }
        thread::sleep(Duration::from_secs(1));
    }
}

fn supervise(build: &mut Build, study: &Path, runs: &Path) -> Result<Finished, End> {
    let mut command = Command::new(&build.chain.burgeon);
    command
        .args(["supervise", "--", "tune"])
        .arg(study)
        .args(["--resume", "auto", "--runs"])
        .arg(runs);
    if let Some(data) = &build.repository.data {
        command.arg("--data").arg(data);
    }
    // Its supervisor handles hangs.
    burgeon(build, command, None, &mut |_| {})
}

/// Runs a burgeon command, with a time limit if one is given.
pub(super) fn burgeon(
    build: &mut Build,
    mut command: Command,
    limit: Option<Duration>,
    print: &mut dyn FnMut(&[u8]),
) -> Result<Finished, End> {
    let chain = build.chain;
    command
        .current_dir(chain.places.build(build.row.id))
        .env(PARENT_VARIABLE, std::process::id().to_string())
        .env("NO_COLOR", "1")
        // These variables are meant for the service, and must not affect the study.
        .env_remove("BURGEON_RUNS")
        .env_remove("BURGEON_SET")
        .env_remove("BURGEON_SEED")
        .env_remove("BURGEON_JSON")
        .env_remove("BURGEON_QUIET");
    let process_file = build.process_file();
    let Build { log, stop, .. } = build;
    let run = Run {
        limit,
        hang: HangLimits::default(),
        grace: GRACE,
        stop: &|| stop.is_asked(),
        output: &mut |bytes| {
            log.print(bytes);
            print(bytes);
        },
        process_file: Some(&process_file),
    };
    run.program(command)
        .map_err(|error| build.failed(format!("cannot start {}: {error}", chain.burgeon.display())))
}

/// Trains in a container.
fn contained(
    build: &mut Build,
    study: &Path,
    runs: &Path,
    rule: &ProgramRule,
) -> Result<Finished, End> {
    const STUDY: &str = "/study.toml";
    std::fs::create_dir_all(runs)
        .map_err(|error| build.failed(format!("cannot create {}: {error}", runs.display())))?;
    let mut command: Vec<String> =
        rule.rule.command.iter().map(|word| word.replace("{entry}", STUDY)).collect();
    command.extend(["--resume", "auto", "--runs", "/output"].map(String::from));
    if build.repository.data.is_some() {
        command.extend(["--data", DATA].map(String::from));
    }
    let contained = Contained {
        rule,
        command,
        output: runs.into(),
        mounts: vec![(study.into(), STUDY.into())],
        seconds: None,
    };
    contained.run(build, &mut |_| {})
}

/// The run of a build; there is at most one.
pub(super) fn run_folder(runs: &Path) -> Option<PathBuf> {
    let folders = std::fs::read_dir(runs).ok()?.flatten();
    // Links are skipped: a program in a container could have made one to any path.
    let folders = folders.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    folders.map(|entry| entry.path()).filter(|path| path.join("events.jsonl").is_file()).max()
}

/// The exit code with which a finished run ended; `None` if it is not finished.
fn ended(run: &Path) -> Option<i32> {
    let records = ledger::read(&RealFiles, &run.join("events.jsonl")).ok()?;
    match Report::from_records(&records).state {
        State::Accepted => Some(0),
        State::Rejected => Some(3),
        State::Stopped { .. } | State::GaveUp { .. } | State::Unfinished => None,
    }
}

/// The result of a finished run according to its event log, which must agree with the exit code of its process.
fn judged(build: &mut Build, run: &Path, code: i32) -> Result<(String, Trained), End> {
    let records = ledger::read(&RealFiles, &run.join("events.jsonl")).map_err(|error| {
        build.failed(format!("the event log of the run cannot be read: {}", error_chain(&error)))
    })?;
    let report = Report::from_records(&records);
    let passed = match (&report.state, code) {
        (State::Accepted, 0) => true,
        (State::Rejected, 3) => false,
        (state, code) => {
            return Err(build.failed(format!(
                "training ended with exit code {code}, but its event log says {state:?}"
            )));
        }
    };
    if let Err(error) = write_missing_reports(run) {
        let line = format!("cannot write the reports: {}", error_chain(&error));
        build.say(&line);
    }
    let mut sentence = report.outcome();
    if report.is_of_other_data() {
        sentence += " It was trained on the built-in digits, because its own data was not found.";
    }
    let trained = Trained {
        accuracy: report.figures.validation_accuracy,
        threshold: report.threshold(),
        passed,
        model: [("", "best"), ("report.md", "report.md")]
            .map(|(name, path)| ModelPart {
                name: name.into(),
                folder: run.into(),
                path: path.into(),
            })
            .into(),
        sentence: sentence.clone(),
    };
    Ok((format!("{} trials in {:.1} s", report.figures.trials, report.figures.seconds), trained))
}

/// Writes the reports of a run that was killed before it wrote them, which comes last.
fn write_missing_reports(run: &Path) -> Result<(), ReportError> {
    let folder = RunFolder::open(Arc::new(RealFiles), run)?;
    match are_current(&folder) {
        true => Ok(()),
        false => report::write(&folder).map(drop),
    }
}

#[cfg(test)]
mod tests;
