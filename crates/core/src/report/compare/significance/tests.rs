//! Tests of `report::compare::significance`.

use super::*;

fn chance(first: u64, second: u64, images: u64) -> Significance {
    let recall = |right| [ClassRecall { right, images }];
    Significance::of_recalls(&recall(first), &recall(second))
}

#[test]
fn a_large_difference_is_more_than_chance_and_a_small_one_may_be() {
    assert!(
        matches!(chance(800, 900, 1000), Significance::MoreThanChance { p_most } if p_most < 1e-6)
    );
    assert!(
        matches!(chance(900, 905, 1000), Significance::MayBeChance { p_least } if p_least > 0.05)
    );
    assert!(matches!(chance(900, 900, 1000), Significance::MayBeChance { p_least: 1.0 }));
}

#[test]
fn in_between_it_depends_on_the_images_and_a_measurement_decides() {
    let Significance::Undecided { p_least, p_most } = chance(4_895, 4_920, 5_000) else {
        panic!("{:?}", chance(4_895, 4_920, 5_000));
    };
    assert!(p_least < 1e-4 && p_most > 0.05, "{p_least} {p_most}");
    let measured =
        |only_first, only_second| Significance::measured(Discordant { only_first, only_second });
    assert!(matches!(measured(10, 35), Significance::MoreThanChance { .. }));
    assert!(matches!(measured(75, 100), Significance::MayBeChance { .. }));
}

#[test]
fn without_figures_nothing_is_said() {
    assert_eq!(Significance::of_recalls(&[], &[]), Significance::NotJudged);
}
