//! The stages for a program that missed the gate: it is converted into a study, which is trained and grown; the grown
//! network is exported as a program, which is run like the original one and compared with the gate.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde::Deserialize;

use super::build::{Build, End, ModelPart, Target, Trained};
use super::config::{ProgramRule, Score};
use super::contained::{Contained, DATA};
use super::detect_stage::study_rule;
use super::growth::{Growth, Library, changes};
use super::output::copy_as_a_whole;
use super::process::Finished;
use super::program_data::{find_data, joined};
use super::store::{StageName, Verdict};
use super::{program, study, training};
use crate::detect::Lost;
use crate::ledger;
use crate::report::Report;
use crate::spec::{StudyDocument, StudyFile};
use crate::sys::error_chain;
use crate::sys::files::RealFiles;

/// Time limit for converting a program into a study.
const STUDY_SECONDS: u64 = 120;
/// Time limit for exporting a grown network.
const EXPORT_SECONDS: u64 = 3600;
/// Longest output of `burgeon detect --study` that is read.
const ANSWER_BYTES_MAX: usize = 8 << 20;
/// The exported program that measures the network, and the file that it writes the accuracy to.
const EVALUATE: &str = "evaluate.py";
const ACCURACY: &str = "accuracy.txt";
/// The folder, among the build's runs, that a grown network is exported to.
const EXPORTED: &str = "exported";

/// Grows the network of a program that missed the gate. `missed` is the result of the program itself.
pub(super) fn grow(build: &mut Build, target: &Target, missed: &Trained) -> Result<Trained, End> {
    let Target::Program { rule, entry, library: Some(library), .. } = target else {
        return Err(End::Verdict(Verdict::NotPassed, missed.sentence.clone()));
    };
    let folder = build.chain.places.build(build.row.id);
    let first = format!("{}: {}", entry.display(), missed.sentence);
    let (mut growth, grown) = build.stage(StageName::Grow, |build| {
        let (study, growth) = converted(build, entry, *library, missed)?;
        write(build, &growth, &folder)?;
        for lost in &growth.lost {
            build.say(&format!("not carried over: {lost}"));
        }
        let rule = study_rule(build);
        let (note, grown) = training::train_built(build, &study, rule)?;
        match grown.passed {
            true => Ok((format!("{note}. {}", grown.sentence), (growth, grown))),
            false => {
                let sentence = format!("{first} Grown by burgeon: {}", grown.sentence);
                Err(End::Verdict(Verdict::NotPassed, sentence))
            }
        }
    })?;
    build.stage(StageName::Check, |build| {
        growth.changes = changes(&report(build)?);
        write(build, &growth, &folder)?;
        let accuracy = measured(build, rule, *library)?;
        growth.exported_accuracy = Some(accuracy);
        write(build, &growth, &folder)?;
        let threshold = grown.threshold.unwrap_or(1.0);
        build.chain.store.set_accuracy(build.row.id, Some(accuracy), Some(threshold))?;
        let passed = accuracy >= threshold;
        let note = format!(
            "The exported program has {:.2} % in {}, which {} the gate of {:.2} %.",
            accuracy * 100.0,
            library.words(),
            if passed { "reaches" } else { "is below" },
            threshold * 100.0
        );
        let sentence = format!("{first} Grown by burgeon: {} {note}", grown.sentence);
        if !passed {
            return Err(End::Verdict(Verdict::NotPassed, sentence));
        }
        let part = |name: &str| ModelPart {
            name: name.into(),
            folder: build.chain.places.grown(build.row.id),
            path: name.into(),
        };
        let model = grown.model.iter().cloned().chain(library.files().map(part)).collect();
        let accuracy = Some(accuracy);
        Ok((note, Trained { accuracy, sentence, model, ..grown.clone() }))
    })
}

fn write(build: &Build, growth: &Growth, folder: &Path) -> Result<(), End> {
    growth.write(folder).map_err(|error| build.failed(error_chain(&error)))
}

/// The answer of `burgeon detect --study --json`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Answer {
    study: Option<String>,
    input: [usize; 3],
    lost: Vec<Lost>,
    why: String,
}

