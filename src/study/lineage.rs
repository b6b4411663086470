//! The tree of a study's trials, out of its record.

use std::fmt::Write;

use serde::Serialize;

use crate::ledger::{Event, Recorded, Verdict};
use crate::spec::Edit;
use crate::tune::Finding;

/// The trials of a study, each with the one that it grew from.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Lineage {
    /// In order.
    pub trials: Vec<Generation>,
}

/// One trial of a [`Lineage`].
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Generation {
    /// Its number, counted from 1.
    pub trial: u32,
    /// The trial that it grew from.
    pub parent: Option<u32>,
    /// What was changed, in words.
    pub edits: Vec<String>,
    /// Why.
    pub reason: String,
    /// What it kept of what its parent learned: nothing, weights, or state.
    pub inherit: String,
    /// Trainable parameters.
    pub parameters: u64,
    /// Floating-point operations for one image, forward.
    pub flops_per_image: u64,
    /// Epochs trained so far.
    pub epochs: u32,
    /// Best validation accuracy so far, 0..=1.
    pub accuracy: f64,
    /// Seconds of training; `None` while it runs.
    pub train_seconds: Option<f64>,
    /// What its curves say; `None` while it runs.
    pub finding: Option<Finding>,
    /// Whether it opened the gate.
    pub opened: bool,
}

impl Lineage {
    /// Folds a record.
    pub fn of(records: &[Recorded]) -> Self {
        let mut lineage = Self { trials: Vec::new() };
        for recorded in records {
            lineage.take(&recorded.event);
        }
        lineage
    }

    fn take(&mut self, event: &Event) {
        match event {
            Event::TrialStarted {
                trial,
                parent,
                edits,
                inherit,
                reason,
                parameters,
                flops_per_image,
                ..
            } if self.find(*trial).is_none() => {
                let edits: Vec<Edit> = serde_json::from_value(edits.clone()).unwrap_or_default();
                self.trials.push(Generation {
                    trial: *trial,
                    parent: *parent,
                    edits: edits.iter().map(ToString::to_string).collect(),
                    reason: reason.clone(),
                    inherit: inherit.clone(),
                    parameters: *parameters,
                    flops_per_image: *flops_per_image,
                    epochs: 0,
                    accuracy: 0.0,
                    train_seconds: None,
                    finding: None,
                    opened: false,
                });
            }
            Event::EpochFinished { trial, validation_accuracy, .. } => {
                if let Some(found) = self.find(*trial) {
                    found.epochs += 1;
                    found.accuracy = found.accuracy.max(*validation_accuracy);
                }
            }
            Event::TrialFinished {
                trial,
                epochs,
                validation_accuracy,
                train_seconds,
                diagnosis,
                ..
            } => {
                if let Some(found) = self.find(*trial) {
                    found.epochs = *epochs;
                    found.accuracy = *validation_accuracy;
                    found.train_seconds = Some(*train_seconds);
                    found.finding = serde_json::from_value(diagnosis.clone()).ok();
                }
            }
            Event::GateDecided { trial, decision, .. } => {
                if let Some(found) = self.find(*trial) {
                    found.opened = *decision == Verdict::Accept;
                }
            }
            _ => {}
        }
    }

    fn find(&mut self, trial: u32) -> Option<&mut Generation> {
        self.trials.iter_mut().find(|found| found.trial == trial)
    }

    /// The tree as text, a trial under the one that it grew from.
    pub fn tree(&self) -> String {
        let mut text = String::new();
        for root in self.children(None) {
            self.draw(root, "", "", &mut text);
        }
        text
    }

    fn children(&self, of: Option<u32>) -> impl Iterator<Item = &Generation> {
        self.trials.iter().filter(move |trial| trial.parent == of)
    }

    fn draw(&self, trial: &Generation, first: &str, rest: &str, text: &mut String) {
        let _ = writeln!(text, "{first}{}", trial.headline());
        let mut children = self.children(Some(trial.trial)).peekable();
        let stem = if children.peek().is_some() { "│" } else { " " };
        for line in trial.details() {
            let _ = writeln!(text, "{rest}{stem}    {line}");
        }
        while let Some(child) = children.next() {
            let (first, below) =
                if children.peek().is_some() { ("├─ ", "│  ") } else { ("└─ ", "   ") };
            self.draw(child, &format!("{rest}{first}"), &format!("{rest}{below}"), text);
        }
    }
}

impl Generation {
    fn headline(&self) -> String {
        let seconds = match self.train_seconds {
            Some(seconds) => format!("{seconds:.1} s"),
            None => "not finished".into(),
        };
        let mark = if self.opened { "  opens the gate" } else { "" };
        format!(
            "trial {}  {:.2} %  {} parameters, {} FLOPs, {} epochs, {seconds}{mark}",
            self.trial,
            self.accuracy * 100.0,
            self.parameters,
            self.flops_per_image,
            self.epochs,
        )
    }

    fn details(&self) -> Vec<String> {
        let mut lines: Vec<String> = self.edits.iter().map(|edit| format!("+ {edit}")).collect();
        if self.parent.is_some() {
            let kept = match self.inherit.as_str() {
                "weights" => "keeps its parent's weights",
                "state" => "trains on from its parent's last state",
                _ => "starts from fresh weights",
            };
            lines.push(format!("{kept}; because {}", self.reason));
        }
        if let Some(finding) = self.finding.as_ref().filter(|_| !self.opened) {
            lines.push(format!("{}: {}", finding.diagnosis, finding.evidence));
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use serde_json::json;

    use super::*;

    fn started(trial: u32, parent: Option<u32>) -> Event {
        Event::TrialStarted {
            trial,
            parent,
            edits: json!([{ "add_epochs": { "epochs": trial } }]),
            inherit: "state".into(),
            reason: "why not".into(),
            spec_hash: String::new(),
            parameters: 10,
            flops_per_image: 20,
            expected_seconds: None,
        }
    }

    #[test]
    fn a_trial_stands_under_the_one_it_grew_from() {
        let events =
            [started(1, None), started(2, Some(1)), started(3, Some(2)), started(4, Some(1))];
        let at = Timestamp::UNIX_EPOCH;
        let records: Vec<Recorded> =
            events.into_iter().map(|event| Recorded { at, event }).collect();
        let tree = Lineage::of(&records).tree();
        let line = |trial: u32| {
            let headline = format!("trial {trial} ");
            tree.lines().position(|line| line.contains(&headline)).unwrap()
        };
        assert!(line(1) < line(2) && line(2) < line(3) && line(3) < line(4), "{tree}");
        assert!(tree.contains("├─ trial 2") && tree.contains("│  └─ trial 3"), "{tree}");
        assert!(tree.contains("└─ trial 4") && tree.contains("train for 4 more epochs"), "{tree}");
    }
}
