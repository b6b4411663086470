//! Tests of `hang`.

use super::*;

const SECOND: Duration = Duration::from_secs(1);

/// A program that is looked at every second; `lives` says whether it prints, and how much it computes, each second.
fn hang_of(
    limits: HangLimits,
    lives: impl Fn(u32) -> (bool, Option<Duration>),
) -> Option<(u32, Hang)> {
    let start = Instant::now();
    let mut signs = SignsOfLife::new(limits, start);
    let mut used = Some(Duration::ZERO);
    (1..=1000).find_map(|second| {
        let now = start + second * SECOND;
        let (prints, computes) = lives(second);
        used = used.zip(computes).map(|(used, more)| used + more);
        if prints {
            signs.printed(now);
        }
        if signs.asks_for_processor_time(now) {
            signs.computed(used, now);
        }
        signs.hang(now).map(|hang| (second, hang))
    })
}

const IDLE: HangLimits = HangLimits { silent: None, idle: Some(Duration::from_secs(80)) };

#[test]
fn a_program_that_neither_prints_nor_computes_has_hung() {
    // From the first look on, which has nothing to compare with.
    let hung = hang_of(IDLE, |_| (false, Some(Duration::ZERO)));
    assert_eq!(hung, Some((90, Hang::Idle(80 * SECOND))));
    // Whoever polls for something now and then does nothing else.
    let polling = hang_of(IDLE, |_| (false, Some(Duration::from_micros(500))));
    assert_eq!(polling, hung);
}

#[test]
fn a_program_that_prints_or_computes_has_not() {
    assert_eq!(hang_of(IDLE, |_| (false, Some(Duration::from_millis(20)))), None);
    assert_eq!(hang_of(IDLE, |second| (second % 79 == 0, Some(Duration::ZERO))), None);
    // Nor one of which nothing is known.
    assert_eq!(hang_of(IDLE, |_| (false, None)), None);
    assert_eq!(hang_of(HangLimits::default(), |_| (false, Some(Duration::ZERO))), None);
}

#[test]
fn silence_has_a_limit_of_its_own_that_computing_does_not_lift() {
    let limits = HangLimits { silent: Some(300 * SECOND), ..IDLE };
    let hung = hang_of(limits, |_| (false, Some(SECOND)));
    assert_eq!(hung, Some((300, Hang::Silent(300 * SECOND))));
}
