//! The learning rate as a function of the step.

use std::f64::consts::PI;

use super::{Schedule, TrainSpec};

/// Learning rate of step `step`, counted from 0, out of `steps` in the whole trial.
pub fn learning_rate(train: &TrainSpec, step: usize, steps: usize) -> f64 {
    let progress = step as f64 / steps.max(1) as f64;
    let share = if progress < train.warm_up {
        // `step + 1`, so that the first step's rate is above zero.
        (step + 1) as f64 / (train.warm_up * steps as f64).max(1.0)
    } else {
        let after_warm_up = (progress - train.warm_up) / (1.0 - train.warm_up);
        share_of_peak(&train.schedule, after_warm_up.clamp(0.0, 1.0))
    };
    train.learning_rate * share.min(1.0)
}

/// Mean learning rate over a trial, as a share of the highest.
pub fn mean_share(train: &TrainSpec) -> f64 {
    const SAMPLES: usize = 1000;
    let sum: f64 = (0..SAMPLES).map(|step| learning_rate(train, step, SAMPLES)).sum();
    sum / SAMPLES as f64 / train.learning_rate
}

fn share_of_peak(schedule: &Schedule, progress: f64) -> f64 {
    match *schedule {
        Schedule::Constant {} => 1.0,
        Schedule::Cosine { floor } => half_cosine(1.0, floor, progress),
        Schedule::OneCycle { peak_at, start, .. } if progress < peak_at => {
            half_cosine(start, 1.0, progress / peak_at)
        }
        Schedule::OneCycle { peak_at, floor, .. } => {
            half_cosine(1.0, floor, (progress - peak_at) / (1.0 - peak_at))
        }
    }
}

/// From `from` to `to` along half a cosine, flat at both ends.
fn half_cosine(from: f64, to: f64, progress: f64) -> f64 {
    to + (from - to) * (1.0 + (PI * progress).cos()) / 2.0
}

#[cfg(test)]
mod tests;
