//! Responses: pages, text, JSON, and errors in plain words.

use std::time::Duration;

use axum::body::Body;
use axum::http::header::{
    ALLOW, CONTENT_TYPE, HeaderName, LOCATION, RETRY_AFTER, WWW_AUTHENTICATE,
};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::chain::StoreError;
use crate::sys::error_chain;

/// The response to a request that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Problem {
    /// The status.
    pub(super) status: StatusCode,
    /// The reason, as a sentence.
    pub(super) text: String,
    /// How long to wait before a retry.
    pub(super) retry_after: Option<Duration>,
}

impl Problem {
    /// A response with this status and sentence.
    pub(super) fn new(status: StatusCode, text: impl Into<String>) -> Self {
        Self { status, text: text.into(), retry_after: None }
    }

    /// The method is not allowed for this URL.
    pub(super) fn wrong_method() -> Self {
        let text = "This URL does not accept this method.";
        Self::new(StatusCode::METHOD_NOT_ALLOWED, text)
    }

    /// The resource does not exist.
    pub(super) fn not_found(what: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, format!("There is no such {what}."))
    }

    /// The request is not valid.
    pub(super) fn bad(text: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, text)
    }

    /// The service is overloaded.
    pub(super) fn busy() -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "The service is busy; try again in a moment.")
            .after(Duration::from_secs(2))
    }

    /// An internal error.
    pub(super) fn broken(error: &dyn std::error::Error) -> Self {
        tracing::error!(error = error_chain(error), "a request failed");
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "An internal error occurred; see the log of the service.",
        )
    }

    /// Adds the time to wait before a retry.
    #[must_use]
    pub(super) fn after(mut self, wait: Duration) -> Self {
        self.retry_after = Some(wait);
        self
    }

    /// Adds the headers that the status requires.
    pub(super) fn headers(&self, response: &mut Response) {
        *response.status_mut() = self.status;
        if let Some(wait) = self.retry_after {
            let seconds = wait.as_secs().max(1);
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            let bearer = HeaderValue::from_static("Bearer realm=\"burgeon\"");
            response.headers_mut().insert(WWW_AUTHENTICATE, bearer);
        }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        Self::broken(&error)
    }
}

impl IntoResponse for Problem {
    /// A text response that carries the problem, so that it can be replaced by a page for browsers.
    fn into_response(self) -> Response {
        let mut response = text(self.status, format!("{}\n", self.text));
        self.headers(&mut response);
        response.extensions_mut().insert(self);
        response
    }
}

/// A response of plain text.
pub(super) fn text(status: StatusCode, text: impl Into<Body>) -> Response {
    typed(status, "text/plain; charset=utf-8", text)
}

/// A response with a page.
pub(super) fn html(status: StatusCode, page: impl Into<Body>) -> Response {
    typed(status, "text/html; charset=utf-8", page)
}

/// A response with a value as JSON.
pub(super) fn json(status: StatusCode, value: &impl Serialize) -> Response {
    match serde_json::to_vec(value) {
        Ok(bytes) => typed(status, "application/json", bytes),
        Err(error) => Problem::broken(&error).into_response(),
    }
}

/// A response with a body of some type.
pub(super) fn typed(status: StatusCode, kind: &'static str, body: impl Into<Body>) -> Response {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

/// A redirect to another page of this service, after a form.
pub(super) fn see_other(path: &str) -> Response {
    let mut response = text(StatusCode::SEE_OTHER, "");
    if let Ok(path) = HeaderValue::from_str(path) {
        response.headers_mut().insert(LOCATION, path);
    }
    response
}

/// Sets a header to a value that is known to be valid.
pub(super) fn set(response: &mut Response, name: HeaderName, value: &'static str) {
    response.headers_mut().insert(name, HeaderValue::from_static(value));
}

/// Copies the `Allow` header.
pub(super) fn copy_allow(from: &Response, to: &mut Response) {
    if let Some(allow) = from.headers().get(ALLOW) {
        to.headers_mut().insert(ALLOW, allow.clone());
    }
}
