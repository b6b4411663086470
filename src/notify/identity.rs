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
mod tests {
    use super::*;

    #[test]
    fn every_part_matters_and_nothing_else_does() {
        let one = identifier(b"run", "accepted-0", "mail");
        assert_eq!(one, identifier(b"run", "accepted-0", "mail"));
        assert_eq!(one.len(), 32);
        for other in [
            identifier(b"ru", "naccepted-0", "mail"),
            identifier(b"run", "accepted-1", "mail"),
            identifier(b"run", "accepted-0", "webhook-0"),
        ] {
            assert_ne!(one, other);
        }
    }
}
