//! Whether a study may afford another trial.

use super::history::TrialRecord;
use crate::spec::TuneSpec;

/// Why no further trial may start beside those that are `running`, in words; `None` while one may.
pub fn exhausted(tune: &TuneSpec, history: &[TrialRecord], running: usize) -> Option<String> {
    if history.len() + running >= tune.trials {
        return Some(match tune.trials {
            1 => "the only trial of the budget is taken".into(),
            trials => format!("all {trials} trials of the budget are taken"),
        });
    }
    let seconds: f64 = history.iter().map(|trial| trial.train_seconds).sum();
    tune.seconds
        .filter(|&budget| seconds >= budget)
        .map(|budget| format!("the budget of {budget} seconds of training is spent"))
}
