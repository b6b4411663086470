//! The trials of a study as its record holds them, read in one pass.

use std::collections::{BTreeMap, BTreeSet};

use super::phase::Phase;
use super::setup::{StudyError, StudySetup};
use crate::ledger::{Event, Recorded};
use crate::record::{Ending, EpochRecord, FoldResult, Forecast, Inherit, RangeTest, StudyResult};
use crate::spec::{Edit, Spec};
use crate::tune::{Proposal, TrialRecord};

/// A study's record by trial.
pub(super) struct RecordedStudy {
    /// All phases; the current one is the last.
    pub(super) phases: Vec<Phase>,
    /// The result of the current phase, if it is finished.
    pub(super) result: Option<StudyResult>,
    /// The last result, whether the study was extended after it or not.
    pub(super) last_result: Option<StudyResult>,
    /// Trials whose checkpoints were removed before the current phase.
    pub(super) removed: BTreeSet<u32>,
    trials: BTreeMap<u32, RecordedTrial>,
}

/// The recorded facts of one trial.
#[derive(Default)]
struct RecordedTrial {
    started: Option<Started>,
    curve: Vec<EpochRecord>,
    /// Why its training ended, and its seconds of training.
    ended: Option<(Ending, f64)>,
    rates: Option<RangeTest>,
    /// The folds that were measured.
    folds: Vec<FoldResult>,
}

/// A trial in a line of descent, as its networks for folds are trained.
pub(super) struct Forebear {
    pub(super) trial: u32,
    /// Its spec, with the gate and the budget that the study began with, so that an extension changes nothing.
    pub(super) spec: Spec,
    /// Its own epochs.
    pub(super) curve: Vec<EpochRecord>,
    /// The trial that it was grown from.
    pub(super) parent: Option<Bequest>,
}

/// What a trial was grown from.
pub(super) struct Bequest {
    pub(super) trial: u32,
    pub(super) spec: Spec,
    pub(super) edits: Vec<Edit>,
    pub(super) inherit: Inherit,
}

struct Started {
    /// Index of the phase that it was started in.
    phase: usize,
    parent: Option<u32>,
    edits: Vec<Edit>,
    reason: String,
    inherit: Inherit,
    spec_hash: String,
    forecast: Option<Forecast>,
}

impl RecordedStudy {
    /// Reads a record.
    ///
    /// # Errors
    ///
    /// If an extension in it is out of range.
    pub(super) fn read(setup: &StudySetup, records: &[Recorded]) -> Result<Self, StudyError> {
        let mut study = Self {
            phases: Phase::all(setup, records)?,
            result: None,
            last_result: None,
            removed: BTreeSet::new(),
            trials: BTreeMap::new(),
        };
        let extended = records
            .iter()
            .rposition(|recorded| matches!(recorded.event, Event::StudyExtended { .. }));
        let mut phase = 0;
        for (place, recorded) in records.iter().enumerate() {
            match &recorded.event {
                Event::StudyExtended { .. } => {
                    phase += 1;
                    study.result = None;
                }
                Event::StudyFinished(result) => {
                    study.result = Some(result.clone());
                    study.last_result = Some(result.clone());
                }
                Event::CheckpointsRemoved { trial, .. } if Some(place) < extended => {
                    study.removed.insert(*trial);
                }
                event => study.add(phase, event),
            }
        }
        Ok(study)
    }

    /// Adds an event to the facts of its trial.
    fn add(&mut self, phase: usize, event: &Event) {
        match event {
            Event::TrialStarted {
                trial,
                parent,
                edits,
                reason,
                inherit,
                spec_hash,
                forecast,
                ..
            } => {
                self.trials.entry(*trial).or_default().started.get_or_insert_with(|| Started {
                    phase,
                    parent: *parent,
                    edits: edits.clone(),
                    reason: reason.clone(),
                    inherit: *inherit,
                    spec_hash: spec_hash.clone(),
                    forecast: forecast.clone(),
                });
            }
            Event::EpochFinished { trial, .. } => {
                let curve = &mut self.trials.entry(*trial).or_default().curve;
                if let Some(epoch) = recorded_epoch(event) {
                    add_epoch(curve, epoch);
                }
            }
            Event::TrialFinished { trial, train_seconds, diagnosis, .. } => {
                let ended = (diagnosis.ending, *train_seconds);
                self.trials.entry(*trial).or_default().ended = Some(ended);
            }
            Event::FoldFinished { .. } => {
                if let Some((trial, fold)) = event.measured_fold() {
                    add_fold(&mut self.trials.entry(trial).or_default().folds, fold);
                }
            }
            Event::RatesTested { trial, rates, losses, .. } => {
                let test = RangeTest { rates: rates.clone(), losses: losses.clone() };
                self.trials.entry(*trial).or_default().rates = Some(test);
            }
            _ => {}
        }
    }

