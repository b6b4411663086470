//! One HTTP GET, limited in time. Without the cargo feature `fetch`, every request is an error.

// In a circle with fetch: the limits of a download are told to whoever downloads, and bound the
// request.

use std::io::Read;

use super::fetch::FetchLimits;

/// A server's response: its length, if it is declared, and its bytes.
pub(super) struct Response {
    pub(super) length: Option<u64>,
    pub(super) body: Box<dyn Read>,
}

/// Requests files from servers.
pub(super) struct Client {
    #[cfg(feature = "fetch")]
    agent: ureq::Agent,
}

#[cfg(feature = "fetch")]
impl Client {
    pub(super) fn new(limits: FetchLimits) -> Self {
        let config = ureq::Agent::config_builder()
            .timeout_resolve(Some(limits.connect_time_max))
            .timeout_connect(Some(limits.connect_time_max))
            .timeout_recv_response(Some(limits.silence_time_max))
            .timeout_per_read(Some(limits.silence_time_max))
            .timeout_recv_body(Some(limits.body_time_max))
            .user_agent(concat!("burgeon/", env!("CARGO_PKG_VERSION")))
            .build();
        Self { agent: ureq::Agent::new_with_config(config) }
    }

    /// The response, or why there is none.
    pub(super) fn get(&self, url: &str) -> Result<Response, String> {
        let response = self.agent.get(url).call().map_err(|error| error.to_string())?;
        let length = response.body().content_length();
        Ok(Response { length, body: Box::new(response.into_body().into_reader()) })
    }
}

#[cfg(not(feature = "fetch"))]
impl Client {
    pub(super) fn new(_: FetchLimits) -> Self {
        Self {}
    }

    /// Always an error, which names the missing feature.
    pub(super) fn get(&self, _: &str) -> Result<Response, String> {
        Err("this build cannot download: it lacks the cargo feature `fetch`".into())
    }
}
