//! Sentences of the report: result, provenance and source.

use super::{LineageTrial, Report, State, TestRead, moment, words};
use crate::gate::in_words;
use crate::ledger::Provenance;
use crate::record::Basis;

impl Report {
    /// The gate's judgement on the best trial, as a clause.
    pub(super) fn gate_text(&self, threshold: f64) -> String {
        let best = self.figures.best_trial.and_then(|best| self.lineage.find(best));
        match best {
            Some(best) => best.gate_text(threshold),
            None => {
                let accuracy = self.figures.validation_accuracy.unwrap_or(f64::NAN);
                in_words(Basis::Validation, accuracy, None, threshold, &[])
            }
        }
    }

    /// The result in one sentence.
    pub fn outcome(&self) -> String {
        let trials = words::count(self.figures.trials, "trial");
        let time = words::duration(Some(self.figures.seconds));
        let best = self.best();
        match &self.state {
            State::Accepted => format!("Accepted: {best}; {trials} in {time}."),
            State::Rejected => {
                let short = self.why_rejected();
                format!("Rejected: {short}. Best: {best}; {trials} in {time}.")
            }
            State::Stopped { signal } => format!(
                "Stopped by {signal}; continue with burgeon resume. Best so far: {best}; {trials}, {time} of training."
            ),
            State::GaveUp { cause } => format!(
                "The supervisor gave up: {cause}. Best so far: {best}; {trials}, {time} of training."
            ),
            State::Unfinished => format!(
                "Not finished: still running, or killed{}. Best so far: {best}; {trials}, {time} of training.",
                self.last_event_at.map_or(String::new(), |at| format!(" after {}", moment(at))),
            ),
        }
    }

    /// Whether built-in digits stand in for the data that the study asks for.
    #[cfg(feature = "serve")]
    pub fn is_of_other_data(&self) -> bool {
        self.fallback.is_some()
    }

    fn why_rejected(&self) -> String {
        let threshold = self.started.threshold;
        threshold.map_or("no trial passed the gate".into(), |threshold| self.gate_text(threshold))
    }

    /// The requirements of the gate: `80 %`, `80 %, least recall 50 %`.
    pub(super) fn gate_words(&self) -> String {
        let floors = self.lineage.trials.iter().map(|trial| &trial.floors);
        let floors = floors.max_by_key(|floors| floors.len()).map_or(&[][..], |floors| floors);
        let accuracy = self.started.threshold.filter(|floor| *floor > 0.0 || floors.is_empty());
        let others = floors
            .iter()
            .map(|floor| format!("{} {}", floor.measure.name(), words::short_percent(floor.floor)));
        let all: Vec<String> =
            accuracy.map(words::short_percent).into_iter().chain(others).collect();
        if all.is_empty() { "–".into() } else { all.join(", ") }
    }

    fn best(&self) -> String {
        let figures = &self.figures;
        let Some(trial) = figures.best_trial else {
            return "no trial finished an epoch".into();
        };
        let accuracy = match self.cross_validated() {
            Some(best) => best.accuracy_text(),
            None => format!("{} on validation images", figures.validation_words()),
        };
        let mut text = format!("trial {trial}, {accuracy}");
        if let Some(test) = figures.test_accuracy {
            text += &format!(", {} on test images", words::percent(Some(test)));
        }
        if let Some(parameters) = figures.parameters {
            text += &format!(", {}", words::count(parameters, "parameter"));
        }
        text
    }

    /// The best trial, if it was cross-validated.
    pub(super) fn cross_validated(&self) -> Option<&LineageTrial> {
        let best = self.figures.best_trial.and_then(|best| self.lineage.find(best));
        best.filter(|best| !best.folds.is_empty())
    }

    /// What the study inherited from a trained model, and what its best model has forgotten of it, in a
    /// sentence each.
    pub(super) fn continuation(&self) -> Vec<String> {
        let inherited = self.inherited.as_ref().map(|inherited| {
            let mut text = format!(
                "Trial 1 started with the weights of {}: {}",
                inherited.from,
                inherited.classes_words()
            );
            if !inherited.edits.is_empty() {
                let edits: Vec<String> = inherited.edits.iter().map(ToString::to_string).collect();
                text += &format!("; carried over by: {}", edits.join("; "));
            }
            text + "."
        });
        let best = self.figures.best_trial;
        let forgotten = self.forgotten.filter(|(trial, _)| best == Some(*trial));
        let forgotten = forgotten.map(|(_, forgetting)| {
            let words = forgetting.words();
            let (first, rest) = words.split_at(1);
            format!("{}{rest}.", first.to_uppercase())
        });
        inherited.into_iter().chain(forgotten).collect()
    }

