//! Sentences of the report: result, provenance and source.

use super::{Report, State, moment, words};
use crate::gate::in_words;
use crate::ledger::Provenance;

impl Report {
    /// The gate's judgement on the best trial, as a clause.
    pub(super) fn gate_text(&self, threshold: f64) -> String {
        let best = self.figures.best_trial.and_then(|best| self.lineage.find(best));
        match best {
            Some(best) => best.gate_text(threshold),
            None => {
                let accuracy = self.figures.validation_accuracy.unwrap_or(f64::NAN);
                in_words(accuracy, None, threshold, &[])
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
        let mut text =
            format!("trial {trial}, {} on validation images", figures.validation_words());
        if let Some(test) = figures.test_accuracy {
            text += &format!(", {} on test images", words::percent(Some(test)));
        }
        if let Some(parameters) = figures.parameters {
            text += &format!(", {}", words::count(parameters, "parameter"));
        }
        text
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

    /// How often the test images were evaluated, if that happened outside of the study too.
    fn test_readings(&self) -> Option<String> {
        let last = self.test_reads.last()?;
        let by_study = u64::from(self.figures.test_accuracy.is_some());
        Some(format!(
            "{}, {} of them with burgeon eval; last {} on {}",
            words::count(by_study + self.test_reads.len() as u64, "time"),
            self.test_reads.len(),
            words::percent(Some(last.accuracy)),
            words::count(last.images, "image"),
        ))
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
