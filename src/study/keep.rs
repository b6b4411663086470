//! Removes the checkpoints of trials that are no longer needed.
//!
//! The choice depends only on the judged and the running trials, at fixed points of the loop, so an
//! interrupted study removes the same ones. A removal is recorded before it is made, and repeated
//! after a crash in between.

use super::phase::trial_to_continue;
use super::run::Study;
use super::setup::StudyError;
use super::trainer::{Trainer, TrialTask};
use crate::ledger::Event;
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
        let unneeded = history.iter().rev().filter(|record| {
            !self.removed().contains(&record.trial)
                && !self.may_need(record, history, running, &shrink)
        });
        for record in unneeded.skip(kept_besides).collect::<Vec<_>>() {
            let trial = record.trial;
            self.removed().insert(trial);
            self.study_record().ledger.append_once(Event::CheckpointsRemoved { trial })?;
            let folder = self.folder.trial(trial);
            let task = TrialTask { trial, spec: &record.spec, parent: None, folder: folder.path() };
            let removed = self.trainer.remove_checkpoints(&task);
            removed.map_err(|source| StudyError::Trainer { trial, source })?;
        }
        Ok(())
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