    /// The provenance, as names and values.
    pub(super) fn origins(&self) -> Vec<(String, String)> {
        let started = &self.started;
        let mut items: Vec<(&str, String)> = vec![("run", started.run.clone())];
        if let Some(provenance) = &self.provenance {
            items.push(("burgeon", version(provenance)));
            items.push(("command", provenance.command.join(" ")));
            items.push(("started", moment(provenance.started_at)));
            items.extend(provenance.cpu.iter().map(|cpu| ("processor", cpu.clone())));
            items.push(("data", provenance.data.origin.clone()));
        }
        let [train, validation, test] = started.images.map(|images| words::grouped(images as u64));
        items.extend([
            ("device", started.device.clone()),
            ("threads", started.threads.to_string()),
            ("instruction set", started.instruction_set.clone().unwrap_or("not recorded".into())),
            ("seed", started.seed.to_string()),
            ("images", format!("{train} training, {validation} validation, {test} test")),
            ("spec hash", started.spec_hash.clone()),
            ("data hash", started.data_hash.clone()),
        ]);
        if let Some(inherited) = &self.inherited {
            items.extend([
                ("started with", inherited.from.clone()),
                ("SHA-256 of that model", inherited.sha256.clone()),
                ("SHA-256 of its weights", inherited.weights_hash.clone()),
            ]);
        }
        items.extend(self.test_readings().map(|readings| ("test images read", readings)));
        let hashes = self.provenance.iter().flat_map(|provenance| &provenance.data.sha256);
        let hashes = hashes.map(|(file, sha256)| (format!("SHA-256 of {file}"), sha256.clone()));
        let items = items.into_iter().map(|(name, value)| (name.to_owned(), value));
        items.chain(hashes).collect()
    }

    /// The best model's accuracy on the test images, or whether they were read for another one.
    pub(super) fn test_words(&self) -> String {
        match (self.tested(), self.readings()) {
            (Some(accuracy), _) => words::percent(Some(accuracy)),
            (None, 0) => "not read".into(),
            (None, readings) => format!("read {}{}", words::times(readings), self.not_for_this()),
        }
    }

    /// The best model's accuracy on the test images, as the study or an evaluation has measured it.
    fn tested(&self) -> Option<f64> {
        let best = self.model.as_ref().map(|model| &model.weights_hash);
        let of_this = |read: &&TestRead| Some(&read.weights_hash) == best;
        let evaluated = || self.test_reads.iter().filter(of_this).max_by_key(|read| read.images);
        let by_study = || self.tested_by_study.get(&self.figures.best_trial?).copied();
        let evaluated = || evaluated().map(|read| read.accuracy);
        self.figures.test_accuracy.or_else(by_study).or_else(evaluated)
    }

    /// How often the test images were read, by the study and besides.
    fn readings(&self) -> u64 {
        self.read_by_study + self.test_reads.len() as u64
    }

    /// A clause for readings none of which was of the best model.
    fn not_for_this(&self) -> &'static str {
        let is_known = self.test_reads.is_empty() || self.model.is_some();
        if is_known && self.tested().is_none() { ", not for this model" } else { "" }
    }

    /// How often the test images were read, if ever, and what came of it outside of the study.
    fn test_readings(&self) -> Option<String> {
        let readings = Some(self.readings()).filter(|readings| *readings > 0)?;
        let mut text = words::count(readings, "time");
        if let Some(last) = self.test_reads.last() {
            let others = self.test_reads.iter().any(|read| read.command != "eval");
            text += &format!(
                ", {} of them with burgeon eval{}; last {} on {}",
                self.test_reads.len(),
                if others { " or predict" } else { "" },
                words::percent(Some(last.accuracy)),
                words::count(last.images, "image"),
            );
        }
        Some(text + self.not_for_this())
    }

    /// The number of events, and those that are not shown.
    pub(super) fn source_note(&self) -> String {
        let mut text = format!("From {}", words::count(self.events as u64, "event"));
        if let Some(at) = self.last_event_at {
            text += &format!(", the last at {}", moment(at));
        }
        if !self.unknown.is_empty() {
            let names = self.unknown.iter().map(|(name, times)| format!("{name} ×{times}"));
            let names: Vec<String> = names.collect();
            text +=
                &format!("; not shown, because a newer version wrote them: {}", names.join(", "));
        }
        text + "."
    }
}

fn version(provenance: &Provenance) -> String {
    let commit = provenance.commit.as_ref();
    let commit = commit.map_or("an unknown commit".into(), |commit| format!("commit {commit}"));
    let changed = if provenance.dirty == Some(true) { ", changed" } else { "" };
    format!("{} ({commit}{changed})", provenance.version)
}
