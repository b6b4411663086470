//! Tests of `record::paired`.

use super::*;

fn discordant(only_first: u64, only_second: u64) -> Discordant {
    Discordant { only_first, only_second }
}

#[test]
fn the_probability_is_that_of_the_exact_test() {
    // scipy.stats.binomtest(min(b, c), b + c, 0.5).pvalue
    for (only_first, only_second, p) in [
        (5, 5, 1.0),
        (0, 0, 1.0),
        (1, 0, 1.0),
        (0, 6, 0.03125),
        (8, 2, 0.109_375),
        (60, 85, 0.045_877_1),
        (100, 40, 4.143_4e-7),
    ] {
        let found = discordant(only_first, only_second).p_value();
        assert!((found - p).abs() < 1e-4 * p, "{only_first}, {only_second}: {found}, not {p}");
        assert_eq!(discordant(only_second, only_first).p_value(), found);
    }
}

#[test]
fn images_are_counted_that_only_one_has_right() {
    let [first, second] = [[true, true, false, false, true], [true, false, true, false, false]];
    assert_eq!(Discordant::of(&first, &second), discordant(2, 1));
}

#[test]
fn the_bounds_hold_for_whatever_classifiers_have_these_recalls() {
    // All pairs of classifiers on four images of two classes.
    let labels = [0, 0, 0, 1];
    let rights = |code: u32| -> Vec<bool> { (0..4).map(|bit| code >> bit & 1 == 1).collect() };
    let recalls = |right: &[bool]| -> Vec<ClassRecall> {
        let of = |class| labels.iter().zip(right).filter(move |(label, _)| **label == class);
        let recall = |class| ClassRecall {
            right: of(class).filter(|(_, right)| **right).count() as u64,
            images: of(class).count() as u64,
        };
        [0, 1].map(recall).to_vec()
    };
    for (one, other) in (0..16).flat_map(|one| (0..16).map(move |other| (one, other))) {
        let (one, other) = (rights(one), rights(other));
        let found = Discordant::of(&one, &other);
        let [fewest, most] = Discordant::bounds(&recalls(&one), &recalls(&other)).unwrap();
        let holds = |least: u64, found: u64, most: u64| least <= found && found <= most;
        assert!(holds(fewest.only_first, found.only_first, most.only_first));
        assert!(holds(fewest.only_second, found.only_second, most.only_second));
        let difference = |found: Discordant| found.only_first as i64 - found.only_second as i64;
        assert_eq!(difference(fewest), difference(found));
        assert_eq!(difference(most), difference(found));
    }
}

#[test]
fn recalls_on_other_images_are_not_compared() {
    let of = |right, images| vec![ClassRecall { right, images }];
    assert_eq!(Discordant::bounds(&of(5, 10), &of(5, 11)), None);
    assert_eq!(Discordant::bounds(&of(0, 0), &of(0, 0)), None);
    assert_eq!(Discordant::bounds(&[], &[]), None);
    assert!(Discordant::bounds(&of(99, 10), &of(5, 10)).is_some(), "damaged, but no panic");
}
