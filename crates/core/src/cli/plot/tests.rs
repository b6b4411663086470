//! Tests of `cli::plot`.

use super::*;

#[test]
fn each_epoch_has_its_place_and_both_curves_their_letter() {
    let text = plot(&[0.1, 0.5, 0.9], &[0.1, 0.9]);
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), HEIGHT + 2, "{text}");
    assert!(lines[0].starts_with("  90.00 % │") && lines[0].ends_with('a'), "{text}");
    assert!(lines[0].contains('b'), "{text}");
    assert_eq!(lines[HEIGHT - 1], "  10.00 % │*", "{text}");
    assert!(lines[HEIGHT + 1].ends_with('3'), "{text}");
    assert!(lines.iter().all(|line| line.chars().count() <= 80), "{text}");
}

#[test]
fn nothing_and_one_value_and_many_are_drawn() {
    assert_eq!(plot(&[], &[]), "");
    assert_eq!(plot(&[f64::NAN], &[f64::INFINITY]), "");
    let one = plot(&[0.5], &[]);
    assert_eq!(one.matches('a').count(), 1, "{one}");
    let many: Vec<f64> = (0..10_000).map(|epoch| f64::from(epoch) / 10_000.0).collect();
    assert_eq!(plot(&many, &[0.5]).lines().count(), HEIGHT + 2);
}
