//! Exact tests of counts: binomial, Fisher's and McNemar's; and the chi-square test of class counts.
//!
//! The exact distributions have one mode. Their weights follow from the mode's by ratios of neighbours, and dividing
//! by their sum makes them probabilities, so that no factorial loses digits.

use statrs::function::gamma::checked_gamma_ur;

/// Which results count as at least as extreme as the one found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Alternative {
    /// As low or lower.
    Less,
    /// As high or higher.
    Greater,
    /// As improbable or more so.
    TwoSided,
}

/// Weights closer than this, relatively, are equal but for rounding, as in SciPy.
const EQUAL: f64 = 1e-7;

/// The probability of a count at least as extreme as `found`; `ratio(k)` is the weight of `k + 1` over that of `k`.
fn tail(
    support: [u64; 2],
    mode: u64,
    found: u64,
    alternative: Alternative,
    ratio: impl Fn(u64) -> f64,
) -> f64 {
    let [first, last] = support;
    let mut upper = Vec::new();
    let mut weight = 1.0;
    for count in mode..=last {
        if weight == 0.0 {
            break;
        }
        upper.push(weight);
        if count < last {
            weight *= ratio(count);
        }
    }
    let mut lower = Vec::new();
    weight = 1.0;
    for count in (first..mode).rev() {
        weight /= ratio(count);
        if weight == 0.0 {
            break;
        }
        lower.push(weight);
    }
    // From the smallest to the largest, which loses the least.
    let upper = upper.iter().enumerate().rev().map(|(at, weight)| (mode + at as u64, *weight));
    let lower = lower.iter().enumerate().rev().map(|(at, weight)| (mode - 1 - at as u64, *weight));
    let weights: Vec<(u64, f64)> = lower.chain(upper).collect();
    let own = weights.iter().find(|(count, _)| *count == found).map_or(0.0, |(_, weight)| *weight);
    let is_extreme = |count: u64, weight: f64| match alternative {
        Alternative::Less => count <= found,
        Alternative::Greater => count >= found,
        Alternative::TwoSided => weight <= own * (1.0 + EQUAL),
    };
    let extreme: f64 = weights
        .iter()
        .filter(|(count, weight)| is_extreme(*count, *weight))
        .map(|(_, weight)| weight)
        .sum();
    let all: f64 = weights.iter().map(|(_, weight)| weight).sum();
    (extreme / all).min(1.0)
}

/// The exact binomial test: the probability of a number of successes at least as extreme, if each of `trials` succeeds
/// with `probability`. As `scipy.stats.binomtest`. NaN if `successes` is above `trials` or `probability` is none.
pub fn binomial(successes: u64, trials: u64, probability: f64, alternative: Alternative) -> f64 {
    if successes > trials || !(0.0..=1.0).contains(&probability) {
        return f64::NAN;
    }
    let mode = ((trials as f64 + 1.0) * probability).floor().min(trials as f64) as u64;
    let odds = probability / (1.0 - probability);
    tail([0, trials], mode, successes, alternative, |count| {
        (trials - count) as f64 / (count + 1) as f64 * odds
    })
}

/// Fisher's exact test of a table of two rows: the probability of a first entry at least as extreme, if both rows had
/// the same odds, given the sums of rows and columns. As `scipy.stats.fisher_exact`.
pub fn fisher(table: [[u64; 2]; 2], alternative: Alternative) -> f64 {
    let [[a, b], [c, d]] = table;
    let (row, column, all) = (a + b, a + c, a + b + c + d);
    if row == 0 || column == 0 || row == all || column == all {
        return 1.0;
    }
    let support = [(row + column).saturating_sub(all), row.min(column)];
    let mode = ((row as f64 + 1.0) * (column as f64 + 1.0) / (all as f64 + 2.0)).floor() as u64;
    let ratio = |count: u64| {
        let [more, less] =
            [(row - count, column - count), (count + 1, all + count + 1 - row - column)]
                .map(|(one, other)| one as f64 * other as f64);
        more / less
    };
    tail(support, mode.clamp(support[0], support[1]), a, alternative, ratio)
}

/// McNemar's test in its exact, two-sided form ("Note on the sampling error of the difference between correlated
/// proportions", 1947), of the images that only one of two classifiers has right; 1 if there are none.
pub fn mcnemar(only_first: u64, only_second: u64) -> f64 {
    let fewer = only_first.min(only_second);
    (2.0 * binomial(fewer, only_first + only_second, 0.5, Alternative::Less)).min(1.0)
}

/// What a chi-square test found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ChiSquare {
    /// Pearson's statistic.
    pub statistic: f64,
    /// Its degrees of freedom: cells − 1.
    pub freedom: u64,
    /// The probability of a statistic at least as large, if both rows had the same shares; 1 with fewer than two cells.
    pub p: f64,
}

