//! What is known of a message besides its content.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::stored::{MessageState, StoredMessage};
use crate::notify::announcement::{Announcement, AnnouncementKind};
use crate::spec::{MailSpec, WebhookSpec, check_url};

/// A message that no server has accepted for so long, in at least so many tries, is parked. RFC 5321, 4.5.4.1, asks senders of
/// mail to try for four to five days.
const TRIED_FOR: SignedDuration = SignedDuration::from_hours(5 * 24);
const TRIES_MIN: u32 = 5;

/// To whom a message goes, with all settings that sending needs. No secret is among them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Target {
    Mail { settings: MailSpec, to: String },
    Webhook(WebhookSpec),
}

/// The content of an entry's file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Entry {
    v: u32,
    pub(super) id: String,
    pub(super) event: AnnouncementKind,
    title: String,
    pub(super) target: Target,
    /// Of the content.
    pub(super) sha256: String,
    pub(super) state: MessageState,
    queued_at: Timestamp,
    pub(super) attempts: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) tried_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) next_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) error: Option<String>,
}

impl Entry {
    pub(super) fn new(
        id: String,
        announcement: &Announcement,
        target: Target,
        content: &[u8],
    ) -> Self {
        Self {
            v: 1,
            id,
            event: announcement.what,
            title: announcement.title(),
            target,
            sha256: hex::encode(Sha256::digest(content)),
            state: MessageState::Waiting,
            queued_at: Timestamp::now(),
            attempts: 0,
            tried_at: None,
            next_at: None,
            error: None,
        }
    }

    /// Whether it is tried no more by itself, after so many tries without an answer.
    pub(super) fn is_given_up(&self, tries: u32, now: Timestamp) -> bool {
        tries >= TRIES_MIN && now.duration_since(self.queued_at) >= TRIED_FOR
    }

    pub(super) fn stored(&self, name: &str) -> StoredMessage {
        StoredMessage {
            name: name.into(),
            id: self.id.clone(),
            title: self.title.clone(),
            to: self.target.words(),
            state: self.state,
            attempts: self.attempts,
            error: self.error.clone(),
            next_at: self.next_at,
        }
    }
}

impl Target {
    /// To whom, in words. Of a webhook only its server, as the rest of an address may be a secret.
    fn words(&self) -> String {
        match self {
            Self::Mail { settings, to } => {
                format!("{to} through {}:{}", settings.server, settings.port())
            }
            Self::Webhook(WebhookSpec { url: Some(url), .. }) if check_url(url).is_ok() => {
                let start = url.find("://").map_or(0, |at| at + 3);
                let end = url[start..].find(['/', '?', '#']).map_or(url.len(), |at| start + at);
                format!("the webhook at {}", &url[..end])
            }
            Self::Webhook(WebhookSpec { url_file: Some(path), .. }) => {
                format!("the webhook of {}", path.display())
            }
            Self::Webhook(_) => "a webhook".into(),
        }
    }
}
