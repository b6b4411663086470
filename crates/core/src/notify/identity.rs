//! Identifiers of messages: functions of the run and the event, so that a repeat has the same one.

use sha2::{Digest, Sha256};

/// An identifier of 32 hexadecimal digits. `origin` is what tells the run from every other, `event` which of
/// its events is told, and `channel` by which way.
pub(super) fn identifier(origin: &[u8], event: &str, channel: &str) -> String {
    let mut hash = Sha256::new();
    for part in [origin, event.as_bytes(), channel.as_bytes()] {
        // With their lengths, so that no two lists of parts are one text.
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    hex::encode(&hash.finalize()[..16])
}

#[cfg(test)]
mod tests;
