//! Tests of `sys::clock`.

use super::*;

#[test]
fn times_are_written_as_rfc_3339_with_milliseconds() {
    let clock = FakeClock::default();
    clock.advance(Duration::from_millis(1500));
    assert_eq!(rfc3339(clock.now()), "2026-01-01T00:00:01.500Z");
    let whole = Timestamp::from_second(FAKE_START_SECONDS).unwrap();
    assert_eq!(rfc3339(whole), "2026-01-01T00:00:00.000Z");
}

#[test]
fn a_fake_clock_moves_only_when_told() {
    let clock = FakeClock::default();
    assert_eq!(clock.monotonic(), clock.monotonic());
    clock.advance(Duration::from_secs(3));
    assert_eq!(clock.monotonic(), Duration::from_secs(3));
}
