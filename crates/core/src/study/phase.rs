//! The phases of a study: the original one, and one for each extension.

use serde::{Deserialize, Serialize};

use super::setup::{Growth, StudySetup};
use crate::ledger::{Event, Recorded};
use crate::record::Ending;
use crate::spec::{Problem, Spec, SpecError};
use crate::tune::TrialRecord;

/// How to extend a finished study. Its trials are kept, and new ones continue their numbering.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Extension {
    /// Trials added to the budget. A study that began without growth may grow from then on.
    pub more_trials: u32,
    /// Epochs that the best trial is trained further, as a new trial.
    pub more_epochs: u32,
    /// The new accuracy of the gate, 0..=1. A trained model that reaches it is accepted at once.
    pub gate: Option<f64>,
}

impl Extension {
    /// Whether nothing would be extended.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Checks what can be checked of the gate without the study.
    pub(super) fn check_gate(&self) -> Result<(), SpecError> {
        match self.gate {
            Some(gate) if !(0.0..=1.0).contains(&gate) => {
                let problem = Problem {
                    key: "gate.accuracy".into(),
                    message: format!("{gate} is out of range"),
                    help: "use a number from 0 to 1".into(),
                    location: None,
                };
                Err(SpecError { origin: String::new(), text: None, problems: vec![problem] })
            }
            _ => Ok(()),
        }
    }
}

/// The settings of the trials from the start of a study, or of an extension, to the end after it.
#[derive(Debug, Clone)]
pub(super) struct Phase {
    /// Number of the extension; 0 for the original study.
    pub(super) number: u32,
    /// The extension; empty for the original study.
    pub(super) extension: Extension,
    /// The first trial's spec, with the gate and the budget of this phase.
    pub(super) spec: Spec,
    /// Whether failed trials are followed by edited ones.
    pub(super) growth: Growth,
    /// Trials that were judged before it.
    pub(super) trials_before: usize,
}

impl Phase {
    /// The original study.
    pub(super) fn first(setup: &StudySetup) -> Self {
        Self {
            number: 0,
            extension: Extension::default(),
            spec: setup.spec.clone(),
            growth: setup.growth,
            trials_before: 0,
        }
    }

    /// The phase that `extension` starts, after `trials` judged trials.
    ///
    /// # Errors
    ///
    /// If the gate or the number of trials is out of range.
    pub(super) fn extended(&self, extension: Extension, trials: usize) -> Result<Self, SpecError> {
        let mut file = self.spec.file().clone();
        let allowed = match self.growth {
            Growth::On => file.tune.trials.max(trials),
            Growth::Off => trials,
        };
        let longer = usize::from(extension.more_epochs > 0);
        file.tune.trials = allowed.saturating_add(extension.more_trials as usize + longer);
        file.gate.accuracy = extension.gate.unwrap_or(file.gate.accuracy);
        Ok(Self {
            number: self.number + 1,
            extension,
            spec: Spec::new(file, self.spec.input())?,
            growth: if extension.more_trials > 0 { Growth::On } else { self.growth },
            trials_before: trials,
        })
    }

    /// All phases in the record, the current one last.
    ///
    /// # Errors
    ///
    /// When an extension of the record is out of range.
    pub(super) fn all(setup: &StudySetup, records: &[Recorded]) -> Result<Vec<Self>, SpecError> {
        let mut phases = vec![Self::first(setup)];
        let mut judged = 0;
        for recorded in records {
            match recorded.event {
                Event::GateDecided { trial, .. } => judged = judged.max(trial as usize),
                Event::StudyExtended { more_trials, more_epochs, gate, .. } => {
                    let extension = Extension { more_trials, more_epochs, gate };
                    let extended = phases[phases.len() - 1].extended(extension, judged)?;
                    phases.push(extended);
                }
                _ => {}
            }
        }
        Ok(phases)
    }

    /// A trial's spec with the gate and budget of this phase, for policies to read.
    ///
    /// # Errors
    ///
    /// If the spec is not valid with them.
    pub(super) fn adopt(&self, spec: &Spec) -> Result<Spec, SpecError> {
        if spec.gate() == self.spec.gate() && spec.tune() == self.spec.tune() {
            return Ok(spec.clone());
        }
        let mut file = spec.file().clone();
        file.gate = *self.spec.gate();
        file.tune = self.spec.tune().clone();
        Spec::new(file, spec.input())
    }
}

/// The trial that an extension trains further: the most accurate one that did not diverge.
pub(super) fn trial_to_continue(history: &[TrialRecord]) -> Option<&TrialRecord> {
    let trained = history.iter().filter(|record| record.ending != Ending::Diverged);
    trained.reduce(|best, record| if record.score() >= best.score() { record } else { best })
}