    /// The current phase.
    pub(super) fn phase(&self) -> &Phase {
        // There is always the first one.
        &self.phases[self.phases.len() - 1]
    }

    /// The first `trials` trials, all of them judged, with the gate and the budget of the current phase.
    ///
    /// # Errors
    ///
    /// If the record lacks one of them, or the spec of one cannot be rebuilt.
    pub(super) fn history(&self, trials: usize) -> Result<Vec<TrialRecord>, StudyError> {
        let mut specs: BTreeMap<u32, Spec> = BTreeMap::new();
        let mut history = Vec::new();
        for trial in 1..=trials as u32 {
            let (proposal, spec) = self.begun(trial, &specs)?;
            let recorded = &self.trials[&trial];
            let (ending, train_seconds) =
                recorded.ended.ok_or(StudyError::NotRecorded { trial, what: "ended" })?;
            history.push(TrialRecord {
                trial,
                parent: proposal.as_ref().map(|proposal| proposal.parent),
                edits: proposal.map(|proposal| proposal.edits).unwrap_or_default(),
                spec: self.phase().adopt(&spec)?,
                curve: recorded.curve.clone(),
                ending,
                train_seconds,
                rates: recorded.rates.clone(),
                folds: recorded.folds.clone(),
            });
            specs.insert(trial, spec);
        }
        Ok(history)
    }

    /// Proposals of the trials after `history` that were started before the current phase and did not
    /// end, in order.
    ///
    /// # Errors
    ///
    /// If the spec of one cannot be rebuilt.
    pub(super) fn unfinished(&self, history: &[TrialRecord]) -> Result<Vec<Proposal>, StudyError> {
        let specs: BTreeMap<u32, Spec> =
            history.iter().map(|record| (record.trial, record.spec.clone())).collect();
        let current = self.phases.len() - 1;
        let mut proposals = Vec::new();
        for (&trial, recorded) in self.trials.range(history.len() as u32 + 1..) {
            match &recorded.started {
                Some(started) if started.phase < current => {
                    proposals.extend(self.begun(trial, &specs)?.0);
                }
                _ => break,
            }
        }
        Ok(proposals)
    }

    /// A trial with these epochs, the parent whose weights it inherits, and so on up to one that inherits nothing.
    ///
    /// # Errors
    ///
    /// If the spec of one cannot be rebuilt.
    pub(super) fn descent(
        &self,
        trial: u32,
        curve: &[EpochRecord],
    ) -> Result<Vec<Forebear>, StudyError> {
        let parent_of = |trial: &u32| self.trials.get(trial)?.started.as_ref()?.parent;
        let line: Vec<u32> = std::iter::successors(Some(trial), parent_of).collect();
        // From the first trial on, as each spec follows from that of its parent.
        let mut specs: BTreeMap<u32, Spec> = BTreeMap::new();
        let mut descent = Vec::new();
        for &at in line.iter().rev() {
            let (proposal, spec) = self.begun(at, &specs)?;
            let parent = match proposal {
                None => None,
                Some(Proposal { parent, edits, inherit, .. }) => Some(Bequest {
                    spec: self.phases[0].adopt(&specs[&parent])?,
                    trial: parent,
                    edits,
                    inherit,
                }),
            };
            if parent.as_ref().is_none_or(|parent| parent.inherit == Inherit::Nothing) {
                descent.clear();
            }
            let curve = if at == trial { curve.to_vec() } else { self.trials[&at].curve.clone() };
            descent.push(Forebear { trial: at, spec: self.phases[0].adopt(&spec)?, curve, parent });
            specs.insert(at, spec);
        }
        descent.reverse();
        Ok(descent)
    }

