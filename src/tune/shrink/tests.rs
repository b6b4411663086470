//! Tests of `tune::shrink`.

use serde_json::json;

use super::*;
use crate::spec::{Conv, Dense, InputShape, Pool, StudyFile};

fn study() -> Spec {
    let layers = vec![
        Layer::Conv(Conv::same(16, 5)),
        Layer::MaxPool(Pool::of(2)),
        Layer::Dense(Dense::of(64)),
    ];
    let mut file = StudyFile::new("large", layers);
    file.gate.accuracy = 0.9;
    Spec::new(file, InputShape::MNIST).unwrap()
}

fn trial(number: u32, accuracy: f64, spec: Spec) -> TrialRecord {
    let epoch = json!({
        "epoch": 1, "train_loss": 0.1, "train_accuracy": accuracy, "validation_loss": 0.1,
        "validation_accuracy": accuracy, "learning_rate": 0.001, "seconds": 1.0
    });
    TrialRecord::new(number, spec, vec![serde_json::from_value(epoch).unwrap()])
}

fn child(number: u32, accuracy: f64, of: Proposal) -> TrialRecord {
    let record = trial(number, accuracy, of.spec);
    TrialRecord { parent: Some(of.parent), edits: of.edits, ..record }
}

fn shrink(passing: &[u32]) -> Shrink {
    Shrink { passing: passing.to_vec() }
}

fn parameters(spec: &Spec) -> f64 {
    spec.table().parameters() as f64
}

#[test]
fn a_child_keeps_its_weights_and_a_bounded_share_of_the_parameters() {
    let history = [trial(1, 0.95, study())];
    let proposal = shrink(&[1]).propose(&history, &[]).unwrap();
    assert_eq!((proposal.parent, proposal.inherit), (1, Inherit::Weights));
    assert_eq!(Edit::apply_all(&proposal.edits, &study()).unwrap(), proposal.spec);
    let share = parameters(&proposal.spec) / parameters(&study());
    assert!((SHARE_MIN..=SHARE_MAX).contains(&share), "{share}");
}

#[test]
fn milder_children_follow_bolder_ones_until_nothing_is_left_and_none_comes_twice() {
    let mut history = vec![trial(1, 0.95, study())];
    let mut shares: Vec<f64> = Vec::new();
    while let Some(proposal) = shrink(&[1]).propose(&history, &[]) {
        assert!(!history.iter().any(|tried| tried.edits == proposal.edits), "{proposal:?}");
        shares.push(parameters(&proposal.spec));
        let number = history.len() as u32 + 1;
        history.push(child(number, 0.5, proposal));
        assert!(history.len() < 50, "it has to come to an end");
    }
    assert!(shares.len() > 2, "{shares:?}");
    assert!(shares.is_sorted(), "{shares:?}");
}

#[test]
fn the_smallest_network_that_passes_is_shrunk_further() {
    let mut history = vec![trial(1, 0.95, study())];
    let first = shrink(&[1]).propose(&history, &[]).unwrap();
    history.push(child(2, 0.93, first));
    let second = shrink(&[1, 2]).propose(&history, &[]).unwrap();
    assert_eq!(second.parent, 2);
    assert!(parameters(&second.spec) < parameters(&history[1].spec));
}

#[test]
fn a_near_miss_is_trained_longer_once() {
    let mut history = vec![trial(1, 0.95, study())];
    let first = shrink(&[1]).propose(&history, &[]).unwrap();
    history.push(child(2, 0.9 - NEAR / 2.0, first));
    let again = shrink(&[1]).propose(&history, &[]).unwrap();
    let epochs = 2 * study().train().epochs;
    assert_eq!((again.parent, &again.edits[..]), (2, &[Edit::SetEpochs { epochs }][..]));
    history.push(child(3, 0.9 - NEAR / 2.0, again));
    let other = shrink(&[1]).propose(&history, &[]).unwrap();
    assert_eq!(other.parent, 1, "one more round is enough");
}

#[test]
fn what_trains_already_is_not_proposed_beside_it() {
    let history = [trial(1, 0.95, study())];
    let first = shrink(&[1]).propose(&history, &[]).unwrap();
    let second = shrink(&[1]).propose(&history, std::slice::from_ref(&first)).unwrap();
    assert_ne!(first.spec, second.spec);
}

#[test]
fn nothing_is_proposed_where_nothing_passes() {
    assert_eq!(shrink(&[]).propose(&[trial(1, 0.5, study())], &[]), None);
}
