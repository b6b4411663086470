//! `POST /feedback`: the true class of an image that was classified.

use std::sync::Arc;

use axum::Extension;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use jiff::Timestamp;
use serde::Deserialize;

use super::app::App;
use super::infer::served;
use super::lines::Feedback;
use crate::serve::answer::{Problem, json};
use crate::serve::app::Client;
use crate::serve::body;

const BODY_BYTES_MAX: usize = 16 << 10;
const SOURCE_BYTES_MAX: usize = 64;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Given {
    request: String,
    #[serde(default)]
    index: usize,
    label: String,
    /// Whose label it is, where somebody passes on those of others.
    source: Option<String>,
}

/// Writes a true label down; it is on disk before the answer.
pub(super) async fn feedback(
    State(app): State<Arc<App>>,
    Extension(Client(address)): Extension<Client>,
    request: Request,
) -> Result<Response, Problem> {
    let received = body::read(&app.front, request, BODY_BYTES_MAX).await?;
    let given: Given = serde_json::from_slice(&received.bytes).map_err(|error| {
        Problem::bad(format!(
            "The body is not of the form {{\"request\": \"…\", \"index\": 0, \"label\": \"…\"}}: {error}."
        ))
    })?;
    let source = given.source.clone().unwrap_or_else(|| address.to_string());
    if source.len() > SOURCE_BYTES_MAX || source.chars().any(char::is_control) {
        let text = format!("A source is a name of at most {SOURCE_BYTES_MAX} bytes.");
        return Err(Problem::bad(text));
    }
    let journal = app.journal.as_ref().ok_or_else(|| {
        Problem::new(StatusCode::NOT_FOUND, "This server keeps no log, which feedback needs.")
    })?;
    let served = served(&app)?;
    let names = served.model.classes();
    if !names.contains(&given.label) {
        let shown: Vec<&str> = names.iter().take(20).map(String::as_str).collect();
        let more = if names.len() > shown.len() { ", …" } else { "" };
        let text = format!("There is no such class; there are {}{more}.", shown.join(", "));
        return Err(Problem::bad(text));
    }
    let answered = journal.answered(&given.request).ok_or_else(|| {
        let text = "No such request was answered lately; its id is in the header x-request-id.";
        Problem::new(StatusCode::NOT_FOUND, text)
    })?;
    let class = answered.classes.get(given.index).ok_or_else(|| {
        Problem::bad(format!("The request had {} images.", answered.classes.len()))
    })?;
    let class = names.get(usize::from(*class)).cloned().unwrap_or_default();
    let is_right = class == given.label;
    let Given { request, index, label, .. } = given;
    let version = answered.version;
    let (request_id, of_version) = (request.clone(), version.clone());
    let (at, kept) = (Timestamp::now(), false);
    let line = Feedback { v: 1, at, request, index, label, class, version, source, kept };
    if !journal.feedback(line).await {
        return Err(Problem::busy());
    }
    app.metrics.feedback(is_right);
    // A label that is corrected is no second answer.
    if journal.is_first_label(&request_id, index) {
        app.drift.label(of_version, is_right);
    }
    Ok(json(StatusCode::OK, &serde_json::json!({ "recorded": true, "right": is_right })))
}
