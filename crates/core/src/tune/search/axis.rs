//! One dimension of the search space: how it is drawn, and how likely its places are.
//!
//! A place is a coordinate on an axis: the index of a choice, or a number. Densities of numbers are those of
//! their logarithms.

use crate::sys::CounterRng;

/// One setting of a trial.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Setting {
    Convs,
    ConvsPerStage,
    Width,
    /// Of a stage, counted from 0.
    Filters(usize),
    Kernel,
    BatchNorm,
    DenseLayers,
    /// Of a dense layer, counted from 0.
    Units(usize),
    Activation,
    Dropout,
    Optimizer,
    /// The learning rate with the optimizer at this place.
    Rate(usize),
    Schedule,
    BatchSize,
    Shift,
    Flip,
    Epochs,
}

/// The places of an axis.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Scale {
    /// One of this number of choices, none of which is closer to another.
    Choice(usize),
    /// One of this number of choices, in order of size.
    Ordered(usize),
    /// A number between these two.
    Logarithmic(f64, f64),
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Axis {
    pub(super) setting: Setting,
    pub(super) scale: Scale,
    /// The place of the plain family's member.
    pub(super) usual: f64,
}

/// Standard deviation of a usual number's logarithm, and, in places, of an ordered choice.
const USUAL_DEVIATION: f64 = 1.0;
/// Least standard deviation of a kernel, as a share of the axis: about that of Optuna's multivariate estimator (Akiba
/// et al. 2019), which is 0.2·n^(−1/(d+4)) for n trials and d axes.
const KERNEL_WIDTH: f64 = 0.2;

impl Axis {
    /// Draws a place, each as likely as any other.
    pub(super) fn draw_uniformly(&self, rng: &mut CounterRng) -> f64 {
        let unit = f64::from(rng.unit());
        match self.scale {
            Scale::Choice(count) | Scale::Ordered(count) => {
                f64::from(rng.below(count.max(1) as u32))
            }
            Scale::Logarithmic(low, high) => {
                (low.ln() + unit * (high.ln() - low.ln())).exp().clamp(low, high)
            }
        }
    }

    /// Draws a place: half of them anywhere, half near the usual one.
    pub(super) fn draw_by_habit(&self, rng: &mut CounterRng) -> f64 {
        match rng.below(2) {
            0 => self.draw_uniformly(rng),
            _ => self.draw_from(self.usual_bell(), rng),
        }
    }

    /// The density from which [`draw_by_habit`](Self::draw_by_habit) draws.
    pub(super) fn habit(&self, place: f64) -> f64 {
        let anywhere = match self.scale {
            Scale::Choice(count) | Scale::Ordered(count) => 1.0 / count.max(1) as f64,
            Scale::Logarithmic(low, high) if low < high => 1.0 / (high / low).ln(),
            Scale::Logarithmic(..) => 1.0,
        };
        0.5 * anywhere + 0.5 * self.bell_at(self.usual_bell(), place)
    }

    /// Draws a place near that of a trial, which is one of `trials`.
    pub(super) fn draw_near(&self, trial: f64, trials: usize, rng: &mut CounterRng) -> f64 {
        self.draw_from(self.bell_around(trial, trials), rng)
    }

    /// The density from which [`draw_near`](Self::draw_near) draws.
    pub(super) fn near(&self, trial: f64, trials: usize, place: f64) -> f64 {
        self.bell_at(self.bell_around(trial, trials), place)
    }

    fn usual_bell(&self) -> Bell {
        Bell { center: self.usual, width: USUAL_DEVIATION, stray: 0.0 }
    }

    /// As in Optuna's multivariate estimator: kernels get narrower the more trials there are, and of a trial's choice
    /// the share 1 / (trials + 1) is moved to every other one.
    fn bell_around(&self, center: f64, trials: usize) -> Bell {
        let trials = trials as f64;
        let span = match self.scale {
            Scale::Choice(count) | Scale::Ordered(count) => count.saturating_sub(1) as f64,
            Scale::Logarithmic(low, high) => (high / low).ln(),
        };
        let width = span * KERNEL_WIDTH.max(1.0 / (trials + 1.0).min(100.0));
        Bell { center, width: width.max(0.3), stray: 1.0 / (trials + 1.0) }
    }

    fn bell_at(&self, bell: Bell, place: f64) -> f64 {
        match self.scale {
            Scale::Choice(count) => {
                let here = f64::from(u8::from(bell.center == place));
                (here + bell.stray) / (1.0 + bell.stray * count.max(1) as f64)
            }
            Scale::Ordered(count) => {
                let total: f64 = (0..count).map(|other| bell.height(other as f64)).sum();
                bell.height(place) / total.max(f64::MIN_POSITIVE)
            }
            Scale::Logarithmic(low, high) if low < high => {
                let [place, center] = [place.ln(), bell.center.ln()];
                Bell { center, ..bell }.height(place) / (bell.width * ROOT_OF_TAU)
            }
            Scale::Logarithmic(..) => 1.0,
        }
    }

    fn draw_from(&self, bell: Bell, rng: &mut CounterRng) -> f64 {
        match self.scale {
            Scale::Choice(_) | Scale::Ordered(_) => {
                let mut left = f64::from(rng.unit());
                let count = match self.scale {
                    Scale::Choice(count) | Scale::Ordered(count) => count,
                    Scale::Logarithmic(..) => 0,
                };
                for place in 0..count {
                    left -= self.bell_at(bell, place as f64);
                    if left < 0.0 {
                        return place as f64;
                    }
                }
                bell.center
            }
            Scale::Logarithmic(low, high) => {
                let offset = bell.width * f64::from(rng.approximate_normal());
                (bell.center.ln() + offset).exp().clamp(low, high)
            }
        }
    }
}

/// Where places are likely. For choices without an order only `stray` counts, for others only `width`.
#[derive(Debug, Clone, Copy)]
struct Bell {
    center: f64,
    width: f64,
    /// What every other choice gets, as a share of what the one at the center does.
    stray: f64,
}

impl Bell {
    /// Relative to the center.
    fn height(self, place: f64) -> f64 {
        let distance = (place - self.center) / self.width;
        (-0.5 * distance * distance).exp()
    }
}

/// √(2π)
const ROOT_OF_TAU: f64 = 2.506_628_274_631_000_5;

#[cfg(test)]
mod tests;
