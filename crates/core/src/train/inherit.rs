//! The state that a grown child starts from: its parent's weights and optimizer state.

use super::setup::TrainError;
use super::state::TrainState;
use crate::model::{Graft, GraftReport, OptimizerRecord, WeightsError, keeps_optimizer, refreshed};
use crate::spec::{Edit, Spec};

impl TrainState {
    /// The state of `child` before its first step, grafted from this state of its `parent`. The weights come
    /// from the parent's best epoch; the optimizer's moments are carried over if both have the same
    /// optimizer.
    ///
    /// # Errors
    ///
    /// If the edits cannot be applied, or the weights or the optimizer's state do not fit the parent's spec.
    pub fn grafted(
        self,
        parent: &Spec,
        child: &Spec,
        edits: &[Edit],
        trial: u32,
    ) -> Result<(Self, GraftReport), TrainError> {
        let weights = self.best.map_or(self.weights, |best| best.weights);
        let graft = Graft::plan(parent, edits, &weights)?;
        let mut report = graft.report(child);
        let mut state = Self::start(graft.weights(&weights, child, trial));
        if !self.optimizer.is_empty() && keeps_optimizer(parent, child) {
            let record = OptimizerRecord::read(&self.optimizer, parent)?;
            state.optimizer = graft.optimizer(&record, child).write(child)?;
            report.optimizer = true;
        }
        Ok((state, report))
    }

    /// The grafted state with its weights [`refreshed`](crate::model::refreshed) (shrunk and perturbed) and
    /// without the optimizer's state. `report`, that of the graft, is updated.
    ///
    /// # Errors
    ///
    /// If the weights do not fit `spec`.
    pub fn refreshed(
        self,
        spec: &Spec,
        trial: u32,
        report: &mut GraftReport,
    ) -> Result<Self, WeightsError> {
        let weights = refreshed(self.weights, spec, trial)?;
        report.preserved = false;
        report.optimizer = false;
        report
            .changed
            .push("every weight is the mean of the parent's and a fresh initial one".into());
        Ok(Self::start(weights))
    }
}

#[cfg(test)]
mod tests;
