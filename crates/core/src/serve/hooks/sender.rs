//! The sender of a delivery, its identifier, and whether it is genuine.

use axum::http::HeaderMap;
use ring::digest::{SHA256, digest};
use ring::hmac::{HMAC_SHA256, Key, verify};

use crate::notify::Secret;
use crate::serve::replays::CLOCK_SECONDS_MAX;
use crate::serve::secret_file::is_same;

/// Longest identifier.
const IDENTIFIER_BYTES_MAX: usize = 200;

/// Software that sends webhooks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sender {
    /// GitHub: HMAC-SHA256 of the body.
    GitHub,
    /// Gitea or Forgejo: the same as bare hexadecimal digits. They send GitHub's headers too.
    Gitea,
    /// GitLab: the secret itself as a token.
    GitLab,
    /// Anything that signs like burgeon's own webhooks: a timestamp, a dot and the body.
    Generic,
}

/// The headers of a delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct CallHeaders<'a> {
    /// The sender.
    pub(super) sender: Sender,
    /// The event, in the sender's word.
    pub(super) event: &'a str,
    /// The sender's identifier, if it gives one.
    pub(super) delivery: Option<&'a str>,
    /// The signature, or the token.
    pub(super) proof: &'a str,
    /// When it was signed, if that is part of the signature.
    pub(super) timestamp: Option<&'a str>,
}

impl Sender {
    /// The name that is recorded.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::GitHub => "github",
            Self::Gitea => "gitea",
            Self::GitLab => "gitlab",
            Self::Generic => "generic",
        }
    }
}

impl<'a> CallHeaders<'a> {
    /// Reads the headers of a delivery; `None` if its sender is unknown.
    pub(super) fn read(headers: &'a HeaderMap) -> Option<Self> {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let first = |names: &[&str]| names.iter().find_map(|name| text(name));
        let (sender, event, delivery, proof) = if let Some(event) = text("x-gitlab-event") {
            // The one that stays the same when GitLab retries comes first.
            let delivery = first(&["idempotency-key", "x-gitlab-event-uuid"]);
            (Sender::GitLab, event, delivery, text("x-gitlab-token"))
        } else if let Some(event) = first(&["x-forgejo-event", "x-gitea-event"]) {
            let delivery = first(&["x-forgejo-delivery", "x-gitea-delivery"]);
            let proof = first(&["x-forgejo-signature", "x-gitea-signature"]);
            (Sender::Gitea, event, delivery, proof)
        } else if let Some(event) = text("x-github-event") {
            let proof = text("x-hub-signature-256");
            (Sender::GitHub, event, text("x-github-delivery"), proof)
        } else {
            let proof = Some(text("x-burgeon-signature")?);
            (Sender::Generic, "push", text("x-burgeon-delivery"), proof)
        };
        let proof = proof.unwrap_or_default();
        Some(Self { sender, event, delivery, proof, timestamp: text("x-burgeon-timestamp") })
    }

    /// Checks that a delivery is genuine; the error says why it is not. `now` is in seconds since 1970.
    pub(super) fn check(
        &self,
        secrets: &[Secret],
        body: &[u8],
        now: i64,
    ) -> Result<(), &'static str> {
        if self.proof.is_empty() {
            return Err("it is not signed");
        }
        if secrets.is_empty() {
            return Err("the repository has no secret for webhooks");
        }
        let is_genuine = match self.sender {
            Sender::GitLab => any(secrets, |secret| is_same(self.proof.as_bytes(), secret)),
            Sender::GitHub => self.is_signed(secrets, "sha256=", &[body])?,
            Sender::Gitea => self.is_signed(secrets, "", &[body])?,
            Sender::Generic => {
                let timestamp = self.timestamp.ok_or("it has no timestamp")?;
                let is_genuine =
                    self.is_signed(secrets, "sha256=", &[timestamp.as_bytes(), b".", body])?;
                let at: i64 = timestamp.parse().map_err(|_| "its timestamp is not a number")?;
                if is_genuine && at.abs_diff(now) > CLOCK_SECONDS_MAX as u64 {
                    return Err(
                        "its timestamp differs from the current time by more than five minutes",
                    );
                }
                is_genuine
            }
        };
        match (is_genuine, self.sender) {
            (true, _) => Ok(()),
            (false, Sender::GitLab) => Err("the token is wrong"),
            (false, _) => Err("the signature is wrong"),
        }
    }

    fn is_signed(
        &self,
        secrets: &[Secret],
        prefix: &str,
        parts: &[&[u8]],
    ) -> Result<bool, &'static str> {
        let unreadable = "the signature does not have the format of this sender";
        let digits = self.proof.strip_prefix(prefix).ok_or(unreadable)?;
        let mut tag = [0; 32];
        hex::decode_to_slice(digits, &mut tag).map_err(|_| unreadable)?;
        let message = parts.concat();
        Ok(any(secrets, |secret| verify(&Key::new(HMAC_SHA256, secret), &message, &tag).is_ok()))
    }

    /// The identifier that a delivery is recorded with: the sender's or, without one, a hash of the content. `None` if
    /// the sender's is not valid.
    pub(super) fn identifier(&self, body: &[u8]) -> Option<String> {
        let Some(delivery) = self.delivery else {
            let timestamp = self.timestamp.unwrap_or_default().as_bytes();
            let hash = digest(&SHA256, &[timestamp, b".", body].concat());
            return Some(format!("sha256:{}", hex::encode(hash)));
        };
        let is_one = (1..=IDENTIFIER_BYTES_MAX).contains(&delivery.len())
            && delivery.bytes().all(|byte| byte.is_ascii_graphic());
        is_one.then(|| delivery.to_owned())
    }
}

/// Whether one of the secrets is right. All are tried, so that the time does not reveal which.
fn any(secrets: &[Secret], is_right: impl Fn(&[u8]) -> bool) -> bool {
    secrets.iter().fold(false, |found, secret| is_right(secret.expose().as_bytes()) | found)
}

#[cfg(test)]
mod tests;
