//! Clocks, behind a trait so that tests can control time.

use std::fmt;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use jiff::Timestamp;

/// A clock.
pub trait Clock: fmt::Debug + Send + Sync {
    /// The date and time, which may jump when the clock is set.
    fn now(&self) -> Timestamp;

    /// Time since a fixed moment, for measuring; never goes backwards.
    fn monotonic(&self) -> Duration;
}

/// RFC 3339 in UTC, with milliseconds: `2026-01-02T03:04:05.678Z`.
pub fn rfc3339(at: Timestamp) -> String {
    format!("{at:.3}")
}

/// The machine's clock.
#[derive(Debug, Clone, Copy)]
pub struct RealClock {
    started: Instant,
}

impl Default for RealClock {
    fn default() -> Self {
        Self { started: Instant::now() }
    }
}

impl Clock for RealClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    fn monotonic(&self) -> Duration {
        self.started.elapsed()
    }
}

/// A clock for tests, which changes only when it is advanced. It starts at 2026-01-01.
#[derive(Debug, Default)]
pub struct FakeClock {
    elapsed: Mutex<Duration>,
}

/// 2026-01-01T00:00:00Z.
const FAKE_START_SECONDS: i64 = 1_767_225_600;

impl FakeClock {
    /// Advances the clock.
    pub fn advance(&self, by: Duration) {
        *self.elapsed.lock().unwrap_or_else(|broken| broken.into_inner()) += by;
    }
}

impl Clock for FakeClock {
    fn now(&self) -> Timestamp {
        let start = Timestamp::from_second(FAKE_START_SECONDS).unwrap_or_default();
        start.checked_add(self.monotonic()).unwrap_or(start)
    }

    fn monotonic(&self) -> Duration {
        *self.elapsed.lock().unwrap_or_else(|broken| broken.into_inner())
    }
}

#[cfg(test)]
mod tests;
