//! Delays before restarts, which double with every failure.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::options::SuperviseOptions;
use crate::sys::CounterRng;

/// Computes the delay before each restart.
#[derive(Debug)]
pub(super) struct BackOff {
    initial: Duration,
    max: Duration,
    jitter: f64,
    next: Duration,
    rng: CounterRng,
}

impl BackOff {
    pub(super) fn new(options: &SuperviseOptions) -> Self {
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        // Seeded by process and time, so that supervisors differ; no result depends on it.
        let seed = since_1970.as_nanos() as u64 ^ u64::from(std::process::id()).rotate_left(32);
        Self {
            initial: options.initial_delay,
            max: options.max_delay,
            jitter: options.jitter.clamp(0.0, 1.0),
            next: options.initial_delay,
            rng: CounterRng::new(seed),
        }
    }

    pub(super) fn next_delay(&mut self) -> Duration {
        let base = self.next.min(self.max);
        self.next = base.saturating_mul(2);
        let factor = 1.0 + self.jitter * (2.0 * f64::from(self.rng.unit()) - 1.0);
        base.mul_f64(factor.max(0.0))
    }

    pub(super) fn reset(&mut self) {
        self.next = self.initial;
    }
}

#[cfg(test)]
mod tests;
