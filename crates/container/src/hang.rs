//! When a program has hung: it prints nothing for too long, or neither prints nor computes.

use std::time::{Duration, Instant};

/// A program that uses less than this share of one processor does not compute: threads of its libraries that wake up now
/// and then use that little in a program that hangs.
const COMPUTES: f64 = 1.0 / 1000.0;

/// Processor time is looked at so many times within the limit.
const LOOKS: u32 = 8;

/// How long a program may give no sign of life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct HangLimits {
    /// Longest time without output, whatever it computes.
    pub silent: Option<Duration>,
    /// Longest time without output in which it also uses no processor.
    pub idle: Option<Duration>,
}

/// Why a program is taken to have hung.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hang {
    /// It printed nothing for so long.
    Silent(Duration),
    /// It neither printed nor computed for so long.
    Idle(Duration),
}

/// The last signs of life of a program that runs.
#[derive(Debug)]
pub struct SignsOfLife {
    limits: HangLimits,
    printed: Instant,
    /// When it last printed or computed.
    lived: Instant,
    /// When its processor time was looked at last, and what it was, if that is known.
    looked: Instant,
    used: Option<Duration>,
}

impl SignsOfLife {
    /// Of a program that starts now, or whose output is read from now on.
    pub fn new(limits: HangLimits, now: Instant) -> Self {
        Self { limits, printed: now, lived: now, looked: now, used: None }
    }

    /// It printed something.
    pub fn printed(&mut self, now: Instant) {
        (self.printed, self.lived) = (now, now);
    }

    /// Whether [`computed`](Self::computed) wants to know how much it has computed.
    pub fn asks_for_processor_time(&self, now: Instant) -> bool {
        self.limits.idle.is_some_and(|idle| now.duration_since(self.looked) >= idle / LOOKS)
    }

    /// The processor time that it has used from its start on. Where that cannot be told, it counts as computing.
    pub fn computed(&mut self, used: Option<Duration>, now: Instant) {
        let since = now.duration_since(self.looked);
        let more = used.zip(self.used).map(|(used, before)| used.saturating_sub(before));
        if more.is_none_or(|more| more >= since.mul_f64(COMPUTES)) {
            self.lived = now;
        }
        (self.looked, self.used) = (now, used);
    }

    /// Whether it has hung.
    pub fn hang(&self, now: Instant) -> Option<Hang> {
        let over = |since: Instant, limit: Option<Duration>| {
            limit.filter(|limit| now.duration_since(since) >= *limit)
        };
        over(self.printed, self.limits.silent)
            .map(Hang::Silent)
            .or_else(|| over(self.lived, self.limits.idle).map(Hang::Idle))
    }
}

impl std::fmt::Display for Hang {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Silent(limit) => write!(f, "it printed nothing for {} s", limit.as_secs()),
            Self::Idle(limit) => {
                write!(f, "it neither printed nor computed anything for {} s", limit.as_secs())
            }
        }
    }
}

#[cfg(test)]
mod tests;
