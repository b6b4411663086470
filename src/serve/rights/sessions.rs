//! Who is logged in: in memory, so that a restart of the service logs everybody out.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use ring::digest::{SHA256, digest};
use ring::rand::{SecureRandom, SystemRandom};

/// Sessions at a time; the oldest makes room.
const SESSIONS_MAX: usize = 1000;
/// A session that is not used for this long ends.
const IDLE_MAX: Duration = Duration::from_secs(12 * 60 * 60);
/// And every one after this time.
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

/// What is known of whoever has a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SessionInfo {
    /// The hash of the token that was given.
    pub(super) token: Hash,
    /// What every form has to hold.
    pub(super) form_token: String,
}

impl Sessions {
    /// Begins a session; returns its identifier, or `None` if the system has no random numbers.
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

    /// What is known of a session, if there is one.
    pub(super) fn find(&self, id: &str, now: Instant) -> Option<SessionInfo> {
        // By its hash, so that the time of the search tells nothing of identifiers.
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
