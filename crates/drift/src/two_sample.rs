//! Whether two samples come from the same distribution: the test of Kolmogorov and Smirnov.

use std::cmp::Ordering;

use crate::kolmogorov;

/// The sizes up to which the exact probability is used, as in SciPy.
pub const EXACT_SIZE_MAX: usize = 10_000;

/// The largest distance between the empirical distribution functions of two samples, each in ascending order; 0 if
/// one of them is empty. NaN must have been ordered last, and counts as the largest value.
pub fn distance(first: &[f32], second: &[f32]) -> f64 {
    let (mut at_first, mut at_second, mut largest) = (0, 0, 0.0f64);
    while at_first < first.len() && at_second < second.len() {
        // Past every value that is the same, in both: the functions differ between values alone.
        let value = match order(first[at_first], second[at_second]) {
            Ordering::Less => first[at_first],
            _ => second[at_second],
        };
        at_first += equal_or_less(&first[at_first..], value);
        at_second += equal_or_less(&second[at_second..], value);
        let shares = [(at_first, first.len()), (at_second, second.len())]
            .map(|(at, all)| at as f64 / all as f64);
        largest = largest.max((shares[0] - shares[1]).abs());
    }
    largest
}

/// NaN is the largest value; zeros are equal, whatever their sign.
fn order(first: f32, second: f32) -> Ordering {
    (first + 0.0).total_cmp(&(second + 0.0))
}

/// How many values from the beginning are at most `value`.
fn equal_or_less(values: &[f32], value: f32) -> usize {
    values.iter().take_while(|other| order(**other, value).is_le()).count()
}

/// The probability of a distance at least as large between samples of these sizes from the same continuous
/// distribution; with equal values within the samples it is an upper bound. Exact up to [`EXACT_SIZE_MAX`] values, as
/// `scipy.stats.ks_2samp(method="auto")`.
pub fn p_value(distance: f64, first: usize, second: usize) -> f64 {
    match first.max(second) <= EXACT_SIZE_MAX {
        true => exact(distance, first, second),
        false => asymptotic(distance, first, second),
    }
}

/// The exact probability, by the shares of lattice paths that leave a band: Hodges, "The significance probability of
/// the Smirnov two-sample test" (1958). As `ks_2samp(method="exact")`; takes time proportional to the product of the
/// sizes.
pub fn exact(distance: f64, first: usize, second: usize) -> f64 {
    if first == 0 || second == 0 || distance.is_nan() {
        return f64::NAN;
    }
    let divisor = gcd(first, second);
    let common = (first / divisor) as f64 * second as f64;
    let steps = (distance * common).round_ties_even();
    if steps <= 0.0 {
        return 1.0;
    }
    if steps > common {
        return 0.0;
    }
    let probability = if first == second {
        outside_square(first as f64, steps)
    } else {
        outside(first.max(second), first.min(second), divisor, steps as i64)
    };
    probability.clamp(0.0, 1.0)
}

/// The share of paths that leave the band, in closed form for samples of one size.
fn outside_square(n: f64, steps: f64) -> f64 {
    let mut probability = 0.0;
    for k in (0..=(n / steps).floor() as u64).rev() {
        let shift = k as f64 * steps;
        let mut part = 1.0;
        let mut at = 0.0;
        while at < steps && part != 0.0 {
            part *= (n - shift - at) / (n + shift + at + 1.0);
            at += 1.0;
        }
        probability = part * (1.0 - probability);
    }
    2.0 * probability
}

/// The share of the lattice paths to (`longer`, `shorter`) that reach a distance of `steps`, in units of the inverse
/// of the sizes' least common multiple.
fn outside(longer: usize, shorter: usize, divisor: usize, steps: i64) -> f64 {
    let [long_step, short_step] = [longer / divisor, shorter / divisor].map(|step| step as i64);
    let last = shorter as i64;
    let above = |value: i64| -(-value).div_euclid(long_step);
    // The share of the paths to each point of a column that have left the band; outside of it, all of them.
    let mut shares = vec![1.0; shorter + 1];
    let mut end = above(steps).min(last + 1);
    shares[..end as usize].fill(0.0);
    let mut begin = 0;
    for column in 1..=longer as i64 {
        let at = short_step * column;
        begin = ((at - steps).div_euclid(long_step) + 1).clamp(0, last);
        end = above(at + steps).min(last + 1);
        if end <= begin {
            return 1.0;
        }
        let mut below = if begin == 0 { 0.0 } else { 1.0 };
        let across = column as f64;
        for row in begin..end {
            let share = &mut shares[row as usize];
            let up = row as f64;
            below = (*share * across + below * up) / (across + up);
            *share = below;
        }
    }
    if end <= last || begin > last { 1.0 } else { shares[shorter] }
}

/// The approximation for large samples: that of one sample of the harmonic size, as `ks_2samp(method="asymp")`.
pub fn asymptotic(distance: f64, first: usize, second: usize) -> f64 {
    let (first, second) = (first as f64, second as f64);
    let size = (first * second / (first + second)).round_ties_even();
    kolmogorov::survival(size as u64, distance)
}

fn gcd(first: usize, second: usize) -> usize {
    if second == 0 { first } else { gcd(second, first % second) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_distance_counts_equal_values_in_both_samples_at_once() {
        assert_eq!(distance(&[1.0, 1.0, 2.0], &[1.0, 1.0, 2.0]), 0.0);
        assert_eq!(distance(&[1.0, 2.0], &[3.0, 4.0]), 1.0);
        assert!((distance(&[0.0, 1.0, 2.0, 3.0], &[2.0, 2.5]) - 0.5).abs() < 1e-15);
        assert_eq!(distance(&[], &[1.0]), 0.0);
        assert_eq!(distance(&[-0.0, 1.0], &[0.0, 1.0]), 0.0);
    }

    #[test]
    fn the_exact_probability_is_the_share_of_all_orders() {
        // All 35 ways to mix three values of one sample with four of another.
        let mut distances = Vec::new();
        for order in 0u32..1 << 7 {
            if order.count_ones() == 3 {
                let of = |bit| {
                    let at = |index: &u32| order >> index & 1 == bit;
                    (0..7).filter(at).map(|index| index as f32).collect::<Vec<_>>()
                };
                distances.push(distance(&of(1), &of(0)));
            }
        }
        assert_eq!(distances.len(), 35);
        for &found in &distances {
            let share =
                distances.iter().filter(|other| **other >= found - 1e-9).count() as f64 / 35.0;
            assert!((exact(found, 3, 4) - share).abs() < 1e-12, "{found}");
            assert!((exact(found, 4, 3) - share).abs() < 1e-12, "{found}");
        }
    }

    #[test]
    fn samples_that_are_empty_or_distances_that_are_no_number_have_no_probability() {
        assert!(exact(0.5, 0, 3).is_nan() && exact(f64::NAN, 3, 3).is_nan());
        assert!(asymptotic(0.5, 0, 3).is_nan() && asymptotic(f64::NAN, 9, 9).is_nan());
        assert_eq!((exact(1.5, 3, 4), exact(0.0, 3, 4), asymptotic(1.0, 30, 40)), (0.0, 1.0, 0.0));
    }
}
