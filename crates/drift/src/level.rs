//! How improbable a window must be, so that false alarms are as rare as asked for.
//!
//! An alarm needs two suspicious windows one after the other. If windows were independent, each suspicious with
//! probability `a`, an alarm would take `(1 + a) / a²` windows on average. They all are compared with the same
//! reference, though, whose own deviations they share: between windows of `n` images and a reference of `m`, two
//! distances of empirical distributions are correlated by `ρ = n / (n + m)`. With normal scores of that correlation,
//! a reference that deviates by `x` makes windows suspicious with probability
//! `q(x) = 1 − Φ((z − √ρ x) / √(1 − ρ))`, where `1 − Φ(z) = a`, and an alarm takes
//! `(1 + q) / q²` windows. The level is the `a` at which alarms per window, `E[q² / (1 + q)]`, are those asked for. (The mean
//! time to the first alarm is then longer than asked for, by Jensen's inequality.)

/// The level of a single window, so that alarms begin once in `run_time` windows on average where nothing has changed:
/// a window is suspicious if its probability is at most this. `window` and `reference` are numbers of images.
///
/// Of `run_time` below 2, or no number, the level is that of 2.
pub fn window_level(run_time: f64, window: usize, reference: usize) -> f64 {
    let wanted = 1.0 / run_time.max(2.0);
    let correlation = window as f64 / (window + reference).max(1) as f64;
    let [mut low, mut high] = [(wanted / 2.0).ln(), 0.0];
    for _ in 0..60 {
        let middle = (low + high) / 2.0;
        match alarm_rate(middle.exp(), correlation) > wanted {
            true => high = middle,
            false => low = middle,
        }
    }
    low.exp()
}

/// Alarms a window, if each window is suspicious with probability `level`.
fn alarm_rate(level: f64, correlation: f64) -> f64 {
    const STEPS: i32 = 400;
    const END: f64 = 9.0;
    let score = normal_quantile(level);
    let step = 2.0 * END / f64::from(STEPS);
    let at = |index: i32| {
        let deviation = -END + f64::from(index) * step;
        let conditional = (score - correlation.sqrt() * deviation) / (1.0 - correlation).sqrt();
        let suspicious = upper_tail(conditional);
        let density = (-deviation * deviation / 2.0).exp() / std::f64::consts::TAU.sqrt();
        density * suspicious * suspicious / (1.0 + suspicious)
    };
    // Simpson's rule.
    let inner: f64 =
        (1..STEPS).map(|index| at(index) * if index % 2 == 1 { 4.0 } else { 2.0 }).sum();
    (at(0) + inner + at(STEPS)) * step / 3.0
}

/// The probability that a standard normal value is above `score`.
fn upper_tail(score: f64) -> f64 {
    0.5 * libm::erfc(score / std::f64::consts::SQRT_2)
}

/// The score that a standard normal value is above with this probability.
fn normal_quantile(probability: f64) -> f64 {
    let [mut low, mut high] = [-40.0, 40.0];
    for _ in 0..200 {
        let middle = (low + high) / 2.0;
        if upper_tail(middle) > probability { low = middle } else { high = middle }
    }
    (low + high) / 2.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn independent_windows_have_the_level_of_two_in_a_row() {
        // (1 + a) / a² windows until two in a row.
        for level in [0.3, 0.1, 0.01, 0.001] {
            let run_time = (1.0 + level) / (level * level);
            let found = window_level(run_time, 1, usize::MAX / 2);
            assert!((found / level - 1.0).abs() < 1e-4, "{found}, not {level}");
        }
    }

    #[test]
    fn windows_that_share_a_small_reference_have_a_stricter_level() {
        let levels = [100_000, 5_000, 500, 50].map(|reference| window_level(1e4, 500, reference));
        assert!(levels.is_sorted_by(|one, other| one > other), "{levels:?}");
        assert!(levels[0] < 0.01 && levels[3] > 1e-4, "{levels:?}");
    }

    #[test]
    fn whatever_is_asked_for_the_level_is_a_probability() {
        for run_time in [f64::NAN, -1.0, 0.0, 2.0, 1e12, f64::INFINITY] {
            let level = window_level(run_time, 500, 5_000);
            assert!((0.0..=1.0).contains(&level), "{run_time}: {level}");
        }
        assert!((0.0..=1.0).contains(&window_level(1e4, 0, 0)));
    }
}
