//! Removes the checkpoints of trials that are no longer needed.
//!
//! The choice depends only on the judged and the running trials, at fixed points of the loop, so an
//! interrupted study removes the same ones. A removal is recorded before it is made, and repeated
//! after a crash in between.

use std::collections::BTreeSet;

use super::folds::FOLDS;
use super::phase::trial_to_continue;
use super::recorded::RecordedStudy;
use super::run::Study;
use super::setup::StudyError;
use super::trainer::{Trainer, TrialTask};
use crate::ledger::{Event, RunFolderError};
use crate::record::Inherit;
use crate::spec::{Goal, Keep};
use crate::tune::{Policy, Proposal, Shrink, TrialRecord};

impl<T: Trainer> Study<'_, T> {
    /// Removes the checkpoints of all trials that are no longer needed, as `[tune] keep` says.
    pub(super) fn remove_unneeded(
        &self,
        history: &[TrialRecord],
        running: &[Proposal],
    ) -> Result<(), StudyError> {
        let kept_besides = match self.phase.spec.tune().keep {
            Keep::All => return Ok(()),
            Keep::Needed => 0,
            Keep::Newest(trials) => trials as usize,
        };
        let shrink = Shrink { passing: self.passing(history) };
        let forebears = self.forebears_of(running)?;
        let unneeded = history.iter().rev().filter(|record| {
            !self.removed().contains(&record.trial)
                && !forebears.contains(&record.trial)
                && !self.may_need(record, history, running, &shrink)
        });
        for record in unneeded.skip(kept_besides).collect::<Vec<_>>() {
            let trial = record.trial;
            self.removed().insert(trial);
            self.study_record().ledger.append_once(Event::CheckpointsRemoved { trial })?;
            self.remove_checkpoints(record)?;
        }
        self.remove_folds_again(history, &forebears)
    }

    fn remove_checkpoints(&self, record: &TrialRecord) -> Result<(), StudyError> {
        let (trial, folder) = (record.trial, self.folder.trial(record.trial));
        let task = TrialTask { trial, spec: &record.spec, parent: None, folder: folder.path() };
        let removed = self.trainer.remove_checkpoints(&task);
        removed.map_err(|source| StudyError::Trainer { trial, source })
    }

    /// Removes networks for folds of trials whose checkpoints were removed already. They were trained since for a
    /// descendant that inherits from them.
    fn remove_folds_again(
        &self,
        history: &[TrialRecord],
        forebears: &BTreeSet<u32>,
    ) -> Result<(), StudyError> {
        if self.phase.spec.gate().folds.is_none() {
            return Ok(());
        }
        for record in history.iter().filter(|record| !forebears.contains(&record.trial)) {
            let trial = record.trial;
            let was_removed =
                self.removed().contains(&trial) || self.removed_before.contains(&trial);
            let folds = self.folder.trial(trial).path().join(FOLDS);
            if was_removed
                && self.folder.files().kind(&folds).map_err(RunFolderError::from)?.is_some()
            {
                self.remove_checkpoints(record)?;
            }
        }
        Ok(())
    }

    /// The trials whose networks for folds a running trial may inherit from, or train again to do so.
    fn forebears_of(&self, running: &[Proposal]) -> Result<BTreeSet<u32>, StudyError> {
        if self.phase.spec.gate().folds.is_none() || running.is_empty() {
            return Ok(BTreeSet::new());
        }
        let study_record = self.study_record();
        let study = RecordedStudy::read(&self.setup, study_record.ledger.records())?;
        let of = |proposal: &Proposal| study.forebears(proposal.parent, proposal.inherit);
        Ok(running.iter().flat_map(of).collect())
    }

    /// Whether a trial's checkpoints may still be needed: as the best model, to be trained further by
    /// an extension, as the parent of a running or proposed trial, or by the policy.
    fn may_need(
        &self,
        record: &TrialRecord,
        history: &[TrialRecord],
        running: &[Proposal],
        shrink: &Shrink,
    ) -> bool {
        let is =
            |other: Option<&TrialRecord>| other.is_some_and(|other| other.trial == record.trial);
        is(self.best(history))
            || is(trial_to_continue(history))
            || running.iter().any(|proposal| proposal.parent == record.trial)
            || self.policy.may_grow_from(record, history)
            || self.phase.spec.tune().goal == Goal::Smallest
                && shrink.may_grow_from(record, history)
    }

    /// The proposal, changed to start from fresh weights if its parent's checkpoints were removed
    /// before the study was extended.
    pub(super) fn without_removed_parent(&self, mut proposal: Proposal) -> Proposal {
        if proposal.inherit != Inherit::Nothing && self.removed_before.contains(&proposal.parent) {
            proposal.inherit = Inherit::Nothing;
            proposal.reason +=
                "; it starts from fresh weights, because its parent's checkpoints were removed";
        }
        proposal
    }
}
