//! Tests of `supervise::heartbeats`.

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
    let mut heartbeats = Heartbeats::new(None, left_by_an_earlier_life.clone(), START_MS, start);
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
