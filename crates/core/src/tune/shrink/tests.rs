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

/// A network whose feature map is too small for another pool.
fn pooled_study(gate: f64) -> Spec {
    let layers = vec![
        Layer::Conv(Conv::same(16, 5)),
        Layer::MaxPool(Pool::of(6)),
        Layer::Dense(Dense::of(64)),
    ];
    let mut file = StudyFile::new("pooled", layers);
    file.gate.accuracy = gate;
    Spec::new(file, InputShape::MNIST).unwrap()
}

#[test]
fn the_first_child_pools_a_large_feature_map_and_leaves_out_the_hidden_layer() {
    let history = [trial(1, 0.95, study())];
    let proposal = shrink(&[1]).propose(&history, &[]).unwrap();
    assert_eq!((proposal.parent, proposal.inherit), (1, Inherit::Weights));
    assert_eq!(Edit::apply_all(&proposal.edits, &study()).unwrap(), proposal.spec);
    let kinds: Vec<_> = proposal.spec.layers().iter().map(Layer::kind).collect();
    assert_eq!(kinds, ["conv", "max-pool", "max-pool"]);
    // Then the pool alone.
    let missed = [history[0].clone(), child(2, 0.5, proposal)];
    let milder = shrink(&[1]).propose(&missed, &[]).unwrap();
    assert_eq!(milder.spec.layers().last().map(Layer::kind), Some("dense"));
}

#[test]
fn a_child_keeps_less_the_further_its_parent_is_above_the_gate() {
    let share = |accuracy: f64| {
        let study = pooled_study(0.9);
        let proposal = shrink(&[1]).propose(&[trial(1, accuracy, study.clone())], &[]).unwrap();
        parameters(&proposal.spec) / parameters(&study)
    };
    let (far, near) = (share(0.95), share(0.905));
    assert!((SHARE_MIN..0.5).contains(&far) && (0.7..=SHARE_MAX).contains(&near), "{far} {near}");
}

#[test]
fn between_a_network_that_passes_and_one_that_does_not_the_errors_of_both_decide() {
    let study = pooled_study(0.9);
    let first = trial(1, 0.93, study.clone());
    let bold = shrink(&[1]).propose(std::slice::from_ref(&first), &[]).unwrap();
    let next = |accuracy: f64| {
        let history = [first.clone(), child(2, accuracy, bold.clone())];
        parameters(&shrink(&[1]).propose(&history, &[]).unwrap().spec)
    };
    let (hardly, by_far) = (next(0.885), next(0.6));
    assert!(parameters(&bold.spec) < hardly && hardly < by_far, "{hardly} {by_far}");
    assert!(by_far < parameters(&study));
}

#[test]
fn smaller_networks_train_for_as_many_operations_as_the_first_that_passed() {
    let study = pooled_study(0.9);
    let proposal = shrink(&[1]).propose(&[trial(1, 0.95, study.clone())], &[]).unwrap();
    let cost = |spec: &Spec| (spec.table().flops() * spec.train().epochs) as f64;
    let ratio = cost(&proposal.spec) / cost(&study);
    assert!(proposal.spec.train().epochs > study.train().epochs && (0.9..1.1).contains(&ratio));
}

#[test]
fn it_ends_none_comes_twice_and_what_is_smaller_than_a_miss_comes_last() {
    let mut history = vec![trial(1, 0.95, study())];
    let mut sizes: Vec<f64> = Vec::new();
    while let Some(proposal) = shrink(&[1]).propose(&history, &[]) {
        assert!(!history.iter().any(|tried| tried.edits == proposal.edits), "{proposal:?}");
        sizes.push(parameters(&proposal.spec));
        let number = history.len() as u32 + 1;
        history.push(child(number, 0.5, proposal));
        assert!(history.len() < 60, "it has to come to an end");
    }
    assert!(sizes.len() > 4, "{sizes:?}");
    let largest = sizes.iter().copied().fold(0.0, f64::max);
    let at = sizes.iter().position(|&size| size == largest).unwrap();
    assert!(at > 1 && sizes[2..=at].is_sorted(), "{sizes:?}");
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
    let missed = 0.9 - NEAR * 0.1 / 2.0;
    let epochs = 2 * first.spec.train().epochs;
    history.push(child(2, missed, first));
    let again = shrink(&[1]).propose(&history, &[]).unwrap();
    assert_eq!((again.parent, &again.edits[..]), (2, &[Edit::SetEpochs { epochs }][..]));
    history.push(child(3, missed, again));
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