/// Converts a program into a study, in a separate process that analyses the program and does not run it.
fn converted(
    build: &mut Build,
    entry: &Path,
    library: Library,
    missed: &Trained,
) -> Result<(study::Built, Growth), End> {
    let checkout = build.chain.places.checkout(build.row.id);
    let mut command = Command::new(&build.chain.burgeon);
    let mut option = OsString::from("--entry=");
    option.push(entry);
    command.args(["--json", "detect", "--study"]).arg(option).arg(&checkout);
    let mut answer = Vec::new();
    let limit = Some(Duration::from_secs(STUDY_SECONDS));
    let finished = training::burgeon(build, command, limit, &mut |bytes| {
        let room = ANSWER_BYTES_MAX.saturating_sub(answer.len());
        answer.extend_from_slice(&bytes[..bytes.len().min(room)]);
    })?;
    let text = String::from_utf8_lossy(&answer);
    let answer: Answer =
        text.lines().find_map(|line| serde_json::from_str(line).ok()).unwrap_or_default();
    let not_passed = |why: &str| {
        let sentence = format!("{} It was not grown: {why}.", missed.sentence);
        End::Verdict(Verdict::NotPassed, sentence)
    };
    let text = match (finished, answer.study) {
        (Finished::Exited(0), Some(text)) => text,
        (Finished::Exited(3), _) => {
            return Err(not_passed(&answer.why));
        }
        (Finished::Stopped, _) => return Err(build.stop.end()),
        (Finished::OutOfTime, _) => {
            let why = format!("its analysis exceeded the time limit of {STUDY_SECONDS} s");
            return Err(not_passed(&why));
        }
        (finished, _) => {
            return Err(build.failed(format!("`burgeon detect --study` {finished}; see the log")));
        }
    };
    let invalid = |error: &dyn std::error::Error| {
        build.failed(format!("the study of the program is not valid: {}", error_chain(error)))
    };
    let mut study: StudyFile =
        StudyDocument::new("study.toml", text).parse().map_err(|error| invalid(&error))?;
    let rule = study_rule(build);
    let given = build.repository.data.as_deref();
    let seen_at = if rule.is_some() { Some(Path::new(DATA)) } else { given };
    let found = find_data(&mut study.data, answer.input, &checkout, given).map_err(not_passed)?;
    let path = found.and_then(|below| Some(joined(seen_at?, &below)));
    let demands = training::demands(build, rule)?;
    let seen = training::seen_at(&checkout, rule);
    let mut built = study::made_safe(study, Path::new("study.toml"), seen, demands)
        .map_err(|error| invalid(&error))?;
    if path.is_some() {
        built.study.data.path = path;
    }
    // The folder of the images is known, so a path that could not be carried over does not matter.
    let is_lost =
        |lost: &&Lost| built.study.data.path.is_none() || !lost.why.contains("[data] path");
    let lost = answer.lost.iter().filter(is_lost).map(ToString::to_string).collect();
    let growth = Growth {
        program: entry.display().to_string(),
        library,
        accuracy: missed.accuracy.unwrap_or(0.0),
        lost,
        changes: Vec::new(),
        exported_accuracy: None,
    };
    Ok((built, growth))
}

fn report(build: &Build) -> Result<Report, End> {
    let records = ledger::read(&RealFiles, &grown_run(build)?.join("events.jsonl"))
        .map_err(|error| build.failed(error_chain(&error)))?;
    Ok(Report::from_records(&records))
}

/// The run in which the network was grown.
fn grown_run(build: &Build) -> Result<PathBuf, End> {
    let run = training::run_folder(&build.chain.places.runs(build.row.id));
    run.ok_or_else(|| build.failed("the run of the grown study is missing"))
}

/// Exports the grown network, runs its program as the rule runs the original one, and returns the accuracy that it
/// reports.
fn measured(build: &mut Build, rule: &ProgramRule, library: Library) -> Result<f64, End> {
    if !rule.rule.command.iter().any(|word| word.contains("{entry}")) {
        return Err(build.failed(
            "the command of the rule does not contain {entry}, so it cannot run the exported program",
        ));
    }
    let grown = build.chain.places.grown(build.row.id);
    if !grown.is_dir() {
        export(build, library)?;
        copy(build, &build.chain.places.runs(build.row.id).join(EXPORTED), &grown)?;
    }
    // The program may write to its folder, so a copy is run: what is published is what was exported.
    let folder = build.chain.places.build(build.row.id).join("check");
    if !folder.is_dir() {
        copy(build, &grown, &folder)?;
    }
    let command: Vec<String> =
        rule.rule.command.iter().map(|word| word.replace("{entry}", EVALUATE)).collect();
    program::measured(build, &command, rule, &folder, &Score::File(ACCURACY.into()))
}

fn copy(build: &Build, exported: &Path, to: &Path) -> Result<(), End> {
    copy_as_a_whole(exported, to)
        .map_err(|error| build.failed(format!("cannot copy the exported program: {error}")))
}

/// Exports the grown network with a program that measures it.
fn export(build: &mut Build, library: Library) -> Result<(), End> {
    let runs = build.chain.places.runs(build.row.id);
    let run = grown_run(build)?;
    let rule = study_rule(build);
    let (seen_runs, data) = match rule {
        Some(_) => (Path::new("/output"), build.repository.data.as_ref().map(|_| DATA.into())),
        None => (&*runs, build.repository.data.clone()),
    };
    let seen_run = seen_runs.join(run.file_name().unwrap_or_default());
    let mut words: Vec<OsString> = ["export".into(), seen_run.into()].into();
    words.extend(["--evaluation", "--format", library.format(), "--output"].map(Into::into));
    words.push(seen_runs.join(EXPORTED).into());
    if let Some(data) = data {
        words.extend(["--data".into(), data.into_os_string()]);
    }
    let finished = match rule {
        Some(rule) => {
            // How the rule starts burgeon, without the subcommand.
            let is_command = |word: &&String| !["supervise", "tune"].contains(&word.as_str());
            let mut command: Vec<String> =
                rule.rule.command.iter().take_while(is_command).cloned().collect();
            command.extend(words.iter().map(|word| word.to_string_lossy().into_owned()));
            let contained = Contained {
                rule,
                command,
                output: runs,
                mounts: Vec::new(),
                seconds: Some(EXPORT_SECONDS),
            };
            contained.run(build, &mut |_| {})?
        }
        None => {
            let mut command = Command::new(&build.chain.burgeon);
            command.args(words);
            training::burgeon(
                build,
                command,
                Some(Duration::from_secs(EXPORT_SECONDS)),
                &mut |_| {},
            )?
        }
    };
    match finished {
        Finished::Exited(0) => Ok(()),
        Finished::Stopped => Err(build.stop.end()),
        finished => Err(build.failed(format!("`burgeon export` {finished}; see the log"))),
    }
}
