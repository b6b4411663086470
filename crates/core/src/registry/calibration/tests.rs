//! Tests of `registry::calibration`.

use super::*;
use crate::sys::uniform_at;

/// Two classes, whose logits are those of the true probabilities, times a factor.
fn images(factor: f64) -> (Vec<f32>, Vec<u16>) {
    let mut logits = Vec::new();
    let mut labels = Vec::new();
    for at in 0..4000 {
        let share = uniform_at(1, at);
        labels.push(u16::from(uniform_at(2, at) >= share));
        logits.extend([(share.ln() * factor) as f32, ((1.0 - share).ln() * factor) as f32]);
    }
    (logits, labels)
}

#[test]
fn the_temperature_is_what_logits_were_multiplied_by() {
    for factor in [0.5, 1.0, 3.0] {
        let (logits, labels) = images(factor);
        let found = temperature(&logits, &labels, 2);
        assert!((found / factor - 1.0).abs() < 0.1, "{factor}: {found}");
    }
    assert_eq!(temperature(&[], &[], 2), 1.0);
    assert_eq!(temperature(&[f32::NAN, 1.0], &[0], 2), 1.0);
}

#[test]
fn calibrated_answers_are_as_right_as_they_are_sure() {
    let (logits, labels) = images(4.0);
    let found = Calibration::of((&logits, &labels), (&logits, &labels), 2);
    for Coverage { confidence, coverage, accuracy } in &found.held_out {
        // Of those above a confidence, uniformly distributed shares are right half-way to 1.
        let expected = (1.0 + confidence) / 2.0;
        assert!((accuracy - expected).abs() < 0.03, "{confidence}: {accuracy}");
        assert!((coverage - 2.0 * (1.0 - confidence)).abs() < 0.05, "{confidence}: {coverage}");
    }
    let json = serde_json::to_vec(&found).unwrap();
    assert_eq!(Calibration::parse(&json), Some(found));
    assert_eq!(
        Calibration::parse(b"{\"v\":1,\"temperature\":0,\"images\":1,\"held_out\":[]}"),
        None
    );
}

#[test]
fn an_answer_is_the_same_with_numbers_that_are_none() {
    let (class, sure) = answer(&[1.0, f32::NAN, 3.0], 1.0);
    assert_eq!(class, 2);
    assert!((sure - 1.0 / (1.0 + (-2.0_f64).exp())).abs() < 1e-9);
    assert_eq!(answer(&[f32::NAN; 3], 1.0), (0, 0.0));
}
