//! Requests to a tracking server.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use ureq::Agent;
use ureq::http::Response;

use crate::track::error::MlflowError;

/// A request may not take longer.
const REQUEST_LIMIT: Duration = Duration::from_secs(10);
/// Nor sending a file.
const FILE_LIMIT: Duration = Duration::from_secs(120);
/// Answers are far smaller.
const ANSWER_BYTES_MAX: u64 = 64 << 20;
/// Of an answer that says no.
const MESSAGE_CHARS: usize = 300;

/// An MLflow tracking server.
#[derive(Debug, Clone)]
pub(crate) struct Server {
    /// Without a slash at the end.
    url: String,
    agent: Agent,
    /// The value of the header `Authorization`.
    authorization: Option<String>,
}

impl Server {
    /// A server at an address. As MLflow's own client does, it logs in by the environment variables
    /// `MLFLOW_TRACKING_TOKEN`, or else `MLFLOW_TRACKING_USERNAME` and `MLFLOW_TRACKING_PASSWORD`.
    ///
    /// # Errors
    ///
    /// If the address is none.
    pub(crate) fn new(url: &str) -> Result<Self, MlflowError> {
        let bad = |hint| MlflowError::Address { url: without_login(url), hint };
        let parsed: ureq::http::Uri = url.parse().map_err(|_| bad(""))?;
        let scheme = parsed.scheme_str().unwrap_or_default();
        let authority = parsed.authority().map_or("", |authority| authority.as_str());
        if !matches!(scheme, "http" | "https") || authority.is_empty() || parsed.query().is_some() {
            return Err(bad(""));
        }
        if authority.contains('@') {
            return Err(bad(
                ", and the login in MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD",
            ));
        }
        let variable = |name| std::env::var(name).ok().filter(|value: &String| !value.is_empty());
        let authorization = match variable("MLFLOW_TRACKING_TOKEN") {
            Some(token) => Some(format!("Bearer {token}")),
            None => variable("MLFLOW_TRACKING_USERNAME").map(|user| {
                let password = variable("MLFLOW_TRACKING_PASSWORD").unwrap_or_default();
                format!("Basic {}", STANDARD.encode(format!("{user}:{password}")))
            }),
        };
        let agent = Agent::config_builder()
            .max_redirects(0)
            .http_status_as_error(false)
            .user_agent(concat!("burgeon/", env!("CARGO_PKG_VERSION")))
            .build()
            .new_agent();
        Ok(Self { url: url.trim_end_matches('/').to_owned(), agent, authorization })
    }

    /// `None` where there is no such thing.
    pub(super) fn get(&self, path: &str) -> Result<Option<Value>, MlflowError> {
        let mut request = self.agent.get(self.address(path));
        if let Some(authorization) = &self.authorization {
            request = request.header("Authorization", authorization);
        }
        let answer = request.config().timeout_global(Some(REQUEST_LIMIT)).build().call();
        match self.read(path, answer) {
            Err(MlflowError::Refused { status: 404, .. }) => Ok(None),
            answer => answer.map(Some),
        }
    }

    pub(super) fn post(&self, path: &str, body: &Value) -> Result<Value, MlflowError> {
        let mut request =
            self.agent.post(self.address(path)).header("Content-Type", "application/json");
        if let Some(authorization) = &self.authorization {
            request = request.header("Authorization", authorization);
        }
        let request = request.config().timeout_global(Some(REQUEST_LIMIT)).build();
        self.read(path, request.send(body.to_string()))
    }

    /// Sends a file to where a run keeps its files.
    pub(super) fn put(&self, artifacts: &str, name: &str, bytes: &[u8]) -> Result<(), MlflowError> {
        // mlflow-artifacts:/1/RUN/artifacts, also with the server's host in between.
        let inner =
            artifacts.strip_prefix("mlflow-artifacts:").map(|rest| match rest.strip_prefix("//") {
                Some(host) => host.split_once('/').map_or("", |(_, path)| path),
                None => rest.trim_start_matches('/'),
            });
        let Some(inner) = inner.filter(|inner| !inner.is_empty()) else {
            return Err(MlflowError::Artifacts { at: artifacts.to_owned() });
        };
        let path = format!("artifacts/{inner}/{name}");
        let url = format!("{}/api/2.0/mlflow-artifacts/{path}", self.url);
        let mut request = self.agent.put(url).header("Content-Type", "application/octet-stream");
        if let Some(authorization) = &self.authorization {
            request = request.header("Authorization", authorization);
        }
        let request = request.config().timeout_global(Some(FILE_LIMIT)).build();
        self.read(&path, request.send(bytes)).map(|_| ())
    }

    fn address(&self, path: &str) -> String {
        format!("{}/api/2.0/mlflow/{path}", self.url)
    }

    fn read(
        &self,
        path: &str,
        answer: Result<Response<ureq::Body>, ureq::Error>,
    ) -> Result<Value, MlflowError> {
        let away = |source: ureq::Error| MlflowError::Unreachable {
            url: self.url.clone(),
            source: Box::new(source),
        };
        let mut answer = answer.map_err(away)?;
        let status = answer.status().as_u16();
        let body = answer
            .body_mut()
            .with_config()
            .limit(ANSWER_BYTES_MAX)
            .read_to_string()
            .map_err(away)?;
        if (200..300).contains(&status) {
            return Ok(serde_json::from_str(&body).unwrap_or_default());
        }
        let said: Value = serde_json::from_str(&body).unwrap_or_default();
        let message = said.pointer("/message").and_then(Value::as_str).unwrap_or(&body);
        let plain = |symbol: char| if symbol.is_control() { ' ' } else { symbol };
        Err(MlflowError::Refused {
            url: self.url.clone(),
            status,
            path: path.split('?').next().unwrap_or_default().to_owned(),
            message: message.chars().take(MESSAGE_CHARS).map(plain).collect(),
        })
    }
}

/// The address without a name and a password, which are not to be printed.
fn without_login(url: &str) -> String {
    match (url.find("://"), url.rfind('@')) {
        (Some(scheme), Some(at)) if scheme < at => {
            format!("{}{}", &url[..scheme + 3], &url[at + 1..])
        }
        _ => url.to_owned(),
    }
}

#[cfg(test)]
mod tests;
