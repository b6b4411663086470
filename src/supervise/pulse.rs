//! Judges from heartbeats whether a trainer hangs.

use std::fmt;
use std::time::{Duration, Instant};

use super::options::SuperviseOptions;
use crate::sys::heartbeat::{Beat, Position};

/// What is known of one life of a trainer. But for its first beat only change counts, so that no
/// clock has to be right.
#[derive(Debug)]
pub(super) struct Pulse {
    /// When this life began, as beats tell the time.
    started_ms: u64,
    /// Left by an earlier life.
    stale: Option<Beat>,
    /// The last of this life.
    beat: Option<Beat>,
    /// The last one from before there was a run folder, of whichever life.
    preparing: Option<Beat>,
    /// Whether one came in this life.
    has_prepared: bool,
    /// When this life began, or its last beat was first seen.
    last_sign: Instant,
}

/// How long a trainer has been silent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Silence {
    /// Since its last sign of life, or since its start.
    pub lasted: Duration,
    /// Whether it ever gave one.
    pub since: SilentSince,
}

/// What came before a silence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SilentSince {
    /// The trainer's start.
    Start,
    /// A sign of life before its first step, such as a block of a download.
    Preparing,
    /// A sign of life.
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

impl Pulse {
    /// `stale` is what lies in the run folder before the trainer starts, where that is known, and
    /// `preparing` what lies where trainers without a run folder tell that they live.
    pub(super) fn new(
        stale: Option<Beat>,
        preparing: Option<Beat>,
        started_ms: u64,
        started: Instant,
    ) -> Self {
        Self { started_ms, stale, beat: None, preparing, has_prepared: false, last_sign: started }
    }

    /// Looks at signs of life from before there is a run folder.
    pub(super) fn look_at_preparing(&mut self, found: Option<Beat>, now: Instant) {
        if found.is_some() && found != self.preparing {
            self.preparing = found;
            self.last_sign = now;
            self.has_prepared = true;
        }
    }

    pub(super) fn look(&mut self, found: Option<Beat>, now: Instant) {
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

    /// Where the trials that trained at the same time were at the last beat of this life.
    pub(super) fn positions(&self) -> Vec<Position> {
        self.beat.as_ref().map(Beat::positions).unwrap_or_default()
    }

    /// The silence that makes it a hang.
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
        let mut pulse = Pulse::new(None, None, START_MS, start);
        pulse.look(beat(1), after(start, 1));
        pulse.look(beat(2), after(start, 15));
        pulse.look(beat(2), after(start, 28));
        assert_eq!(pulse.silence(after(start, 28), &options()), None);
        let silence = pulse.silence(after(start, 29), &options()).unwrap();
        assert_eq!(silence.since, SilentSince::LastBeat);
        assert_eq!(silence.to_string(), "no heartbeat for 14.0 s");
        let latest = options().hung_after() + 2 * options().look_every();
        assert!(latest <= 2 * options().heartbeat);
    }

    #[test]
    fn a_beat_of_an_earlier_life_is_no_sign_of_life() {
        let start = Instant::now();
        let old = beat_at(START_MS - 1, 9);
        for mut pulse in [
            Pulse::new(old.clone(), None, START_MS, start),
            Pulse::new(None, None, START_MS, start),
        ] {
            pulse.look(old.clone(), after(start, 1));
            assert_eq!(pulse.positions(), []);
            assert_eq!(pulse.silence(after(start, 99), &options()), None);
            let silence = pulse.silence(after(start, 100), &options()).unwrap();
            assert_eq!(silence.since, SilentSince::Start);
            pulse.look(beat(1), after(start, 2));
            assert_eq!(pulse.positions()[0].step, 1);
        }
    }

    #[test]
    fn a_first_beat_that_is_seen_late_still_tells_where_it_was() {
        let mut pulse = Pulse::new(None, None, START_MS, Instant::now());
        pulse.look(beat(3), Instant::now());
        pulse.look(None, Instant::now());
        assert_eq!(pulse.positions()[0].step, 3);
    }

    #[test]
    fn change_is_life_even_when_the_clock_was_set_back() {
        let mut pulse = Pulse::new(beat(9), None, START_MS, Instant::now());
        pulse.look(beat_at(5, 1), Instant::now());
        assert_eq!(pulse.positions()[0].step, 1);
    }

    #[test]
    fn a_download_that_goes_on_is_no_hang_however_long_it_takes() {
        let start = Instant::now();
        let left_by_an_earlier_life = beat(1);
        let mut pulse = Pulse::new(None, left_by_an_earlier_life.clone(), START_MS, start);
        pulse.look_at_preparing(left_by_an_earlier_life, after(start, 90));
        let silence = pulse.silence(after(start, 100), &options()).unwrap();
        assert_eq!(silence.since, SilentSince::Start);
        for second in 1..50 {
            pulse.look_at_preparing(beat(1 + second), after(start, 90 * second));
            assert_eq!(pulse.silence(after(start, 90 * second + 99), &options()), None);
        }
        let silence = pulse.silence(after(start, 90 * 49 + 100), &options()).unwrap();
        assert_eq!(silence.since, SilentSince::Preparing);
        assert_eq!(pulse.positions(), [], "it made no step");
    }
}
