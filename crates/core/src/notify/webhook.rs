//! An announcement as an HTTP request: body, signature, and what the answer means.

use std::collections::BTreeMap;
use std::time::Duration;

use ring::hmac::{Context, HMAC_SHA256, Key};
use serde_json::json;

use super::announcement::Announcement;
use super::attempt::SendOutcome;
use super::secret::{Redaction, Secret};
use crate::spec::{WebhookSpec, WebhookTemplate, check_url};
use crate::sys::clock::rfc3339;
use crate::sys::error_chain;

/// The body of a request, as JSON.
pub(super) fn body(announcement: &Announcement, template: WebhookTemplate, id: &str) -> Vec<u8> {
    let Announcement { what, study, run, sentence, figures, threshold, .. } = announcement;
    let mut value = match template {
        WebhookTemplate::Json => json!({
            "v": 1,
            "event": what.name(),
            "id": id,
            "at": rfc3339(announcement.at),
            "study": study,
            "run": run,
            "title": announcement.title(),
            "text": sentence,
            "required_accuracy": threshold,
            "validation_accuracy": figures.validation_accuracy,
            "test_accuracy": figures.test_accuracy,
            "best_trial": figures.best_trial,
            "trials": figures.trials,
            "parameters": figures.parameters,
            "seconds": figures.seconds,
        }),
        WebhookTemplate::Slack => {
            let title = announcement.title();
            json!({ "text": format!("*{}*\n{}", slack(&title), slack(sentence)) })
        }
    };
    if template == WebhookTemplate::Json && !announcement.lists.is_empty() {
        let list =
            |(about, lines): &(String, Vec<String>)| json!({ "about": about, "lines": lines });
        value["lists"] = announcement.lists.iter().map(list).collect();
    }
    if template == WebhookTemplate::Json && what.is_of_registry() {
        let facts: BTreeMap<_, _> = announcement.rows.iter().cloned().collect();
        value["facts"] = json!(facts);
    }
    value.to_string().into_bytes()
}

/// Text without the three characters that mean something to Slack, as its documentation says.
fn slack(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// The signature of a request: HMAC-SHA256, in hexadecimal digits, of its timestamp, a dot, and its body.
pub fn signature(secret: &[u8], timestamp: i64, body: &[u8]) -> String {
    let mut context = Context::with_key(&Key::new(HMAC_SHA256, secret));
    context.update(timestamp.to_string().as_bytes());
    context.update(b".");
    context.update(body);
    hex::encode(context.sign())
}

/// Makes a request and tells what came of it. `id` is the delivery's identifier, `event` the kind of event,
/// and `timestamp` now, in seconds since 1970.
pub(super) fn send(
    webhook: &WebhookSpec,
    (id, event): (&str, &str),
    body: &[u8],
    timestamp: i64,
    limit: Duration,
    tell: &dyn Fn(SendOutcome),
) {
    let (url, secret) = match url_and_secret(webhook) {
        Ok(both) => both,
        Err(why) => return tell(SendOutcome::Retry(why)),
    };
    if let Err(why) = check_url(url.expose()) {
        return tell(SendOutcome::Retry(format!("the address of the webhook {why}")));
    }
    let config = ureq::Agent::config_builder()
        .timeout_global(Some(limit))
        .max_redirects(0)
        .http_status_as_error(false)
        .user_agent(concat!("burgeon/", env!("CARGO_PKG_VERSION")))
        .build();
    let mut request = ureq::Agent::new_with_config(config)
        .post(url.expose())
        .header("Content-Type", "application/json")
        .header("X-Burgeon-Delivery", id)
        .header("X-Burgeon-Event", event)
        .header("X-Burgeon-Timestamp", timestamp.to_string());
    if let Some(secret) = &secret {
        let signature = signature(secret.expose().as_bytes(), timestamp, body);
        request = request.header("X-Burgeon-Signature", format!("sha256={signature}"));
    }
    let answer = request.send(body);
    let redaction = Redaction::of([Some(url), secret].into_iter().flatten());
    tell(match answer {
        Ok(answer) => judged(answer.status().as_u16()),
        Err(error) => SendOutcome::Retry(redaction.apply(&error_chain(&error))),
    });
}

/// What a status means: taken, to be tried again, or never to be taken.
fn judged(status: u16) -> SendOutcome {
    match status {
        200..=299 => SendOutcome::Sent,
        408 | 425 | 429 | 500..=599 => SendOutcome::Retry(format!("the server answered {status}")),
        300..=399 => {
            SendOutcome::Refused(format!("the server answered {status}: the address has moved"))
        }
        _ => SendOutcome::Refused(format!("the server answered {status}")),
    }
}

fn url_and_secret(webhook: &WebhookSpec) -> Result<(Secret, Option<Secret>), String> {
    let url = match (&webhook.url, &webhook.url_file) {
        (Some(url), _) => Secret::new(url),
        (None, Some(path)) => Secret::read(path, "the file with the address of a webhook")?,
        (None, None) => return Err("the webhook has no address".into()),
    };
    let what = "the file with the secret of a webhook";
    let secret = webhook.secret_file.as_ref().map(|path| Secret::read(path, what));
    Ok((url, secret.transpose()?))
}

#[cfg(test)]
mod tests;
