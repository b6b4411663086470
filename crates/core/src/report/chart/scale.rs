//! The vertical scales of charts, chosen so that the values that matter can be told apart.

/// Maps values to heights.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Scale {
    kind: Kind,
    low: f64,
    high: f64,
    ticks: Vec<f64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Equal differences are equally high.
    Linear,
    /// Equal ratios of the error, 1 − accuracy, are equally high: as far from 90 % to 99 % as from
    /// there to 99.9 %.
    LogError,
}

/// Where lines are drawn on a scale of errors.
const ERROR_TICKS: [f64; 13] =
    [0.0, 0.5, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.998, 0.999, 0.9995, 0.9999, 0.99999];

impl Scale {
    /// A scale for accuracies, 0..=1; NaN and infinities are ignored. It is linear over
    /// their range, or logarithmic in the errors if they reach from far below to near 1.
    pub(crate) fn of_accuracies(values: impl Iterator<Item = f64>) -> Self {
        let Some((low, high)) = range(values) else {
            return Self::linear(0.0, 1.0, 1.0);
        };
        let (low, high) = (low.clamp(0.0, 1.0), high.clamp(0.0, 1.0));
        if high >= 0.95 && high - low > 0.25 {
            Self::log_error(low, high)
        } else {
            // Tiny changes in accuracy must not fill the whole chart.
            let span = (high - low).max(0.02);
            Self::linear((high - span).min(low) - 0.08 * span, high + 0.08 * span, 1.0)
        }
    }

    /// A scale for losses, from 0; NaN and infinities are ignored.
    pub(super) fn of_losses(values: impl Iterator<Item = f64>) -> Self {
        let high = range(values).map_or(1.0, |(_, high)| high);
        // A diverging loss must not stretch the scale to infinity.
        Self::linear(0.0, if high > 0.0 { high.min(1e30) } else { 1.0 }, f64::MAX)
    }

    fn linear(low: f64, high: f64, most: f64) -> Self {
        let step = nice_step((high - low) / 5.0);
        let first = (low / step).floor().max(0.0);
        let last = (high / step).ceil();
        let count = (last - first) as usize;
        // Multiplied, not added up, so that 0.3 is drawn as 0.3.
        let ticks = (0..=count).map(|tick| (first + tick as f64) * step);
        // With some tolerance, because 5 × 0.2 may be slightly more than 1.
        let ticks: Vec<f64> = ticks.filter(|tick| *tick <= most * (1.0 + 1e-9)).collect();
        let high = ticks.last().copied().unwrap_or(most);
        Self { kind: Kind::Linear, low: first * step, high, ticks }
    }

    fn log_error(low: f64, high: f64) -> Self {
        let below = ERROR_TICKS.iter().rev().find(|tick| **tick <= low);
        let above = ERROR_TICKS.iter().find(|tick| **tick >= high);
        let (low, high) = (below.copied().unwrap_or(0.0), above.copied().unwrap_or(0.99999));
        let ticks = ERROR_TICKS.iter().copied();
        let ticks = ticks.filter(|tick| (low..=high).contains(tick)).collect();
        Self { kind: Kind::LogError, low, high, ticks }
    }

    /// The height of a value as a share of the chart, 0..=1; values outside lie on the edge.
    pub(crate) fn share(&self, value: f64) -> f64 {
        let (low, high) = (self.transformed(self.low), self.transformed(self.high));
        ((self.transformed(value) - low) / (high - low)).clamp(0.0, 1.0)
    }

    fn transformed(&self, value: f64) -> f64 {
        match self.kind {
            Kind::Linear => value,
            Kind::LogError => -(1.0 - value).max(1e-6).log10(),
        }
    }

    /// Where to draw lines, from below; those that would be closer than `gap` (a share of the
    /// height) to the one before are left out, though never the lowest.
    pub(crate) fn ticks(&self, gap: f64) -> Vec<f64> {
        let mut kept: Vec<f64> = Vec::new();
        for tick in &self.ticks {
            if kept.last().is_none_or(|last| self.share(*tick) - self.share(*last) >= gap) {
                kept.push(*tick);
            }
        }
        kept
    }

    /// Whether equal heights are equal ratios of the error.
    pub(crate) fn is_of_errors(&self) -> bool {
        self.kind == Kind::LogError
    }
}

fn range(values: impl Iterator<Item = f64>) -> Option<(f64, f64)> {
    values.filter(|value| value.is_finite()).fold(None, |range, value| match range {
        None => Some((value, value)),
        Some((low, high)) => Some((low.min(value), high.max(value))),
    })
}

/// The smallest of … 0.2, 0.5, 1, 2, 5, 10, … that is at least `least`.
fn nice_step(least: f64) -> f64 {
    let power = 10_f64.powf(least.log10().floor());
    let steps = [1.0, 2.0, 5.0, 10.0].map(|factor| factor * power);
    steps.into_iter().find(|step| *step >= least * (1.0 - 1e-9)).unwrap_or(10.0 * power)
}

#[cfg(test)]
mod tests;
