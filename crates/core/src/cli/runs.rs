//! `burgeon runs`: a line for each run in a folder.

use std::cmp::Ordering;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use rayon::prelude::*;
use serde::Serialize;

use super::args::{Common, RunsArguments, SortName};
use super::error::CliError;
use super::exit::Exit;
use super::output::Output;
use super::shown::{shown, shown_line};
use super::view::{grouped, percent};
use crate::report::runs::{Foreign, RunLine, RunState, find};
use crate::sys::error_chain;
use crate::sys::process::ProcessName;

/// What is printed with `--json`.
#[derive(Debug, Serialize)]
struct Listing {
    runs: Vec<RunLine>,
    /// Folders that are no runs, and runs that cannot be read.
    problems: Vec<Problem>,
}

#[derive(Debug, Serialize)]
struct Problem {
    path: String,
    /// What is wrong with it, as a clause.
    problem: String,
    #[serde(skip)]
    is_foreign: bool,
}

/// Lists the runs in the folder of runs.
pub fn runs(arguments: &RunsArguments, common: &Common, output: &Output) -> Result<Exit, CliError> {
    let folder = &common.runs;
    let found = find(folder).map_err(CliError::File)?;
    let this = ProcessName::current();
    // In parallel, because it is the disk or the network that takes the time.
    let read = |path: &PathBuf| (path.clone(), RunLine::read(path, &this));
    let read: Vec<_> = found.runs.par_iter().map(read).collect();
    let mut listing = Listing { runs: Vec::new(), problems: Vec::new() };
    for (path, line) in read {
        match line {
            Ok(line) => listing.runs.push(line),
            // Removed while it was read.
            Err(_) if !path.exists() => {}
            Err(error) => listing.problems.push(problem(&path, error_chain(&error), false)),
        }
    }
    let foreign = found.foreign.into_iter();
    listing.problems.extend(foreign.map(|Foreign { path, why }| problem(&path, why, true)));
    if !arguments.names.is_empty() {
        listing = listing.only(&arguments.names, folder)?;
    }
    sort(&mut listing.runs, arguments.sort);
    if output.json {
        return output.result_json(&listing);
    }
    if listing.runs.is_empty() {
        output.note(&format!("no runs in {}", shown_line(&folder.to_string_lossy())));
    }
    let exit = output.result(&table(&listing.runs, Timestamp::now()))?;
    tell(&listing.problems, output);
    Ok(exit)
}

fn problem(path: &Path, problem: String, is_foreign: bool) -> Problem {
    Problem { path: path.to_string_lossy().into_owned(), problem, is_foreign }
}

impl Listing {
    /// Only the runs, and the problems, with one of these names.
    fn only(self, names: &[PathBuf], folder: &Path) -> Result<Self, CliError> {
        // A path, which a shell completes, or a name.
        let wanted: Vec<String> = names
            .iter()
            .map(|name| name.file_name().unwrap_or(OsStr::new(".")).to_string_lossy().into_owned())
            .collect();
        let is_of =
            |line: &RunLine, name: &String| line.run == *name || line.study.as_ref() == Some(name);
        let is_at = |problem: &Problem, name: &String| {
            Path::new(&problem.path).file_name() == Some(OsStr::new(name))
        };
        for name in &wanted {
            let is_there = self.runs.iter().any(|line| is_of(line, name))
                || self.problems.iter().any(|problem| is_at(problem, name));
            if !is_there {
                return Err(self.nothing_named(name, folder));
            }
        }
        let runs = self.runs.into_iter();
        let problems = self.problems.into_iter();
        Ok(Self {
            runs: runs.filter(|line| wanted.iter().any(|name| is_of(line, name))).collect(),
            problems: problems
                .filter(|problem| wanted.iter().any(|name| is_at(problem, name)))
                .collect(),
        })
    }

    fn nothing_named(&self, name: &str, folder: &Path) -> CliError {
        let known = self.runs.iter().flat_map(|line| [Some(&line.run), line.study.as_ref()]);
        let distance = |known: &&String| strsim::damerau_levenshtein(known, name);
        let nearest = known.flatten().filter(|known| distance(known) <= 3).min_by_key(distance);
        CliError::NoSuchRun {
            folder: folder.into(),
            name: shown(name, NAME_CHARACTERS_MAX),
            similar: nearest.map(|nearest| shown(nearest, NAME_CHARACTERS_MAX)),
        }
    }
}

fn sort(runs: &mut [RunLine], by: SortName) {
    // Those that have no such figure come last.
    let higher = |one: Option<f64>, other: Option<f64>| {
        let number = |figure: Option<f64>| figure.unwrap_or(f64::NEG_INFINITY);
        number(other).total_cmp(&number(one))
    };
    let newer = |one: &RunLine, other: &RunLine| other.started_at.cmp(&one.started_at);
    runs.sort_by(|one, other| {
        let order = match by {
            SortName::Age | SortName::Name => Ordering::Equal,
            SortName::State => one.state.cmp(&other.state),
            SortName::Best => higher(one.validation_accuracy, other.validation_accuracy),
            SortName::Trials => other.trials.cmp(&one.trials),
            SortName::Size => other.bytes.cmp(&one.bytes),
        };
        match by {
            SortName::Name => one.run.cmp(&other.run),
            _ => order.then_with(|| newer(one, other)).then_with(|| one.run.cmp(&other.run)),
        }
    });
}

/// The longest name that is shown as a whole; those that burgeon makes are shorter.
const NAME_CHARACTERS_MAX: usize = 72;
/// Most problems of a kind that are told one by one.
const PROBLEMS_MAX: usize = 10;

