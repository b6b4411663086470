//! Tests of the counters.

use super::*;

#[test]
fn every_word_of_the_counter_matters() {
    let base = [7, 1, 2, 3];
    let seed = |c: [u64; 4]| counter_seed(c[0], c[1], Purpose::EpochOrder, c[2], c[3]);
    for word in 0..4 {
        let mut other = base;
        other[word] += 1;
        assert_ne!(seed(base), seed(other), "word {word} is ignored");
    }
    assert_ne!(
        counter_seed(7, 1, Purpose::EpochOrder, 2, 3),
        counter_seed(7, 1, Purpose::Augmentation, 2, 3)
    );
    assert_ne!(seed([1, 2, 3, 4]), seed([2, 1, 3, 4]));
}

#[test]
fn streams_are_the_same_in_every_build() {
    let mut rng = CounterRng::new(counter_seed(42, 0, Purpose::EpochOrder, 1, 0));
    let drawn = [rng.next_u32(), rng.below(10), rng.below(10), (rng.unit() * 65_536.0) as u32];
    assert_eq!(drawn, [2_697_034_742, 7, 2, 46_823]);
    assert_eq!(permutation(8, 42), [1, 3, 7, 2, 5, 0, 4, 6]);
}

#[test]
fn a_permutation_holds_every_number_once() {
    let mut order = permutation(1000, 5);
    assert_ne!(order, (0..1000).collect::<Vec<_>>());
    order.sort_unstable();
    assert_eq!(order, (0..1000).collect::<Vec<_>>());
}

#[test]
fn the_bell_has_mean_zero_and_deviation_one() {
    let mut rng = CounterRng::new(3);
    let draws: Vec<f32> = (0..20_000).map(|_| rng.approximate_normal()).collect();
    let mean = draws.iter().sum::<f32>() / 20_000.0;
    let variance = draws.iter().map(|x| x * x).sum::<f32>() / 20_000.0;
    assert!(mean.abs() < 0.03 && (variance - 1.0).abs() < 0.05, "{mean} {variance}");
}
