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
mod tests {
    use super::*;

    fn seconds(back_off: &mut BackOff, count: usize) -> Vec<u64> {
        (0..count).map(|_| back_off.next_delay().as_secs()).collect()
    }

    #[test]
    fn waits_double_up_to_a_minute_and_start_again_after_a_healthy_life() {
        let options = SuperviseOptions { jitter: 0.0, ..SuperviseOptions::default() };
        let mut back_off = BackOff::new(&options);
        assert_eq!(seconds(&mut back_off, 8), [1, 2, 4, 8, 16, 32, 60, 60]);
        back_off.reset();
        assert_eq!(seconds(&mut back_off, 2), [1, 2]);
    }

    #[test]
    fn jitter_stays_within_its_share_and_is_not_always_the_same() {
        let max_delay = Duration::from_secs(1);
        let options = SuperviseOptions { max_delay, ..SuperviseOptions::default() };
        let mut back_off = BackOff::new(&options);
        let delays: Vec<f64> = (0..100).map(|_| back_off.next_delay().as_secs_f64()).collect();
        assert!(delays.iter().all(|delay| (0.75..=1.25).contains(delay)), "{delays:?}");
        assert!(delays.iter().any(|delay| *delay < 0.9));
        assert!(delays.iter().any(|delay| *delay > 1.1));
    }
}
