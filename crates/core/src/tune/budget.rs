//! The budget of a study: trials and seconds.

use super::history::TrialRecord;
use crate::spec::TuneSpec;

/// Why no further trial may start beside the `running` ones, as a clause; `None` while one may.
/// `seconds` is how long the study has worked so far. If the trials themselves report more seconds, as
/// trials trained elsewhere may, those count, divided by the number of jobs that train at the same time.
pub fn exhausted(
    tune: &TuneSpec,
    history: &[TrialRecord],
    running: usize,
    seconds: f64,
) -> Option<String> {
    if history.len() + running >= tune.trials {
        return Some(match tune.trials {
            1 => "the budget's only trial has been used".into(),
            trials => format!("all {trials} trials of the budget have been used"),
        });
    }
    let trained: f64 = history.iter().map(|trial| trial.train_seconds).sum();
    let spent = seconds.max(trained / tune.jobs.max(1) as f64);
    tune.seconds
        .filter(|&budget| spent >= budget)
        .map(|budget| format!("the {budget} s of `tune.seconds` have passed"))
}
