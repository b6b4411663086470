//! Tunes broken studies and prints the diagnoses, the edits, and how long it took.
//!
//! `cargo run --profile quick --example sabotage` runs all of `models/sabotaged`; other studies or folders of
//! them can be given as arguments. A comment line `# Diagnosis: A or B` in a study gives the expected
//! diagnosis of the first trial; `*` marks studies with another one.

use std::path::{Path, PathBuf};
use std::time::Instant;

use burgeon::gate::Judgement;
use burgeon::spec::{Edit, Spec, StudyDocument};
use burgeon::study::StopFlag;
use burgeon::study::{Ended, Launch, LaunchListener, Listener, Settings};
use burgeon::unstable::ledger::Outcome;
use burgeon::unstable::tune::{Finding, Proposal, TrialRecord};

type Failure = Box<dyn std::error::Error>;

/// Remembers diagnoses and edits.
#[derive(Default)]
struct Witness {
    first: Option<String>,
    edits: Vec<String>,
}

impl Listener for Witness {
    fn trial(&mut self, trial: u32, _: &Spec, proposal: Option<&Proposal>) {
        if let Some(proposal) = proposal {
            let edits: Vec<String> = proposal.edits.iter().map(Edit::to_string).collect();
            self.edits.push(format!("trial {trial}: {}", edits.join("; ")));
        }
    }

    fn trial_ended(&mut self, _: &TrialRecord, _: &Judgement, finding: &Finding) {
        let found = format!("{}: {}", finding.diagnosis, finding.evidence);
        self.edits.push(format!("  -> {found}"));
        self.first.get_or_insert(finding.diagnosis.to_string());
    }
}

impl LaunchListener for Witness {}

/// The result of one study.
struct Row {
    name: String,
    diagnosis: String,
    is_expected: Option<bool>,
    trials: u32,
    seconds: f64,
    accuracy: f64,
    outcome: Option<Outcome>,
    edits: Vec<String>,
}

fn main() -> Result<(), Failure> {
    let named: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let named = if named.is_empty() { vec!["models/sabotaged".into()] } else { named };
    let runs = tempfile::tempdir()?;
    let mut rows = Vec::new();
    println!(
        "{:<18} {:<24} {:>6} {:>8} {:>9}",
        "study", "diagnosis", "trials", "seconds", "accuracy"
    );
    for path in studies(&named)? {
        let row = run(&path, runs.path())?;
        println!(
            "{:<18} {:<24} {:>6} {:>8.1} {:>8.2} %{}",
            row.name,
            format!("{}{}", row.diagnosis, if row.is_expected == Some(false) { " *" } else { "" }),
            row.trials,
            row.seconds,
            row.accuracy * 100.0,
            if row.outcome == Some(Outcome::Accepted) { "" } else { "  NOT PASSED" }
        );
        for line in &row.edits {
            println!("    {line}");
        }
        rows.push(row);
    }
    summarize(&rows);
    Ok(())
}

fn studies(named: &[PathBuf]) -> Result<Vec<PathBuf>, Failure> {
    let mut found = Vec::new();
    for path in named {
        if path.is_dir() {
            let entries: Result<Vec<_>, _> = std::fs::read_dir(path)?.collect();
            found.extend(entries?.into_iter().map(|entry| entry.path()));
        } else {
            found.push(path.clone());
        }
    }
    found.retain(|path| path.extension().is_some_and(|extension| extension == "toml"));
    found.sort();
    Ok(found)
}

fn run(path: &Path, runs: &Path) -> Result<Row, Failure> {
    let text = std::fs::read_to_string(path)?;
    let expected = text.lines().find_map(|line| line.strip_prefix("# Diagnosis: "));
    let expected: Option<Vec<String>> = expected
        .map(|line| line.split(" or ").map(|name| name.trim_end_matches('.').to_owned()).collect());
    let study = StudyDocument::new(path.display().to_string(), text);
    let data = std::env::var_os("BURGEON_DATA").map(PathBuf::from);
    let settings = Settings { runs: runs.into(), data, ..Settings::default() };
    let mut witness = Witness::default();
    let began = Instant::now();
    let stop = StopFlag::on_signals()?;
    let ended = Launch::new(study).settings(settings).listener(&mut witness).stop(&stop).run()?;
    let seconds = began.elapsed().as_secs_f64();
    let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let diagnosis = witness.first.unwrap_or_default();
    let is_expected = expected.map(|names| names.contains(&diagnosis));
    let (outcome, trials, accuracy) = match ended {
        Ended::Finished(finished) => {
            let result = finished.result;
            (Some(result.outcome), result.trials, result.validation_accuracy)
        }
        Ended::Stopped(stopped) => {
            return Err(format!("stopped by {}", stopped.reason.name()).into());
        }
    };
    Ok(Row {
        name,
        diagnosis,
        is_expected,
        trials,
        seconds,
        accuracy,
        outcome,
        edits: witness.edits,
    })
}

fn summarize(rows: &[Row]) {
    let passed = rows.iter().filter(|row| row.outcome == Some(Outcome::Accepted)).count();
    let mut seconds: Vec<f64> = rows.iter().map(|row| row.seconds).collect();
    seconds.sort_by(f64::total_cmp);
    let mut trials: Vec<u32> = rows.iter().map(|row| row.trials).collect();
    trials.sort_unstable();
    let judged: Vec<bool> = rows.iter().filter_map(|row| row.is_expected).collect();
    println!(
        "\n{passed} of {} passed; median {:.1} s and {} trials, most {} trials; {} of {} diagnoses as expected",
        rows.len(),
        seconds.get(rows.len() / 2).copied().unwrap_or(0.0),
        trials.get(rows.len() / 2).copied().unwrap_or(0),
        trials.last().copied().unwrap_or(0),
        judged.iter().filter(|right| **right).count(),
        judged.len()
    );
}
