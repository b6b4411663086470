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
mod tests;
