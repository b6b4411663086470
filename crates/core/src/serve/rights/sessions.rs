//! The sessions of logged-in users: in memory, so that a restart of the service logs everybody out.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use ring::digest::{SHA256, digest};
use ring::rand::{SecureRandom, SystemRandom};

/// Most sessions; the oldest is ended for a new one.
const SESSIONS_MAX: usize = 1000;
/// A session that is not used for this long ends.
const IDLE_MAX: Duration = Duration::from_secs(12 * 60 * 60);
/// Every session ends after this time.
const AGE_MAX: Duration = Duration::from_secs(7 * 24 * 60 * 60);

type Hash = [u8; 32];

/// All sessions.
#[derive(Debug, Default)]
pub(super) struct Sessions(Mutex<HashMap<Hash, Session>>);

#[derive(Debug, Clone)]
struct Session {
    token: Hash,
    form_token: String,
    began: Instant,
    used: Instant,
}

/// A session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SessionInfo {
    /// The hash of the token it was started with.
    pub(super) token: Hash,
    /// The token that every form has to contain.
    pub(super) form_token: String,
}

impl Sessions {
    /// Starts a session; returns its identifier, or `None` if the system has no random numbers.
    pub(super) fn begin(&self, token: &str, now: Instant) -> Option<String> {
        let (id, form_token) = (random()?, random()?);
        let mut sessions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if sessions.len() >= SESSIONS_MAX {
            sessions.retain(|_, session| session.is_valid(now));
        }
        let oldest = sessions.iter().min_by_key(|(_, session)| session.used);
        if sessions.len() >= SESSIONS_MAX
            && let Some(oldest) = oldest.map(|(id, _)| *id)
        {
            sessions.remove(&oldest);
        }
        let session = Session { token: hash(token), form_token, began: now, used: now };
        sessions.insert(hash(&id), session);
        Some(id)
    }

    /// The session with an identifier, if there is one.
    pub(super) fn find(&self, id: &str, now: Instant) -> Option<SessionInfo> {
        // Looked up by its hash, so that the time of the search reveals nothing about identifiers.
        let id = hash(id);
        let mut sessions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let session = sessions.get_mut(&id)?;
        if !session.is_valid(now) {
            sessions.remove(&id);
            return None;
        }
        session.used = now;
        Some(SessionInfo { token: session.token, form_token: session.form_token.clone() })
    }

    /// Ends a session.
    pub(super) fn end(&self, id: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&hash(id));
    }
}

impl Session {
    fn is_valid(&self, now: Instant) -> bool {
        now < self.used + IDLE_MAX && now < self.began + AGE_MAX
    }
}

/// The hash of a token or an identifier.
pub(super) fn hash(text: &str) -> Hash {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest(&SHA256, text.as_bytes()).as_ref());
    hash
}

/// 256 random bits in hexadecimal digits.
pub(super) fn random() -> Option<String> {
    let mut bytes = [0; 32];
    SystemRandom::new().fill(&mut bytes).ok()?;
    Some(hex::encode(bytes))
}

#[cfg(test)]
mod tests;
