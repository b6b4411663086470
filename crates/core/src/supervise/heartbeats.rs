//! Detects by heartbeats that a trainer hangs.

use std::fmt;
use std::time::{Duration, Instant};

use super::options::SuperviseOptions;
use crate::sys::heartbeat::{Beat, Position};

/// The heartbeats of one trainer process. Except for the first one only changes count, so that no clock
/// has to be right.
#[derive(Debug)]
pub(super) struct Heartbeats {
    /// When the process started, on the clock of heartbeats.
    started_ms: u64,
    /// A heartbeat of an earlier process.
    stale: Option<Beat>,
    /// The last heartbeat of this process.
    beat: Option<Beat>,
    /// The last heartbeat outside of a run folder, of any process.
    preparing: Option<Beat>,
    /// Whether this process wrote one of those.
    has_prepared: bool,
    /// When the process started, or its last heartbeat was first seen.
    last_sign: Instant,
}

/// How long there was no heartbeat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Silence {
    /// Time since the last heartbeat, or since the start.
    pub lasted: Duration,
    /// What came before.
    pub since: SilentSince,
}

/// The last thing before the heartbeats ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SilentSince {
    /// The trainer's start.
    Start,
    /// A heartbeat before the first step, such as during a download.
    Preparing,
    /// A heartbeat of the training.
    LastBeat,
}

impl fmt::Display for Silence {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let seconds = self.lasted.as_secs_f64();
        match self.since {
            SilentSince::Start => {
                write!(f, "no heartbeat in the {seconds:.1} s since its start")
            }
            SilentSince::Preparing => {
                write!(f, "no heartbeat for {seconds:.1} s while it prepared its data")
            }
            SilentSince::LastBeat => write!(f, "no heartbeat for {seconds:.1} s"),
        }
    }
}

impl Heartbeats {
    /// `stale` is the heartbeat in the run folder before the trainer starts, if that is known;
    /// `preparing` is the one in the supervisor's folder, where trainers write before they have a run
    /// folder.
    pub(super) fn new(
        stale: Option<Beat>,
        preparing: Option<Beat>,
        started_ms: u64,
        started: Instant,
    ) -> Self {
        Self { started_ms, stale, beat: None, preparing, has_prepared: false, last_sign: started }
    }

    /// Takes note of a heartbeat outside of a run folder.
    pub(super) fn observe_preparing(&mut self, found: Option<Beat>, now: Instant) {
        if found.is_some() && found != self.preparing {
            self.preparing = found;
            self.last_sign = now;
            self.has_prepared = true;
        }
    }

    pub(super) fn observe(&mut self, found: Option<Beat>, now: Instant) {
        let Some(beat) = found else {
            return;
        };
        let found = Some(beat);
        if found == self.beat || found == self.stale {
            return;
        }
        // In a folder that was not known before, the first beat may be an old one.
        if self.beat.is_none()
            && self.stale.is_none()
            && found.as_ref().is_some_and(|beat| beat.at_ms < self.started_ms)
        {
            self.stale = found;
            return;
        }
        self.beat = found;
        self.last_sign = now;
    }

    /// The positions of the running trials at the last heartbeat of this process.
    pub(super) fn positions(&self) -> Vec<Position> {
        self.beat.as_ref().map(Beat::positions).unwrap_or_default()
    }

    /// The time without heartbeat, if it counts as a hang.
    pub(super) fn silence(&self, now: Instant, options: &SuperviseOptions) -> Option<Silence> {
        let (limit, since) = match self.beat {
            Some(_) => (options.hung_after(), SilentSince::LastBeat),
            None if self.has_prepared => (options.startup_grace, SilentSince::Preparing),
            None => (options.startup_grace, SilentSince::Start),
        };
        let lasted = now.saturating_duration_since(self.last_sign);
        (lasted >= limit).then_some(Silence { lasted, since })
    }
}

#[cfg(test)]
mod tests;
