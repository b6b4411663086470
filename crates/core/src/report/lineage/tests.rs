//! Tests of `report::lineage`.

use super::super::samples::{epoch, finished, records, started};
use super::*;

#[test]
fn a_trial_stands_under_the_one_it_grew_from() {
    let events = [started(1, None), started(2, Some(1)), started(3, Some(2)), started(4, Some(1))];
    let tree = Lineage::from_records(&records(events)).tree();
    let line = |trial: u32| {
        let headline = format!("trial {trial} ");
        tree.lines().position(|line| line.contains(&headline)).unwrap()
    };
    assert!(line(1) < line(2) && line(2) < line(3) && line(3) < line(4), "{tree}");
    assert!(tree.contains("├─ trial 2") && tree.contains("│  └─ trial 3"), "{tree}");
    assert!(tree.contains("└─ trial 4") && tree.contains("train for 4 more epochs"), "{tree}");
}

#[test]
fn interleaved_trials_are_told_apart() {
    let one_by_one = [
        started(1, None),
        epoch(1, 1, 0.5),
        epoch(1, 2, 0.6),
        finished(1, 0.6),
        started(2, Some(1)),
        epoch(2, 1, 0.7),
        finished(2, 0.7),
    ];
    let mixed = [0, 4, 1, 5, 6, 2, 3].map(|place: usize| one_by_one[place].clone());
    let lineage = Lineage::from_records(&records(mixed));
    assert_eq!(lineage, Lineage::from_records(&records(one_by_one)));
    assert_eq!(lineage.trials[0].curve.len(), 2);
    assert_eq!(lineage.best().unwrap().trial, 2);
}

#[test]
fn an_epoch_that_came_again_counts_once_with_its_last_figures() {
    let again = [started(1, None), epoch(1, 1, 0.5), epoch(1, 2, 0.9), epoch(1, 2, 0.6)];
    let lineage = Lineage::from_records(&records(again));
    assert_eq!((lineage.trials[0].epochs, lineage.trials[0].accuracy), (2, 0.6));
}

#[test]
fn the_folds_of_a_trial_stand_under_it_and_are_its_accuracy() {
    let lineage = Lineage::from_records(&records(super::super::samples::cross_validated()));
    let tree = lineage.tree();
    assert!(tree.contains("cross-validated over 1 of 3 folds: 40.00 %"), "{tree}");
    assert!(tree.contains("cross-validated over 3 folds: 87.50 % (80.4 % to 92.3 %)"), "{tree}");
    let best = lineage.best().unwrap();
    assert_eq!((best.trial, best.accuracy, best.folds.len()), (2, 0.875, 3));
    let json = serde_json::to_value(best).unwrap();
    assert_eq!(json["folds"][1]["correct"], 34);
}

#[test]
fn parents_that_cannot_be_are_none() {
    let lineage = Lineage::from_records(&records([started(2, Some(3)), started(3, Some(9))]));
    assert_eq!(lineage.children(None).count(), 2);
    assert_eq!(lineage.ancestry(2).count(), 1);
}

#[test]
fn a_nan_is_never_the_best() {
    let events = [
        started(1, None),
        epoch(1, 1, 0.3),
        started(2, None),
        epoch(2, 1, f64::NAN),
        finished(2, f64::NAN),
    ];
    let lineage = Lineage::from_records(&records(events));
    assert_eq!(lineage.best().unwrap().trial, 1);
    assert_eq!(lineage.trials[1].measured(), None);
}
