//! The phases of a study: as it began, and as every extension of it goes on.

// In a circle with run: a study consists of phases, which are made of what it was set up with.

use serde::{Deserialize, Serialize};

use super::run::{Growth, StudySetup};
use crate::ledger::{Event, Recorded};
use crate::spec::{Spec, SpecError};

/// How a finished study is extended. What it learned is kept, and its trials are numbered on.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Extension {
    /// So many trials more than it was allowed so far. A study that was begun by `train` may grow
    /// from then on.
    pub more_trials: u32,
    /// The best trial's training goes on for so many epochs, as a trial of its own.
    pub more_epochs: u32,
    /// The accuracy that opens the gate from then on, 0..=1; a model that reaches it is accepted
    /// without training.
    pub gate: Option<f64>,
}

impl Extension {
    /// Whether it asks for nothing.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// What goes for the trials between a study's beginning, or an extension, and the end after it.
#[derive(Debug, Clone)]
pub(super) struct Phase {
    /// Extensions up to it; 0 for the study as it began.
    pub(super) number: u32,
    /// What was asked for; nothing for the study as it began.
    pub(super) extension: Extension,
    /// The first trial's spec, with the gate and the budget of this phase.
    pub(super) spec: Spec,
    /// Whether failed trials are followed by edited ones.
    pub(super) growth: Growth,
    /// Trials that were judged before it.
    pub(super) trials_before: usize,
}

impl Phase {
    /// The study as it began.
    pub(super) fn first(setup: &StudySetup) -> Self {
        Self {
            number: 0,
            extension: Extension::default(),
            spec: setup.spec.clone(),
            growth: setup.growth,
            trials_before: 0,
        }
    }

    /// The phase that an extension of this one begins, after `trials` judged ones.
    ///
    /// # Errors
    ///
    /// When the gate or the number of trials is out of range.
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

    /// All phases that the record tells of, the present one last.
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

    /// A trial's spec under this phase's gate and budget, by which policies judge it.
    ///
    /// # Errors
    ///
    /// When the two do not go together.
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