/// The fewest images that a cell may be expected to have (Cochran, "Some methods for strengthening the common χ²
/// tests", 1954).
const EXPECTED_MIN: f64 = 5.0;

/// Pearson's chi-square test that two rows of counts have the same shares. As `scipy.stats.chi2_contingency` with
/// `correction=False`, without the columns that both rows lack.
pub fn chi_square(first: &[u64], second: &[u64]) -> ChiSquare {
    let sum = |row: &[u64]| row.iter().sum::<u64>() as f64;
    let [first_sum, second_sum] = [sum(first), sum(second)];
    let all = first_sum + second_sum;
    let (mut statistic, mut cells) = (0.0, 0);
    for (&one, &other) in first.iter().zip(second) {
        let column = (one + other) as f64;
        if column == 0.0 {
            continue;
        }
        cells += 1;
        for (found, row) in [(one, first_sum), (other, second_sum)] {
            let expected = column * row / all;
            if expected > 0.0 {
                statistic += (found as f64 - expected).powi(2) / expected;
            }
        }
    }
    let freedom = if cells > 0 && first_sum > 0.0 && second_sum > 0.0 { cells - 1 } else { 0 };
    ChiSquare { statistic, freedom, p: chi_square_survival(statistic, freedom) }
}

/// The probability that a sum of `freedom` squared standard normal values is at least `statistic`.
fn chi_square_survival(statistic: f64, freedom: u64) -> f64 {
    if freedom == 0 || statistic <= 0.0 {
        return 1.0;
    }
    checked_gamma_ur(freedom as f64 / 2.0, statistic / 2.0).unwrap_or(0.0).clamp(0.0, 1.0)
}

/// Puts the columns of which the second, smaller row has too few images for the test to hold into one.
pub fn pooled(first: &[u64], second: &[u64]) -> [Vec<u64>; 2] {
    let sum = |row: &[u64]| row.iter().sum::<u64>() as f64;
    let share = sum(second) / (sum(first) + sum(second)).max(1.0);
    let (mut rows, mut others, mut rest) = (Vec::new(), Vec::new(), [0, 0]);
    for (&one, &other) in first.iter().zip(second) {
        if (one + other) as f64 * share >= EXPECTED_MIN {
            rows.push(one);
            others.push(other);
        } else {
            rest[0] += one;
            rest[1] += other;
        }
    }
    match (rows.last_mut(), others.last_mut()) {
        (Some(one), Some(other)) if ((rest[0] + rest[1]) as f64) * share < EXPECTED_MIN => {
            *one += rest[0];
            *other += rest[1];
        }
        _ => {
            rows.push(rest[0]);
            others.push(rest[1]);
        }
    }
    [rows, others]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_has_no_probability_and_what_must_be_has_1() {
        assert!(binomial(5, 4, 0.5, Alternative::Less).is_nan());
        assert!(binomial(1, 4, 1.5, Alternative::Less).is_nan());
        assert!(binomial(1, 4, f64::NAN, Alternative::TwoSided).is_nan());
        assert_eq!(binomial(0, 0, 0.5, Alternative::TwoSided), 1.0);
        assert_eq!(binomial(4, 4, 1.0, Alternative::Less), 1.0);
        assert_eq!(binomial(3, 4, 1.0, Alternative::Less), 0.0);
        assert_eq!(binomial(0, 4, 0.0, Alternative::Greater), 1.0);
        assert_eq!(fisher([[0, 0], [3, 4]], Alternative::TwoSided), 1.0);
        assert_eq!(mcnemar(0, 0), 1.0);
        assert_eq!(chi_square(&[5, 0], &[9, 0]).p, 1.0);
        assert_eq!(chi_square(&[], &[]).p, 1.0);
    }

    #[test]
    fn large_counts_are_summed_where_they_have_weight_alone() {
        let p = binomial(499_000_000, 1_000_000_000, 0.5, Alternative::Less);
        assert!(p < 1e-300, "{p}");
        let p = binomial(499_990_000, 1_000_000_000, 0.5, Alternative::Less);
        // De Moivre and Laplace: Φ((499990000.5 − 5·10⁸) / √(2.5·10⁸)).
        assert!((p - 0.263_554_957_367).abs() < 1e-9, "{p}");
    }

    #[test]
    fn cells_with_too_few_images_are_pooled_and_none_is_lost() {
        let (first, second) = ([500, 400, 3, 2, 1], [50, 40, 1, 0, 0]);
        let [one, other] = pooled(&first, &second);
        assert_eq!((one, other), (vec![500, 406], vec![50, 41]));
        let [one, other] = pooled(&[500, 400, 30, 30, 30], &[50, 40, 3, 3, 3]);
        assert_eq!((one, other), (vec![500, 400, 90], vec![50, 40, 9]));
        assert_eq!(pooled(&[1, 1], &[1, 0]), [vec![2], vec![1]]);
    }
}
