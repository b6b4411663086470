//! Which trials of a long study are shown.

use std::borrow::Cow;
use std::collections::BTreeSet;

use super::{Lineage, LineageTrial, Report, words};

impl Report {
    /// The same report with at most about `limit` trials in its lineage: the best one and its latest
    /// ancestors, those with the highest accuracy, and the newest.
    pub(super) fn abridged(&self, limit: usize) -> Cow<'_, Self> {
        let trials = &self.lineage.trials;
        if trials.len() <= limit {
            return Cow::Borrowed(self);
        }
        let shown = self.most_informative(limit);
        let kept = trials.iter().filter(|trial| shown.contains(&trial.trial)).cloned();
        let lineage = Lineage { trials: kept.collect() };
        let omitted_trials = trials.len() - lineage.trials.len();
        Cow::Owned(Self { lineage, omitted_trials, ..self.clone() })
    }

    /// A note about trials that are not shown; `None` if all are.
    pub(super) fn omission(&self) -> Option<String> {
        (self.omitted_trials > 0).then(|| {
            let shown = self.lineage.trials.len() as u64;
            format!(
                "{} of {} are shown: the best one and its ancestors, those with the highest accuracy, and the newest. burgeon lineage shows all.",
                words::grouped(shown),
                words::count(shown + self.omitted_trials as u64, "trial"),
            )
        })
    }

    fn most_informative(&self, limit: usize) -> BTreeSet<u32> {
        let trials = &self.lineage.trials;
        let best = self.figures.best_trial.into_iter();
        let ancestry = best.flat_map(|best| self.lineage.ancestry(best)).take(limit / 4);
        let front = self.front();
        let front = front.iter().rev().take(limit / 4).map(|on| on.trial);
        let newest = trials.iter().rev().take(limit / 4);
        let mut by_accuracy: Vec<&LineageTrial> =
            trials.iter().filter(|trial| trial.measured().is_some()).collect();
        by_accuracy.sort_by(|one, other| other.accuracy.total_cmp(&one.accuracy));
        let highest = by_accuracy.into_iter().take(limit / 2);
        ancestry.chain(front).chain(newest).chain(highest).map(|trial| trial.trial).collect()
    }
}

#[cfg(test)]
mod tests;
