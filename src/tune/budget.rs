//! Whether a study may afford another trial.

use super::history::TrialRecord;
use crate::spec::TuneSpec;

/// Why no further trial may start, in words; `None` while one may.
pub fn exhausted(tune: &TuneSpec, history: &[TrialRecord]) -> Option<String> {
    if history.len() >= tune.trials {
        return Some(match tune.trials {
            1 => "the only trial of the budget is done".into(),
            trials => format!("all {trials} trials of the budget are done"),
        });
    }
    let seconds: f64 = history.iter().map(|trial| trial.train_seconds).sum();
    tune.seconds
        .filter(|&budget| seconds >= budget)
        .map(|budget| format!("the budget of {budget} seconds of training is spent"))
}
