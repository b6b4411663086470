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
mod tests {
    use super::*;

    const START_MS: u64 = 1000;

    fn beat_at(at_ms: u64, beats: u64) -> Option<Beat> {
        let position = Position { trial: 1, epoch: 1, step: beats };
        Some(Beat { pid: 7, beats, at_ms, position, beside: Vec::new() })
    }

    fn beat(beats: u64) -> Option<Beat> {
        beat_at(START_MS + beats, beats)
    }

    fn options() -> SuperviseOptions {
        SuperviseOptions {
            heartbeat: Duration::from_secs(8),
            startup_grace: Duration::from_secs(100),
            ..SuperviseOptions::default()
        }
    }

    fn after(start: Instant, seconds: u64) -> Instant {
        start + Duration::from_secs(seconds)
    }

    #[test]
    fn silence_is_a_hang_before_two_heartbeats_have_passed() {
        let start = Instant::now();
        let mut heartbeats = Heartbeats::new(None, None, START_MS, start);
        heartbeats.observe(beat(1), after(start, 1));
        heartbeats.observe(beat(2), after(start, 15));
        heartbeats.observe(beat(2), after(start, 28));
        assert_eq!(heartbeats.silence(after(start, 28), &options()), None);
        let silence = heartbeats.silence(after(start, 29), &options()).unwrap();
        assert_eq!(silence.since, SilentSince::LastBeat);
        assert_eq!(silence.to_string(), "no heartbeat for 14.0 s");
        let latest = options().hung_after() + 2 * options().poll_interval();
        assert!(latest <= 2 * options().heartbeat);
    }

    #[test]
    fn a_beat_of_an_earlier_life_is_no_sign_of_life() {
        let start = Instant::now();
        let old = beat_at(START_MS - 1, 9);
        for mut heartbeats in [
            Heartbeats::new(old.clone(), None, START_MS, start),
            Heartbeats::new(None, None, START_MS, start),
        ] {
            heartbeats.observe(old.clone(), after(start, 1));
            assert_eq!(heartbeats.positions(), []);
            assert_eq!(heartbeats.silence(after(start, 99), &options()), None);
            let silence = heartbeats.silence(after(start, 100), &options()).unwrap();
            assert_eq!(silence.since, SilentSince::Start);
            heartbeats.observe(beat(1), after(start, 2));
            assert_eq!(heartbeats.positions()[0].step, 1);
        }
    }

    #[test]
    fn a_first_beat_that_is_seen_late_still_tells_where_it_was() {
        let mut heartbeats = Heartbeats::new(None, None, START_MS, Instant::now());
        heartbeats.observe(beat(3), Instant::now());
        heartbeats.observe(None, Instant::now());
        assert_eq!(heartbeats.positions()[0].step, 3);
    }

    #[test]
    fn change_is_life_even_when_the_clock_was_set_back() {
        let mut heartbeats = Heartbeats::new(beat(9), None, START_MS, Instant::now());
        heartbeats.observe(beat_at(5, 1), Instant::now());
        assert_eq!(heartbeats.positions()[0].step, 1);
    }

    #[test]
    fn a_download_that_goes_on_is_no_hang_however_long_it_takes() {
        let start = Instant::now();
        let left_by_an_earlier_life = beat(1);
        let mut heartbeats =
            Heartbeats::new(None, left_by_an_earlier_life.clone(), START_MS, start);
        heartbeats.observe_preparing(left_by_an_earlier_life, after(start, 90));
        let silence = heartbeats.silence(after(start, 100), &options()).unwrap();
        assert_eq!(silence.since, SilentSince::Start);
        for second in 1..50 {
            heartbeats.observe_preparing(beat(1 + second), after(start, 90 * second));
            assert_eq!(heartbeats.silence(after(start, 90 * second + 99), &options()), None);
        }
        let silence = heartbeats.silence(after(start, 90 * 49 + 100), &options()).unwrap();
        assert_eq!(silence.since, SilentSince::Preparing);
        assert_eq!(heartbeats.positions(), [], "it made no step");
    }
}
