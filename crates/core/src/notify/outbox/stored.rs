//! A message of an outbox, as it is listed.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// What came of a message so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MessageState {
    /// It is not sent yet, and will be tried.
    Waiting,
    /// A server has taken it over.
    Sent,
    /// It was refused for good, and is tried only on request.
    Parked,
    /// Its entry cannot be read.
    Damaged,
}

/// A message in the outbox.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StoredMessage {
    /// Its name, such as `finished-0.mail-0`.
    pub name: String,
    /// Its identifier: the `Message-ID` of mail, the `X-Burgeon-Delivery` of a webhook's request; empty
    /// if the entry is damaged.
    pub id: String,
    /// What it says, in a line.
    pub title: String,
    /// To whom it goes.
    pub to: String,
    /// What came of it so far.
    pub state: MessageState,
    /// Number of tries so far.
    pub attempts: u32,
    /// Why the last try failed.
    pub error: Option<String>,
    /// Not tried again before this time.
    pub next_at: Option<Timestamp>,
}

impl StoredMessage {
    /// What it says and to whom.
    pub fn to_line(&self) -> String {
        format!("{:?} to {}", self.title, self.to)
    }
}

impl fmt::Display for StoredMessage {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let Self { name, to, state, attempts, error, next_at, .. } = self;
        write!(f, "{name} to {to}: ")?;
        let why = error.as_deref().unwrap_or("not tried yet");
        let tries = if *attempts == 1 { "try" } else { "tries" };
        match (state, next_at) {
            (MessageState::Sent, _) => f.write_str("sent"),
            (MessageState::Parked, _) => {
                write!(f, "parked after {attempts} {tries}, not tried again by itself: {why}")
            }
            (MessageState::Damaged, _) => write!(f, "damaged: {why}"),
            (MessageState::Waiting, Some(at)) => {
                write!(f, "waits until {at:.0} after {attempts} {tries}: {why}")
            }
            (MessageState::Waiting, None) => write!(f, "waits: {why}"),
        }
    }
}

/// An entry that cannot be read.
pub(super) fn damaged(name: &str, why: String) -> StoredMessage {
    StoredMessage {
        name: name.into(),
        id: String::new(),
        title: String::new(),
        to: "an unknown recipient".into(),
        state: MessageState::Damaged,
        attempts: 0,
        error: Some(why),
        next_at: None,
    }
}
