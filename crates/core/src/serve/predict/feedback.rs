//! `POST /feedback`: records the true class of a classified image.

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
struct FeedbackRequest {
    request: String,
    #[serde(default)]
    index: usize,
    label: String,
    /// Who gave the label, if a client forwards the labels of others.
    source: Option<String>,
}

/// Records a true label, which is on disk before the response.
pub(super) async fn feedback(
    State(app): State<Arc<App>>,
    Extension(Client(address)): Extension<Client>,
    request: Request,
) -> Result<Response, Problem> {
    let received = body::read(&app.front, request, BODY_BYTES_MAX).await?;
    let given: FeedbackRequest = serde_json::from_slice(&received.bytes).map_err(|error| {
        Problem::bad(format!(
            "The body must have the form {{\"request\": \"…\", \"index\": 0, \"label\": \"…\"}}: {error}."
        ))
    })?;
    let source = given.source.clone().unwrap_or_else(|| address.to_string());
    if source.len() > SOURCE_BYTES_MAX || source.chars().any(char::is_control) {
        let text = format!("A source is a name of at most {SOURCE_BYTES_MAX} bytes.");
        return Err(Problem::bad(text));
    }
    let journal = app.journal.as_ref().ok_or_else(|| {
        Problem::new(
            StatusCode::NOT_FOUND,
            "Feedback needs a request log, which this server does not keep.",
        )
    })?;
    let served = served(&app)?;
    let names = served.model.classes();
    if !names.contains(&given.label) {
        let shown: Vec<&str> = names.iter().take(20).map(String::as_str).collect();
        let more = if names.len() > shown.len() { ", …" } else { "" };
        let text = format!("There is no such class; the classes are {}{more}.", shown.join(", "));
        return Err(Problem::bad(text));
    }
    let answered = journal.answered(&given.request).ok_or_else(|| {
        let text = "No recent request has this id; the id is in the response header x-request-id.";
        Problem::new(StatusCode::NOT_FOUND, text)
    })?;
    let class = answered.classes.get(given.index).ok_or_else(|| {
        Problem::bad(format!(
            "`index` is out of range: the request had {} images.",
            answered.classes.len()
        ))
    })?;
    let class = names.get(usize::from(*class)).cloned().unwrap_or_default();
    let is_right = class == given.label;
    let FeedbackRequest { request, index, label, .. } = given;
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
