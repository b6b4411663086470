//! Retrainings as rows among builds. What is on record is in their registries; nothing is kept here.

use std::path::PathBuf;
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::words::{cut, time};
use crate::chain::{Config, StageName, StageRow, StageState};
use crate::registry::{Action, Judgement, Record, Registry};
use crate::report::markup::Markup;
use crate::retrain::Retraining;
use crate::sys::files::RealFiles;

/// A retraining.
#[derive(Debug, Clone)]
pub(in crate::serve) struct Pass {
    registry: PathBuf,
    retraining: Retraining,
    /// The decision, and a later rollback.
    records: Vec<Record>,
    /// Whether it waits for its turn.
    waits: bool,
}

impl Pass {
    /// The retrainings of all registries, newest first. A registry that cannot be read has none; `/retraining` says why.
    pub(in crate::serve) fn all(config: &Config) -> Vec<Self> {
        let mut passes: Vec<Self> = Vec::new();
        for entry in &config.retrain {
            let Ok(registry) = Registry::open(Arc::new(RealFiles), &entry.registry) else {
                continue;
            };
            let first = passes.len();
            let pass = |retraining| Self {
                registry: entry.registry.clone(),
                retraining,
                records: Vec::new(),
                waits: false,
            };
            for (record, retraining) in registry.retrainings().unwrap_or_default() {
                let known = passes[first..].iter_mut();
                match known.rev().find(|known| known.retraining.number == retraining.number) {
                    Some(known) => known.records.push(record),
                    None => passes.push(Self { records: vec![record], ..pass(retraining) }),
                }
            }
            let state = registry.retraining_state().ok().flatten().unwrap_or_default();
            let told = serde_json::from_value::<Retraining>(state["retraining"].clone());
            let is_decided =
                |number| passes[first..].iter().any(|pass| pass.retraining.number == number);
            if let Some(retraining) = told.ok().filter(|told| !is_decided(told.number)) {
                let waits = state["state"]["waiting"].is_string();
                passes.push(Self { waits, ..pass(retraining) });
            }
        }
        passes.sort_by_key(|pass| std::cmp::Reverse(pass.created()));
        passes
    }

    /// When it began, in milliseconds since 1970.
    pub(in crate::serve) fn created(&self) -> i64 {
        self.retraining.begun.as_millisecond()
    }

    /// Whether it trains.
    pub(in crate::serve) fn is_running(&self) -> bool {
        self.records.is_empty() && !self.waits
    }

    fn ended(&self) -> Option<Timestamp> {
        self.records.first().map(|record| record.at)
    }

    fn judgement(&self) -> Option<&Judgement> {
        let record = self.records.first()?;
        record.judgement.as_ref().or(record.judgement_of_feedback.as_ref())
    }

    /// Its state in words, and the class of its colour.
    fn state(&self) -> (&'static str, &'static str) {
        match self.records.last() {
            None if self.waits => ("waiting", "open"),
            None => ("running", "running"),
            Some(record) => outcome(record),
        }
    }

    fn why(&self) -> String {
        self.records.last().map(why).unwrap_or_default()
    }

    fn stages(&self) -> Vec<StageRow> {
        let stage = |name, state, started: Timestamp, ended: Option<Timestamp>| StageRow {
            name,
            state,
            started: started.as_millisecond(),
            ended: ended.map(Timestamp::as_millisecond),
            note: String::new(),
        };
        let begun = self.retraining.begun;
        let Some(record) = self.records.first() else {
            let train = stage(StageName::Train, StageState::Running, begun, None);
            return if self.waits { Vec::new() } else { vec![train] };
        };
        let trained = record.retraining.as_ref().and_then(|known| known.trained);
        // Older records do not say when.
        let trained = trained.or(self.judgement().map(|_| record.at));
        let Some(trained) = trained else {
            return vec![stage(StageName::Train, StageState::Failed, begun, Some(record.at))];
        };
        let is_promoted = record.action == Action::Promoted;
        let judged = if is_promoted { StageState::Done } else { StageState::Failed };
        let mut stages = vec![
            stage(StageName::Train, StageState::Done, begun, Some(trained)),
            stage(StageName::Judge, judged, trained, Some(record.at)),
        ];
        if is_promoted {
            stages.push(stage(StageName::Publish, StageState::Done, record.at, Some(record.at)));
        }
        stages
    }

    /// Its row in the table of builds.
    pub(super) fn row(
        &self,
        body: &mut Markup,
        columns: impl Iterator<Item = StageName>,
        now: i64,
    ) {
        let Retraining { number, cause, .. } = self.retraining;
        body.element("tr", &[("class", &"retrain")], |row| {
            row.element("th", &[("scope", &"row")], |head| {
                let link: [(&str, &dyn std::fmt::Display); 2] =
                    [("href", &"/retraining"), ("class", &"number")];
                head.leaf("a", &link, format_args!("retraining {number}"));
                let (word, class) = self.state();
                head.leaf("span", &[("class", &format_args!("badge {class}"))], word);
                time(head, self.created(), now);
            });
            row.element("td", &[("class", &"what")], |cell| {
                cell.leaf("p", &[], format_args!("{}: {}", self.registry.display(), cause.words()));
                let why = self.why();
                if !why.is_empty() {
                    cell.leaf("p", &[("class", &"quiet why")], cut(&why, 140));
                }
            });
            let stages = self.stages();
            for name in columns {
                let stage = stages.iter().find(|stage| stage.name == name);
                super::stages::cell(row, name, stage, None, now);
            }
            row.element("td", &[("class", &"accuracy")], |cell| {
                let judged = self.judgement();
                let figures = judged.map(|judged| (judged.accuracy, judged.gate));
                super::stages::accuracy(cell, figures.map(|it| it.0), figures.map(|it| it.1));
            });
        });
    }

    /// The same for programs.
    pub(in crate::serve) fn json(&self) -> Value {
        json!({
            "kind": "retrain",
            "registry": self.registry,
            "number": self.retraining.number,
            "cause": self.retraining.cause,
            "state": self.state().0,
            "why": self.why(),
            "created": self.created(),
            "ended": self.ended().map(Timestamp::as_millisecond),
            "stages": self.stages(),
            "accuracy": self.judgement().map(|judged| judged.accuracy),
            "threshold": self.judgement().map(|judged| judged.gate),
        })
    }
}

/// A decision in words, and the class of its colour.
pub(super) fn outcome(record: &Record) -> (&'static str, &'static str) {
    match record.action {
        Action::Promoted => ("promoted", "accepted"),
        Action::RolledBack => ("rolled back", "rejected"),
        _ => ("refused", "rejected"),
    }
}

/// Why it was made.
pub(super) fn why(record: &Record) -> String {
    let own = record.retraining.iter().map(|known| known.why.clone()).filter(|why| !why.is_empty());
    let judged = [&record.judgement_of_feedback, &record.judgement].into_iter().flatten();
    own.chain(judged.flat_map(|judged| judged.reasons.clone())).collect::<Vec<_>>().join("; ")
}
