//! Tests whether a classifier is worse than another one by less than a margin, on the same images.

use statrs::distribution::{ContinuousCDF, Normal};

use crate::record::paired::Discordant;

/// The probability of a difference at least as favourable to the second classifier, if its accuracy were lower than
/// that of the first by exactly the margin: Tango's score test ("Equivalence test and confidence interval for the
/// difference in proportions for the paired-sample design", Statistics in Medicine 17, 1998), one-sided. With a margin of
/// 0 it is McNemar's test. 1 for no images, and where no such classifiers could differ as they do.
///
/// `margin` is a difference of shares, from 0 to below 1.
pub(super) fn p_value(discordant: Discordant, images: u64, margin: f64) -> f64 {
    let Discordant { only_first, only_second } = discordant;
    let (n, lost, won) = (images as f64, only_first as f64, only_second as f64);
    if images == 0 {
        return 1.0;
    }
    let distance = won - lost + n * margin;
    // The probability that only the first is right, if the accuracies differ by the margin, where it is most likely.
    let linear = (lost + won) * (1.0 + margin) + 2.0 * margin * (n - won);
    let root = (linear * linear - 8.0 * n * lost * margin * (1.0 + margin)).max(0.0).sqrt();
    let only_first = (linear + root) / (4.0 * n);
    let variance = n * (2.0 * only_first - margin * (1.0 + margin));
    if variance <= 0.0 {
        return if distance > 0.0 { 0.0 } else { 1.0 };
    }
    match Normal::new(0.0, 1.0) {
        Ok(normal) => normal.sf(distance / variance.sqrt()),
        Err(_) => 1.0,
    }
}

/// The lower end of the one-sided interval of the difference of accuracies, second less first, at this level: the
/// margin at which [`p_value`] is the level, as a negative number.
pub(super) fn lower_bound(discordant: Discordant, images: u64, level: f64) -> f64 {
    let is_excluded = |margin: f64| p_value(discordant, images, margin) <= level;
    let score = |difference: f64| match difference {
        // Above 0, the roles are swapped: the second is better by that much if the first is worse.
        difference if difference > 0.0 => {
            let other = Discordant {
                only_first: discordant.only_second,
                only_second: discordant.only_first,
            };
            1.0 - p_value(other, images, difference) <= level
        }
        difference => is_excluded(-difference),
    };
    let (mut excluded, mut included) = (-1.0 + 1e-9, 1.0 - 1e-9);
    for _ in 0..60 {
        let middle = (excluded + included) / 2.0;
        if score(middle) { excluded = middle } else { included = middle }
    }
    (excluded + included) / 2.0
}

#[cfg(test)]
mod tests;
