//! Tests of `notify::announcement`.

use super::*;
use crate::record::FoldResult;
use crate::report::samples::{accepted, records};

#[test]
fn the_title_says_what_the_accuracy_was_measured_on() {
    let mut report = Report::from_records(&records(accepted()));
    let title = |report: &Report| {
        let (key, at) = ("finished-0".to_owned(), Timestamp::UNIX_EPOCH);
        Announcement::new(report, key, Vec::new(), at, Path::new("runs/a-0001")).title()
    };
    assert!(title(&report).ends_with(" % on validation images"), "{}", title(&report));
    let best = report.figures.best_trial;
    for trial in report.lineage.trials.iter_mut().filter(|trial| Some(trial.trial) == best) {
        trial.folds = (1..=3)
            .map(|fold| FoldResult {
                fold,
                folds: 3,
                images: 40,
                correct: 35,
                recalls: Vec::new(),
                epochs: 2,
                seconds: 0.5,
            })
            .collect();
    }
    assert!(title(&report).ends_with(" % cross-validated over 3 folds"), "{}", title(&report));
}
