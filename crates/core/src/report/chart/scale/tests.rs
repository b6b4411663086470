//! Tests of `report::chart::scale`.

use super::*;

fn scale(values: &[f64]) -> Scale {
    Scale::of_accuracies(values.iter().copied())
}

#[test]
fn accuracies_close_to_each_other_fill_the_height() {
    let scale = scale(&[0.972, 0.99, 0.993]);
    assert!(scale.share(0.993) - scale.share(0.972) > 0.5, "{scale:?}");
    assert!(!scale.is_of_errors());
}

#[test]
fn a_bad_start_leaves_room_for_the_finish() {
    let scale = scale(&[0.11, 0.95, 0.99, 0.993]);
    assert!(scale.is_of_errors());
    assert!(scale.share(0.993) - scale.share(0.95) > 0.3, "{scale:?}");
    assert!(scale.share(0.11) < 0.1);
}

#[test]
fn heights_rise_with_accuracies_and_stay_within() {
    let sets: [&[f64]; 7] =
        [&[0.1, 0.8], &[0.5], &[1.0, 0.0], &[f64::NAN], &[], &[1.0, 1.0], &[0.999_999_9, 0.2]];
    for values in sets {
        let scale = scale(values);
        let mut before = -1.0;
        for step in 0..=100 {
            let share = scale.share(f64::from(step) / 100.0);
            assert!((0.0..=1.0).contains(&share) && share >= before, "{values:?} {scale:?}");
            before = share;
        }
        let ticks = scale.ticks(0.08);
        assert!((2..=12).contains(&ticks.len()), "{values:?} {ticks:?}");
        assert_eq!((scale.share(ticks[0]), scale.share(scale.high)), (0.0, 1.0), "{values:?}");
    }
}

#[test]
fn losses_are_seen_from_nought() {
    let scale = Scale::of_losses([2.3, f64::NAN, 0.4, f64::INFINITY].into_iter());
    assert_eq!((scale.share(0.0), scale.ticks(0.0).len()), (0.0, 6));
    assert!(scale.share(2.3) > 0.9);
    assert_eq!(Scale::of_losses(std::iter::empty()).share(0.5), 0.5);
    assert_eq!(Scale::of_losses([f64::MAX].into_iter()).share(0.0), 0.0);
}
