//! What both servers share between connections and handlers.

use std::sync::Arc;

use tokio::sync::{Semaphore, watch};

use super::error::ServeError;
use super::rights::{Rights, TokenFiles};
use crate::chain::Network;

/// Most kibibytes of all bodies that are being received at the same time.
const BODY_KIB_MAX: usize = 128 << 10;

/// Access rights and limits of incoming data.
pub(super) struct Front {
    pub(super) rights: Rights,
    /// The public URL of the server.
    pub(super) public_url: Option<String>,
    /// Trusted proxies, whose `X-Forwarded-For` headers are believed.
    pub(super) trusted_proxies: Vec<Network>,
    /// Permits for kibibytes of bodies.
    pub(super) body_room: Arc<Semaphore>,
    /// Becomes true when the server stops.
    pub(super) ending: watch::Sender<bool>,
}

impl Front {
    /// Reads the tokens; `is_tls` says whether connections are encrypted.
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