fn table(runs: &[RunLine], now: Timestamp) -> String {
    if runs.is_empty() {
        return String::new();
    }
    let head = ["run", "study", "state", "trials", "best", "gate", "age", "size"];
    let mut rows = vec![head.map(str::to_owned)];
    rows.extend(runs.iter().map(|line| row(line, now)));
    let width = |column: usize| {
        rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default()
    };
    let widths: [usize; 8] = std::array::from_fn(width);
    let mut text = String::new();
    for row in &rows {
        let cells =
            row.iter().zip(widths).enumerate().map(|(column, (cell, width))| match column {
                // Words to the left, figures to the right, except those of several words.
                0..=2 | 5 => format!("{cell:<width$}"),
                _ => format!("{cell:>width$}"),
            });
        text += cells.collect::<Vec<_>>().join("  ").trim_end();
        text.push('\n');
    }
    text
}

fn row(line: &RunLine, now: Timestamp) -> [String; 8] {
    let age = line.started_at.map(|at| now.duration_since(at).as_secs());
    [
        shown(&line.run, NAME_CHARACTERS_MAX),
        line.study.as_ref().map_or("–".into(), |study| shown(study, NAME_CHARACTERS_MAX)),
        state(line),
        grouped(line.trials as usize),
        best(line),
        gate(line),
        age.map_or("–".into(), age_words),
        size_words(line.bytes, line.bytes_are_all),
    ]
}

/// `running: trial 2, epoch 3`; `interrupted, can be resumed`.
fn state(line: &RunLine) -> String {
    let words = line.state.words();
    match (line.state, line.position, &line.holder) {
        (RunState::Running, Some(at), _) => {
            format!("{words}: trial {}, epoch {}", at.trial, at.epoch)
        }
        (RunState::Hung, _, Some(holder)) => {
            let silent = line.silent_seconds.map_or(String::new(), |seconds| {
                format!(" for {}", age_words(seconds.try_into().unwrap_or(i64::MAX)))
            });
            format!("{words}{silent}: process {}", holder.pid)
        }
        _ if line.can_be_resumed => format!("{words}, can be resumed"),
        _ => words.into(),
    }
}

/// `85.50 %`; `85.50 % (bound 83.12 %)`, if the gate judges by the bound.
fn best(line: &RunLine) -> String {
    let bound = line.bound.map_or(String::new(), |bound| format!(" (bound {})", percent(bound)));
    line.validation_accuracy.map_or("–".into(), |accuracy| percent(accuracy) + &bound)
}

/// `97 %`; `least recall 50 %`; a dash if it is not known yet.
fn gate(line: &RunLine) -> String {
    let short = |fraction: f64| {
        let digits = format!("{:.3}", fraction * 100.0);
        format!("{} %", digits.trim_end_matches('0').trim_end_matches('.'))
    };
    let accuracy = line.gate.filter(|gate| *gate > 0.0 || line.floors.is_empty()).map(short);
    let floors = line.floors.iter();
    let floors = floors.map(|floor| format!("{} {}", floor.measure.name(), short(floor.floor)));
    let all: Vec<String> = accuracy.into_iter().chain(floors).collect();
    if all.is_empty() { "–".into() } else { all.join(", ") }
}

/// `5 s`, `12 min`, `3 h`, `9 days`: the largest unit that fits. A clock that was set back makes times to come.
fn age_words(seconds: i64) -> String {
    const UNITS: [(i64, &str); 4] = [(86_400, "days"), (3_600, "h"), (60, "min"), (1, "s")];
    match seconds {
        ..0 => "to come".into(),
        0 => "0 s".into(),
        86_400..172_800 => "1 day".into(),
        seconds => UNITS
            .into_iter()
            .find(|(unit, _)| seconds >= *unit)
            .map_or(String::new(), |(unit, name)| format!("{} {name}", seconds / unit)),
    }
}

/// `4.2 MB`; `> 4.2 MB` if that is not all.
fn size_words(bytes: u64, are_all: bool) -> String {
    const UNITS: [&str; 5] = ["kB", "MB", "GB", "TB", "PB"];
    let mut size = bytes as f64 / 1e3;
    let mut unit = 0;
    while size >= 999.5 && unit + 1 < UNITS.len() {
        size /= 1e3;
        unit += 1;
    }
    let digits = usize::from(size < 9.95 && unit > 0);
    format!("{}{size:.digits$} {}", if are_all { "" } else { "> " }, UNITS[unit])
}

/// Tells what is wrong to stderr: what is no run in one line, and each run that cannot be read.
fn tell(problems: &[Problem], output: &Output) {
    let more = |count: usize| match count.saturating_sub(PROBLEMS_MAX) {
        0 => String::new(),
        more => format!(", and {more} more"),
    };
    let (foreign, unreadable): (Vec<&Problem>, Vec<&Problem>) =
        problems.iter().partition(|problem| problem.is_foreign);
    for Problem { path, problem, .. } in unreadable.iter().take(PROBLEMS_MAX) {
        output.warn(&shown_line(&format!("{path} is left out: {problem}")));
    }
    if unreadable.len() > PROBLEMS_MAX {
        output.warn(&format!("left out{}", more(unreadable.len())));
    }
    let named = |problem: &&Problem| {
        let name = Path::new(&problem.path).file_name().unwrap_or_default().to_string_lossy();
        format!("{} ({})", shown(&name, NAME_CHARACTERS_MAX), problem.problem)
    };
    if !foreign.is_empty() {
        let names: Vec<String> = foreign.iter().take(PROBLEMS_MAX).map(named).collect();
        output.note(&format!("not runs: {}{}", names.join(", "), more(foreign.len())));
    }
}

#[cfg(test)]
mod tests;
