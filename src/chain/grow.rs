//! The stages of a program that missed the gate: it becomes a study, which is trained and grown; the grown network is
//! written back as a program, which is run where the first one ran, and held to the gate.

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
use super::store::{StageName, Verdict};
use super::{program, study, training};
use crate::detect::Lost;
use crate::ledger;
use crate::report::Report;
use crate::spec::{DataSpec, Size, Source, StudyDocument, StudyFile};
use crate::sys::error_chain;
use crate::sys::files::RealFiles;

/// Longest time of turning a program into a study, whose steps are bounded too.
const STUDY_SECONDS: u64 = 120;
/// Longest time of writing the program of a grown network.
const EXPORT_SECONDS: u64 = 3600;
/// Longest answer of `burgeon detect --study`.
const ANSWER_BYTES_MAX: usize = 8 << 20;
/// The program that measures an exported network, and where it writes the accuracy.
const EVALUATE: &str = "evaluate.py";
const ACCURACY: &str = "accuracy.txt";
/// The folder of the build's runs that a grown network is exported to.
const EXPORTED: &str = "exported";

/// Grows the network of a program that missed the gate. `missed` is what came of the program itself.
pub(super) fn grow(build: &mut Build, target: &Target, missed: &Trained) -> Result<Trained, End> {
    let Target::Program { rule, entry, library: Some(library), .. } = target else {
        return Err(End::Verdict(Verdict::NotPassed, missed.sentence.clone()));
    };
    let folder = build.chain.places.build(build.row.id);
    let first = format!("{}: {}", entry.display(), missed.sentence);
    let (mut growth, grown) = build.stage(StageName::Grow, |build| {
        let (study, growth) = carried_over(build, entry, *library, missed)?;
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
        let accuracy = checked(build, rule, *library)?;
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

/// The study of a program, which is followed in a process of its own and not run.
fn carried_over(
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
            return Err(not_passed(&format!("no study can be made of it: {}", answer.why)));
        }
        (Finished::Stopped, _) => return Err(build.stop.end()),
        (Finished::OutOfTime, _) => {
            let why = format!("following it takes longer than {STUDY_SECONDS} s");
            return Err(not_passed(&why));
        }
        (finished, _) => {
            return Err(build
                .failed(format!("burgeon detect --study ended as {finished:?}, as the log says")));
        }
    };
    let wrong = |error: &dyn std::error::Error| {
        build.failed(format!("the study of the program is wrong: {}", error_chain(error)))
    };
    let mut study: StudyFile =
        StudyDocument::new("study.toml", text).parse().map_err(|error| wrong(&error))?;
    let rule = study_rule(build);
    let given = build.repository.data.as_deref();
    let seen_at = if rule.is_some() { Some(Path::new(DATA)) } else { given };
    let found = data_of(&mut study.data, answer.input, &checkout, given).map_err(not_passed)?;
    let path = found.and_then(|below| Some(joined(seen_at?, &below)));
    let demands = training::demands(build, rule)?;
    let seen = training::seen_at(&checkout, rule);
    let mut built = study::made_safe(study, Path::new("study.toml"), seen, demands)
        .map_err(|error| wrong(&error))?;
    if path.is_some() {
        built.study.data.path = path;
    }
    // Where the images lie is settled.
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

/// Where the images of a study lie: a path below the repository's `data`, whose path is then left out of `data`, or `None`
/// where the study itself says it. The error says why they are not found.
fn data_of(
    data: &mut DataSpec,
    [channels, height, width]: [usize; 3],
    checkout: &Path,
    given: Option<&Path>,
) -> Result<Option<PathBuf>, &'static str> {
    if let Some(path) = &data.path
        && let Some(inside) = study::inside(Path::new(""), path)
        && checkout.join(inside).exists()
    {
        return Ok(None);
    }
    let Some(given) = given else {
        // burgeon looks for MNIST by itself.
        return match (data.source, &data.path) {
            (Source::Mnist, None) => Ok(None),
            _ => Err(
                "its images are not in the repository; `data` of the repository in server.toml says where they are",
            ),
        };
    };
    // As a program finds the folder, in a container or not.
    let named = data.path.take();
    let below = named.iter().find_map(|path| {
        let rest = path.strip_prefix(DATA).or_else(|_| path.strip_prefix(given)).ok()?;
        study::inside(Path::new(""), rest).filter(|rest| given.join(rest).exists())
    });
    let below = below.unwrap_or_default();
    let Some((source, file)) = looks_like(&given.join(&below), data.source) else {
        return Err(
            "the folder that `data` of the repository names has no images in a form that burgeon reads (docs/formats.md)",
        );
    };
    data.source = source;
    let is_framed = !matches!(source, Source::Mnist | Source::Idx);
    data.size = is_framed.then_some(Size { height, width });
    data.channels = is_framed.then_some(channels).filter(|channels| [1, 3].contains(channels));
    // MNIST's folder is `--data`.
    Ok((source != Source::Mnist).then(|| joined(&below, &file)))
}

/// A folder and a path below it, which may be empty.
fn joined(folder: &Path, below: &Path) -> PathBuf {
    if below.as_os_str().is_empty() { folder.into() } else { folder.join(below) }
}

/// The kind of data set in a folder, and its file there where it is in one; `named` is what the program says.
fn looks_like(folder: &Path, named: Source) -> Option<(Source, PathBuf)> {
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .ok()?
        .flatten()
        .take(10_000)
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    let begins = |start: &str| names.iter().any(|name| name.starts_with(start));
    let ends = |end: &str| names.iter().find(|name| name.ends_with(end));
    let here = |source| Some((source, PathBuf::new()));
    if begins("train-images") {
        return here(if named == Source::Mnist { named } else { Source::Idx });
    }
    if begins("data_batch_") || begins("cifar-10") {
        return here(Source::Cifar);
    }
    if let Some(file) = ends(".npz") {
        return Some((Source::Npz, file.into()));
    }
    if ends(".csv").is_some() {
        return here(Source::Csv);
    }
    names.iter().any(|name| folder.join(name).is_dir()).then_some((Source::Folder, PathBuf::new()))
}

fn report(build: &Build) -> Result<Report, End> {
    let run = training::run_folder(&build.chain.places.runs(build.row.id));
    let run = run.ok_or_else(|| build.failed("the run of the grown study is not there"))?;
    let records = ledger::read(&RealFiles, &run.join("events.jsonl"))
        .map_err(|error| build.failed(error_chain(&error)))?;
    Ok(Report::from_records(&records))
}

/// Exports the grown network, runs the program where the repository's own ran, and returns the accuracy that it reports.
fn checked(build: &mut Build, rule: &ProgramRule, library: Library) -> Result<f64, End> {
    if !rule.rule.command.iter().any(|word| word.contains("{entry}")) {
        return Err(build.failed(
            "the command of the rule has no {entry}, so that the exported program cannot be run with it",
        ));
    }
    let grown = build.chain.places.grown(build.row.id);
    if !grown.is_dir() {
        export(build, library)?;
        let exported = build.chain.places.runs(build.row.id).join(EXPORTED);
        copy_as_a_whole(&exported, &grown)
            .map_err(|error| build.failed(format!("cannot copy the exported program: {error}")))?;
    }
    // The program may write there; what is published is what was exported.
    let folder = build.chain.places.build(build.row.id).join("check");
    if !folder.is_dir() {
        copy_as_a_whole(&grown, &folder)
            .map_err(|error| build.failed(format!("cannot copy the exported program: {error}")))?;
    }
    let command: Vec<String> =
        rule.rule.command.iter().map(|word| word.replace("{entry}", EVALUATE)).collect();
    program::measured(build, &command, rule, &folder, &Score::File(ACCURACY.into()))
}

fn export(build: &mut Build, library: Library) -> Result<(), End> {
    let runs = build.chain.places.runs(build.row.id);
    let run = training::run_folder(&runs)
        .ok_or_else(|| build.failed("the run of the grown study is not there"))?;
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
            // Whatever the rule starts burgeon with, but for what it has it do.
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
        finished => Err(build.failed(format!(
            "the grown network could not be exported ({finished:?}), as the log says"
        ))),
    }
}

#[cfg(test)]
mod tests;
