//! How long to wait between the tries of a message.

use std::time::Duration;

use sha2::{Digest, Sha256};

const FIRST: Duration = Duration::from_secs(60);
const LONGEST: Duration = Duration::from_secs(6 * 60 * 60);
/// Share by which a delay is longer or shorter, so that messages that failed together are not tried together.
const JITTER: f64 = 0.25;

/// The delay after the `attempts`-th try, counted from 1: a minute, doubling to six hours. The jitter is a
/// function of the message and the try, so that no process needs to remember it.
pub(super) fn delay(id: &str, attempts: u32) -> Duration {
    let doublings = attempts.saturating_sub(1).min(16);
    let base = FIRST.saturating_mul(1 << doublings).min(LONGEST);
    let digest = Sha256::digest(format!("{id} {attempts}"));
    let unit = f64::from(u16::from_le_bytes([digest[0], digest[1]])) / f64::from(u16::MAX);
    base.mul_f64(1.0 + JITTER * (2.0 * unit - 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_double_to_six_hours_and_differ_from_message_to_message() {
        for (attempts, seconds) in
            [(1, 60.0), (2, 120.0), (5, 960.0), (9, 15_360.0), (12, 21_600.0), (u32::MAX, 21_600.0)]
        {
            let delay = delay("a", attempts).as_secs_f64() / seconds;
            assert!((0.75..=1.25).contains(&delay), "{attempts}: {delay}");
        }
        let delays: std::collections::BTreeSet<_> =
            (0..100).map(|id| delay(&id.to_string(), 3)).collect();
        assert!(delays.len() > 90, "{delays:?}");
    }
}
