//! Stages as the columns of a table: state, and time compared with the median of the last ten.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use super::words::span;
use crate::chain::{StageName, StageRow, StageState, Store, StoreError};
use crate::report::markup::Markup;
use crate::report::words::{percent, short_percent};

/// The median times of stages, by repository.
#[derive(Debug, Default)]
pub(super) struct Medians(HashMap<(String, &'static str), Option<i64>>);

impl Medians {
    /// Reads the medians of these repositories.
    pub(super) fn of<'a>(
        store: &Store,
        repositories: impl IntoIterator<Item = &'a str>,
    ) -> Result<Self, StoreError> {
        let mut medians = HashMap::new();
        for repository in repositories {
            for stage in StageName::ALL {
                if let Entry::Vacant(entry) = medians.entry((repository.to_owned(), stage.word())) {
                    entry.insert(store.median_ms(repository, *stage)?);
                }
            }
        }
        Ok(Self(medians))
    }

    /// The median time of a stage, in milliseconds.
    pub(super) fn get(&self, repository: &str, stage: StageName) -> Option<i64> {
        self.0.get(&(repository.to_owned(), stage.word())).copied().flatten()
    }
}

/// The sign and the word of a state, which do not rely on colours.
pub(super) fn sign(state: StageState) -> (&'static str, &'static str) {
    match state {
        StageState::Running => ("●", "running"),
        StageState::Done => ("✓", "done"),
        StageState::Failed => ("✗", "failed"),
    }
}

/// How long a stage took, or has taken so far, in milliseconds.
pub(super) fn elapsed_ms(stage: &StageRow, now: i64) -> i64 {
    stage.ended.unwrap_or(now) - stage.started
}

/// One stage of a row; `None` for one that has not begun.
pub(super) fn cell(
    row: &mut Markup,
    name: StageName,
    stage: Option<&StageRow>,
    median: Option<i64>,
    now: i64,
) {
    let class = stage.map_or("stage", |stage| match stage.state {
        StageState::Running => "stage running",
        StageState::Done => "stage done",
        StageState::Failed => "stage failed",
    });
    row.element("td", &[("class", &class), ("data-stage", &name.word())], |cell| {
        let Some(stage) = stage else {
            cell.leaf("span", &[("class", &"quiet"), ("title", &"not started")], "–");
            return;
        };
        let (sign, word) = sign(stage.state);
        cell.leaf("span", &[("class", &"sign"), ("title", &word), ("aria-label", &word)], sign);
        cell.text(" ");
        cell.leaf("span", &[("class", &"took")], span(elapsed_ms(stage, now)));
        if let Some(median) = median {
            cell.leaf(
                "small",
                &[("title", &"median of the last ten builds that completed this stage")],
                format_args!("median {}", span(median)),
            );
            progress(cell, stage, median, now);
        }
    });
}

/// The progress of a running stage, compared with the median time.
pub(super) fn progress(cell: &mut Markup, stage: &StageRow, median: i64, now: i64) {
    if stage.state == StageState::Running && median > 0 {
        let (max, value) = (median, elapsed_ms(stage, now).min(median));
        let label = "time compared with the median";
        cell.element(
            "progress",
            &[("max", &max), ("value", &value), ("aria-label", &label)],
            |_| {},
        );
    }
}

/// The cell of the accuracy and the gate.
pub(super) fn accuracy(cell: &mut Markup, accuracy: Option<f64>, threshold: Option<f64>) {
    let passes = match (accuracy, threshold) {
        (Some(accuracy), Some(threshold)) if accuracy >= threshold => "good",
        (Some(_), Some(_)) => "poor",
        _ => "quiet",
    };
    cell.leaf("b", &[("class", &passes)], percent(accuracy));
    if let Some(threshold) = threshold {
        cell.leaf("small", &[], format_args!("gate {}", short_percent(threshold)));
    }
}
