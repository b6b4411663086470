//! Recent signatures of generic deliveries. Their identifier is not signed, so an eavesdropper could replay a delivery
//! with another identifier for as long as its timestamp is valid.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// How far the clock of the sender of a generic delivery may differ from ours, in seconds.
pub(super) const CLOCK_SECONDS_MAX: i64 = 300;
/// Most signatures that are remembered; nobody makes more genuine deliveries in ten minutes.
const KEPT_MAX: usize = 50_000;

/// Recent signatures, with their identifier and the second in which they arrived.
#[derive(Debug, Default)]
pub(super) struct Replays(Mutex<HashMap<String, (String, i64)>>);

impl Replays {
    /// Records a genuine signature. False if it was received before with another identifier.
    pub(super) fn is_first(&self, signature: &str, identifier: &str, now: i64) -> bool {
        let mut taken = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((before, _)) = taken.get(signature) {
            return before == identifier;
        }
        if taken.len() >= KEPT_MAX {
            // A timestamp may be in the future by as much as in the past.
            taken.retain(|_, (_, at)| now - *at <= 2 * CLOCK_SECONDS_MAX);
        }
        taken.len() < KEPT_MAX && {
            taken.insert(signature.to_owned(), (identifier.to_owned(), now));
            true
        }
    }
}

#[cfg(test)]
mod tests;
