//! Every statistic has SciPy's value. `scipy.py` made the table.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use burgeon_drift::counts::{Alternative, binomial, chi_square, fisher, mcnemar};
use burgeon_drift::two_sample::{asymptotic, distance, exact};
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    two_sample: Vec<(usize, usize, f64, f64, f64)>,
    one_sample: Vec<(usize, f64, f64)>,
    samples: Vec<([Vec<f32>; 2], f64, f64, f64)>,
    chi_square: Vec<([Vec<u64>; 2], f64, u64, f64)>,
    binomial: Vec<(u64, u64, f64, f64, f64, f64)>,
    fisher: Vec<([[u64; 2]; 2], f64, f64, f64)>,
    mcnemar: Vec<(u64, u64, f64)>,
}

const WAYS: [Alternative; 3] = [Alternative::Less, Alternative::Greater, Alternative::TwoSided];

fn table() -> Table {
    serde_json::from_str(include_str!("scipy.json")).unwrap()
}

#[track_caller]
fn same(found: f64, expected: f64, what: impl std::fmt::Debug) {
    assert!((found - expected).abs() < 1e-9, "{what:?}: {found}, not {expected}");
    // Small probabilities have the right digits too.
    let relative = (found - expected).abs() / expected.abs().max(1e-290);
    assert!(relative < 1e-6 || expected < 1e-12, "{what:?}: {found}, not {expected}");
}

#[test]
fn two_sample_tests_are_scipys() {
    let table = table();
    assert!(table.two_sample.len() > 90 && table.samples.len() == 6);
    for (first, second, distance, p, approximate) in table.two_sample {
        let what = (first, second, distance);
        same(exact(distance, first, second), p, what);
        same(exact(distance, second, first), p, what);
        same(asymptotic(distance, first, second), approximate, what);
    }
    for ([mut first, mut second], statistic, p, approximate) in table.samples {
        first.sort_by(f32::total_cmp);
        second.sort_by(f32::total_cmp);
        let found = distance(&first, &second);
        same(found, statistic, "distance");
        same(exact(found, first.len(), second.len()), p, statistic);
        same(asymptotic(found, first.len(), second.len()), approximate, statistic);
    }
}

#[test]
fn the_distribution_of_large_samples_is_scipys_in_every_branch() {
    let table = table();
    assert!(table.one_sample.len() > 100);
    for (size, distance, p) in table.one_sample {
        // Of one sample that is so much larger, the harmonic size is that of the other.
        same(asymptotic(distance, size, usize::MAX / 2), p, (size, distance));
    }
}

#[test]
fn chi_square_tests_are_scipys() {
    let table = table();
    assert_eq!(table.chi_square.len(), 10);
    for ([first, second], statistic, freedom, p) in table.chi_square {
        let found = chi_square(&first, &second);
        assert!((found.statistic / statistic - 1.0).abs() < 1e-9, "{found:?}, not {statistic}");
        assert_eq!(found.freedom, freedom);
        same(found.p, p, statistic);
    }
}

#[test]
fn exact_tests_of_counts_are_scipys() {
    let table = table();
    assert!(table.binomial.len() == 12 && table.fisher.len() == 9 && table.mcnemar.len() == 8);
    for (right, images, accuracy, less, greater, both) in table.binomial {
        for (way, p) in WAYS.into_iter().zip([less, greater, both]) {
            same(binomial(right, images, accuracy, way), p, (right, images, accuracy, way));
        }
    }
    for (counts, less, greater, both) in table.fisher {
        for (way, p) in WAYS.into_iter().zip([less, greater, both]) {
            same(fisher(counts, way), p, (counts, way));
        }
    }
    for (one, other, p) in table.mcnemar {
        same(mcnemar(one, other), p, (one, other));
    }
}