    /// The trials from which a trial with this parent has weights, if it inherits them.
    pub(super) fn forebears(&self, parent: u32, inherit: Inherit) -> Vec<u32> {
        let first = (inherit != Inherit::Nothing).then_some(parent);
        let next = |trial: &u32| {
            let started = self.trials.get(trial)?.started.as_ref()?;
            started.parent.filter(|_| started.inherit != Inherit::Nothing)
        };
        std::iter::successors(first, next).collect()
    }

    /// The proposal of a recorded trial and its spec, rebuilt from the specs of the trials before it.
    fn begun(
        &self,
        trial: u32,
        specs: &BTreeMap<u32, Spec>,
    ) -> Result<(Option<Proposal>, Spec), StudyError> {
        let missing = StudyError::NotRecorded { trial, what: "began" };
        let started = self.trials.get(&trial).and_then(|recorded| recorded.started.as_ref());
        let started = started.ok_or(missing)?;
        let phase = &self.phases[started.phase];
        let (proposal, spec) = match started.parent {
            None => (None, phase.spec.clone()),
            Some(parent) => {
                let missing = StudyError::NotRecorded { trial: parent, what: "began" };
                let base = phase.adopt(specs.get(&parent).ok_or(missing)?)?;
                let spec = Edit::apply_all(&started.edits, &base)
                    .map_err(|source| StudyError::Edit { trial, source })?;
                let proposal = Proposal {
                    parent,
                    edits: started.edits.clone(),
                    reason: started.reason.clone(),
                    inherit: started.inherit,
                    spec: spec.clone(),
                    forecast: started.forecast.clone(),
                };
                (Some(proposal), spec)
            }
        };
        let now = spec.hash();
        if now != started.spec_hash {
            let recorded = started.spec_hash.clone();
            return Err(StudyError::DecidesDifferently { trial, recorded, now });
        }
        Ok((proposal, spec))
    }
}

/// Adds an epoch to a curve. An epoch that was trained again after a crash is recorded twice if its
/// figures differ, as they may on a GPU; training continued from the later one, which replaces it.
fn add_epoch(curve: &mut Vec<EpochRecord>, record: EpochRecord) {
    curve.retain(|earlier| earlier.epoch < record.epoch);
    curve.push(record);
}

/// Adds a fold. One that is measured again replaces the one before.
fn add_fold(folds: &mut Vec<FoldResult>, fold: FoldResult) {
    match folds.binary_search_by_key(&fold.fold, |found| found.fold) {
        Ok(place) => folds[place] = fold,
        Err(place) => folds.insert(place, fold),
    }
}

/// The folds of a trial that were measured, from the record.
pub(super) fn recorded_folds(records: &[Recorded], of: u32) -> Vec<FoldResult> {
    let mut folds = Vec::new();
    for recorded in records {
        if let Some((trial, fold)) = recorded.event.measured_fold()
            && trial == of
        {
            add_fold(&mut folds, fold);
        }
    }
    folds
}

/// The curve of a trial, from the record.
pub(super) fn recorded_curve(records: &[Recorded], of: u32) -> Vec<EpochRecord> {
    let mut curve = Vec::new();
    for recorded in records {
        if let Event::EpochFinished { trial, .. } = recorded.event
            && trial == of
            && let Some(epoch) = recorded_epoch(&recorded.event)
        {
            add_epoch(&mut curve, epoch);
        }
    }
    curve
}

pub(super) fn recorded_epoch(event: &Event) -> Option<EpochRecord> {
    let Event::EpochFinished {
        trial: _,
        epoch,
        train_loss,
        train_accuracy,
        validation_loss,
        validation_accuracy,
        learning_rate,
        seconds,
        evaluation_seconds,
        images,
        course,
        probe,
        recalls,
        given_up,
    } = event
    else {
        return None;
    };
    Some(EpochRecord {
        epoch: *epoch as usize,
        train_loss: *train_loss,
        train_accuracy: *train_accuracy,
        validation_loss: *validation_loss,
        validation_accuracy: *validation_accuracy,
        learning_rate: *learning_rate,
        seconds: *seconds,
        evaluation_seconds: *evaluation_seconds,
        images: *images,
        course: course.clone(),
        probe: probe.clone(),
        recalls: recalls.clone(),
        given_up: given_up.clone(),
    })
}
