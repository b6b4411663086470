//! The stage that trains a program of another library, and applies the gate to the accuracy that it reports.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::build::{Build, End, ModelPart, Trained};
use super::config::{ProgramRule, Runner, Score};
use super::contained::{Contained, DATA_VARIABLE, has_container};
use super::git::one_line;
use super::output::{copy_as_a_whole, remove_if_there};
use super::process::{Finished, Run};
use super::score;
use crate::sys::error_chain;
use crate::sys::files::{Files, RealFiles};

/// File in the build's folder with the accuracy that the program reported.
const MEASURED: &str = "measured.json";
/// How much output is kept to find the accuracy in.
const OUTPUT_KEPT: usize = 1 << 20;
/// How much of it is kept to say why the program failed.
const LAST_WORDS_KEPT: usize = 4 << 10;
/// Time from SIGTERM to SIGKILL.
const GRACE: Duration = Duration::from_secs(10);
/// How often a program is started if it is killed by others or hangs.
const STARTS: u32 = 3;

/// Runs a program in a copy of the checkout that it may write to.
pub(super) fn train(
    build: &mut Build,
    command: &[String],
    rule: &ProgramRule,
) -> Result<(String, Trained), End> {
    let Some(threshold) = build.repository.gate else {
        let why = "a program that is not a study needs a gate: set `gate` of the repository to the accuracy that it must reach";
        return Err(build.failed(why));
    };
    let folder = build.chain.places.output(build.row.id);
    if !folder.is_dir() {
        let checkout = build.chain.places.checkout(build.row.id);
        copy_as_a_whole(&checkout, &folder)
            .map_err(|error| build.failed(format!("cannot copy the checkout: {error}")))?;
    }
    let accuracy = match kept(&build.chain.places.build(build.row.id)) {
        // A result from before a restart of the service is used again.
        Some(accuracy) => accuracy,
        None => {
            let measured = measured(build, command, rule, &folder, &rule.score);
            // Its files are shown with the build even if it failed.
            build.chain.store.set_run(build.row.id, "output")?;
            let accuracy = measured?;
            let file = build.chain.places.build(build.row.id).join(MEASURED);
            let json = serde_json::json!({ "accuracy": accuracy }).to_string();
            RealFiles
                .write_atomically(&file, json.as_bytes())
                .map_err(|error| build.failed(error_chain(&error)))?;
            accuracy
        }
    };
    let passed = accuracy >= threshold;
    let relation = if passed { "reaches" } else { "is below" };
    let sentence = format!(
        "The accuracy {:.2} % {relation} the gate of {:.2} %.",
        accuracy * 100.0,
        threshold * 100.0
    );
    let part = |file: &PathBuf| ModelPart {
        name: file.display().to_string(),
        folder: folder.clone(),
        path: file.clone(),
    };
    let model = rule.model.iter().map(part).collect();
    let trained =
        Trained { accuracy: Some(accuracy), threshold: Some(threshold), passed, model, sentence };
    Ok((format!("accuracy {:.2} %", accuracy * 100.0), trained))
}

/// The accuracy that was measured before a restart, if there is one.
fn kept(folder: &Path) -> Option<f64> {
    let text = RealFiles.read(&folder.join(MEASURED), 1 << 10).ok()?;
    serde_json::from_slice::<serde_json::Value>(&text).ok()?.get("accuracy")?.as_f64()
}

/// Runs a program in a folder to its end, and reads the accuracy that it reports.
pub(super) fn measured(
    build: &mut Build,
    command: &[String],
    rule: &ProgramRule,
    folder: &Path,
    score: &Score,
) -> Result<f64, End> {
    let mut printed = Vec::new();
    let mut starts = 0;
    // If the container still runs from before a restart, what it has written counts.
    let mut is_under_way = rule.run == Runner::Container && has_container(build)?;
    let finished = loop {
        // A result from before the start tells nothing about this training, whoever put it there.
        if !is_under_way && let Some(file) = score::file(score) {
            let removed = remove_if_there(folder, file).map_err(|error| {
                build.failed(format!("cannot remove the old {}: {error}", file.display()))
            })?;
            if removed {
                let line = format!(
                    "removed {} from before the start, so that only a new result counts",
                    file.display()
                );
                build.say(&line);
            }
        }
        // Neither does the output of an earlier start.
        printed.clear();
        starts += 1;
        is_under_way = false;
        let finished = match rule.run {
            Runner::Process => process(build, command, rule, (folder, score), &mut printed)?,
            Runner::Container => container(build, command, rule, (folder, score), &mut printed)?,
        };
        match finished {
            Finished::Killed(_) | Finished::Hung(_) if starts < STARTS => {
                build.say(&format!("the program {finished}; restarting it"));
            }
            finished => break finished,
        }
    };
    match finished {
        Finished::Exited(0) => {}
        Finished::Exited(code) => {
            let text = String::from_utf8_lossy(&printed);
            // Mostly says why.
            let last = text.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("see the log");
            let last = one_line(last, 200);
            return Err(build.failed(format!("the program failed with exit code {code}: {last}")));
        }
        Finished::Killed(signal) => {
            return Err(
                build.failed(format!("the program was killed by signal {signal}, {starts} times"))
            );
        }
        Finished::Hung(hang) => {
            return Err(build.failed(format!("the program hung {starts} times: {hang}")));
        }
        Finished::Stopped => return Err(build.stop.end()),
        Finished::OutOfTime => {
            return Err(build.failed(format!(
                "the program exceeded its time limit of {} s",
                rule.limits.seconds
            )));
        }
    }
    score::read(score, folder, &String::from_utf8_lossy(&printed))
        .map_err(|why| build.failed(format!("the accuracy cannot be read: {why}")))
}

fn process(
    build: &mut Build,
    command: &[String],
    rule: &ProgramRule,
    (folder, score): (&Path, &Score),
    printed: &mut Vec<u8>,
) -> Result<Finished, End> {
    let Some((program, arguments)) = command.split_first() else {
        return Err(build.failed("the rule has no command"));
    };
    let mut command = Command::new(program);
    command.args(arguments).current_dir(folder).env("PYTHONUNBUFFERED", "1");
    if let Some(data) = &build.repository.data {
        command.env(DATA_VARIABLE, data);
    }
    let process_file = build.process_file();
    let Build { log, stop, .. } = build;
    let run = Run {
        limit: Some(Duration::from_secs(rule.limits.seconds)),
        hang: rule.limits.hang(),
        grace: GRACE,
        stop: &|| stop.is_asked(),
        output: &mut |bytes| {
            log.print(bytes);
            keep(printed, bytes, score);
        },
        process_file: Some(&process_file),
    };
    run.program(command).map_err(|error| build.failed(format!("cannot start {program}: {error}")))
}

fn container(
    build: &mut Build,
    command: &[String],
    rule: &ProgramRule,
    (folder, score): (&Path, &Score),
    printed: &mut Vec<u8>,
) -> Result<Finished, End> {
    let contained = Contained {
        rule,
        command: command.to_vec(),
        output: folder.into(),
        mounts: Vec::new(),
        seconds: Some(rule.limits.seconds),
    };
    contained.run(build, &mut |bytes| keep(printed, bytes, score))
}

/// Keeps the end of the output: more of it if the accuracy is read from it.
fn keep(printed: &mut Vec<u8>, bytes: &[u8], score: &Score) {
    let kept = if matches!(score, Score::Output { .. }) { OUTPUT_KEPT } else { LAST_WORDS_KEPT };
    printed.extend_from_slice(bytes);
    if printed.len() > 2 * kept {
        printed.drain(..printed.len() - kept);
    }
}
