//! Short texts about a trial.

use super::lineage::LineageTrial;

/// The edits of a trial in one line.
pub(super) fn edits(trial: &LineageTrial) -> String {
    match (trial.edits.as_slice(), trial.parent) {
        ([], None) => "as written".into(),
        ([], Some(_)) => "no edits".into(),
        (edits, _) => edits.join("; "),
    }
}

/// The result of a trial in a few words.
pub(super) fn verdict(trial: &LineageTrial) -> &'static str {
    match (trial.opened, trial.train_seconds) {
        (true, _) => "passed the gate",
        (false, Some(_)) => "did not pass the gate",
        (false, None) => "not finished",
    }
}

/// The result of a trial in a column of a table.
pub(super) fn gate(trial: &LineageTrial) -> &'static str {
    match (trial.opened, trial.train_seconds) {
        (true, _) => "passed",
        (false, Some(_)) => "not passed",
        (false, None) => "–",
    }
}
