//! What every server has between its connections and its handlers, whatever it serves.

use std::sync::Arc;

use tokio::sync::{Semaphore, watch};

use super::error::ServeError;
use super::rights::{Rights, TokenFiles};
use crate::chain::Network;

/// Kibibytes of all bodies together that are being received.
const BODY_KIB_MAX: usize = 128 << 10;

/// Who may pass, and how much comes in at a time.
pub(super) struct Front {
    pub(super) rights: Rights,
    /// The address of the server as others see it.
    pub(super) public_url: Option<String>,
    /// Proxies whose word on where a request comes from counts.
    pub(super) trusted_proxies: Vec<Network>,
    /// Kibibytes that bodies may still take.
    pub(super) body_room: Arc<Semaphore>,
    /// Becomes true when the server ends.
    pub(super) ending: watch::Sender<bool>,
}

impl Front {
    /// At the start; `is_tls` tells whether connections are encrypted.
    ///
    /// # Errors
    ///
    /// If a token cannot be read, or there are no random numbers.
    pub(super) fn new(
        tokens: &TokenFiles,
        public_url: Option<String>,
        trusted_proxies: Vec<Network>,
        is_tls: bool,
    ) -> Result<Self, ServeError> {
        let is_https = public_url.as_ref().is_some_and(|url| url.starts_with("https:"));
        Ok(Self {
            rights: Rights::new(tokens, is_tls || is_https)?,
            public_url,
            trusted_proxies,
            body_room: Arc::new(Semaphore::new(BODY_KIB_MAX)),
            ending: watch::channel(false).0,
        })
    }
}
