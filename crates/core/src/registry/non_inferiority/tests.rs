//! Tests of `registry::non_inferiority`.

use super::*;
use crate::sys::{Purpose, counter_seed, uniform_at};

fn discordant(only_first: u64, only_second: u64) -> Discordant {
    Discordant { only_first, only_second }
}

#[test]
fn without_a_margin_it_is_mcnemars_test() {
    // scipy.stats.norm.sf((b - c) / sqrt(b + c))
    for (lost, won, p) in [(10, 20, 0.033_944_577), (20, 10, 0.966_055_423), (7, 7, 0.5)] {
        let found = p_value(discordant(lost, won), 100, 0.0);
        assert!((found - p).abs() < 1e-8, "{lost} {won}: {found}");
    }
}

#[test]
fn the_interval_is_tangos() {
    // Tango's example of 44 patients with one discordant pair: the lower ends of the 95 % and the 90 % interval.
    let found = lower_bound(discordant(1, 0), 44, 0.025);
    assert!((found + 0.118).abs() < 1e-3, "{found}");
    let found = lower_bound(discordant(1, 0), 44, 0.05);
    assert!((found + 0.096).abs() < 1e-3, "{found}");
    let lower_is_margin = lower_bound(discordant(30, 25), 1000, 0.05);
    let p = p_value(discordant(30, 25), 1000, -lower_is_margin);
    assert!((p - 0.05).abs() < 1e-6, "{p}");
    let better = lower_bound(discordant(10, 90), 1000, 0.05);
    assert!(better > 0.05 && better < 0.08, "{better}");
}

#[test]
fn a_model_that_is_worse_by_the_margin_is_rarely_taken_and_an_equal_one_mostly() {
    let (images, margin, level) = (5_000_u64, 0.01, 0.05);
    // 3 % of the images are right in the first alone, and as many or 2 % in the second.
    let accepted = |lost: f64, won: f64, stream: u64| {
        let rounds = 2_000_u64;
        let seed = counter_seed(stream, 0, Purpose::Probe, 0, 0);
        let mut accepted = 0;
        for round in 0..rounds {
            let mut found = discordant(0, 0);
            for image in 0..images {
                let at = uniform_at(seed, round * images + image);
                found.only_first += u64::from(at < lost);
                found.only_second += u64::from(at >= lost && at < lost + won);
            }
            accepted += u64::from(p_value(found, images, margin) <= level);
        }
        accepted as f64 / rounds as f64
    };
    let worse = accepted(0.03, 0.02, 1);
    assert!((0.03..0.07).contains(&worse), "{worse}");
    let equal = accepted(0.025, 0.025, 2);
    assert!(equal > 0.9, "{equal}");
}

#[test]
fn nothing_in_it_is_no_number() {
    for images in [0, 1, 5, 1000] {
        for lost in 0..=images.min(5) {
            for won in 0..=(images - lost).min(5) {
                for margin in [0.0, 0.001, 0.01, 0.5, 0.99] {
                    let p = p_value(discordant(lost, won), images, margin);
                    assert!((0.0..=1.0).contains(&p), "{images} {lost} {won} {margin}: {p}");
                }
                let low = lower_bound(discordant(lost, won), images, 0.05);
                assert!((-1.0..=1.0).contains(&low), "{images} {lost} {won}: {low}");
            }
        }
    }
}
