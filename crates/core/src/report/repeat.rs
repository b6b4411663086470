//! The commands that repeat a run, and that use what it made.

use std::borrow::Cow;

use super::Report;
use crate::spec::{Source, StudyDocument};

impl Report {
    /// What each command does, and the command as a shell takes it.
    pub(super) fn commands(&self) -> Vec<(&'static str, String)> {
        let started = &self.started;
        let run = quoted(&started.run);
        if started.run.is_empty() {
            return Vec::new();
        }
        let mut commands = Vec::new();
        if let Some(study) = &self.study {
            let mut train = String::new();
            let on_cpu = started.device.starts_with("cpu");
            if let Some(set) = started.instruction_set.as_ref().filter(|_| on_cpu) {
                train += &format!("BURGEON_CPU={} ", quoted(set));
            }
            let command = if started.command == "train" { "train" } else { "tune" };
            let study_file = quoted(&format!("{}/study.toml", started.run)).into_owned();
            train += &format!("burgeon {command} {study_file} --seed {}", started.seed);
            // Other sources are named by the study file itself.
            let data = self.provenance.as_ref().and_then(|provenance| provenance.data.dir.as_ref());
            if let Some(folder) = data.filter(|_| reads_mnist(study)) {
                train += &format!(" --data {}", quoted(folder));
            }
            train += if on_cpu { " --device cpu" } else { "" };
            commands.push(("Train it again, as a new run", train));
        }
        if self.figures.best_trial.is_some() {
            commands.push(("Measure its best model", format!("burgeon eval {run}")));
            if self.test_words() != "not read" {
                let test = format!("burgeon eval {run} --split test");
                commands.push(("… on the test images, which the run records", test));
            }
            commands.push(("Classify a picture", format!("burgeon predict {run} picture.png")));
        }
        commands
    }
}

fn reads_mnist(study: &str) -> bool {
    let file = StudyDocument::new("study.toml", study).parse();
    file.is_ok_and(|file| file.data.source == Source::Mnist)
}

/// A word as a shell takes it.
fn quoted(word: &str) -> Cow<'_, str> {
    let is_plain = !word.is_empty()
        && word.chars().all(|c| c.is_ascii_alphanumeric() || "-_./=:,+@%".contains(c));
    match is_plain && !word.starts_with('-') {
        true => Cow::Borrowed(word),
        false => Cow::Owned(format!("'{}'", word.replace('\'', "'\\''"))),
    }
}

#[cfg(test)]
mod tests;
