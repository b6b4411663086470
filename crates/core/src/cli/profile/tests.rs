//! Tests of `cli::profile`.

use super::*;
use crate::record::LayerProfile;

#[test]
fn every_part_has_a_line_and_shares_add_up() {
    let layer = |name: &str, forward_seconds, backward_seconds| LayerProfile {
        name: name.into(),
        forward_seconds,
        backward_seconds,
    };
    let profile = Profile {
        epochs: 2.0,
        steps: 200,
        images: 12_800,
        seconds: 4.0,
        data_seconds: 0.25,
        layers: vec![layer("conv 6 × 5×5 same, relu", 0.5, 1.0), layer("head", 0.5, 0.75)],
        loss_seconds: 0.125,
        optimizer_seconds: 0.25,
        evaluation_seconds: 0.5,
        checkpoint_seconds: 0.0,
        rest_seconds: 0.125,
        flops_per_second: 5e10,
        peak_flops_per_second: Some(2e11),
    };
    let table = table(&profile);
    assert!(table.contains("time of an average epoch: 2.00 s"), "{table}");
    assert!(table.contains("25 % of the 200.0"), "{table}");
    let shares: Vec<f64> = table
        .lines()
        .filter_map(|line| line.split(" %").next()?.split_whitespace().last()?.parse().ok())
        .collect();
    assert_eq!(shares.len(), 9, "{table}");
    let lines: f64 = shares[..8].iter().sum();
    assert!((lines - 100.0).abs() < 0.5, "{table}");
}

#[test]
fn bars_grow_by_eighths() {
    assert_eq!(bar(0.0), "");
    assert_eq!(bar(1.0), "█".repeat(24));
    assert_eq!(bar(1.0 / 24.0 / 8.0), "▏");
}
