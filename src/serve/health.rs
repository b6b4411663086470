//! `GET /healthz`: whether the service does its work, for whoever watches it.

use std::sync::Arc;
use std::time::Instant;

use axum::extract::State;
use axum::http::header::ACCEPT;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;

use super::answer::{json, text};
use super::app::App;
use crate::chain::Trouble;
use crate::report::markup::Markup;

/// 200 if all threads do their work, else 503 and which do not, as text or, for who asks for it, as JSON. Everybody may
/// ask, and so it does not say why.
pub(super) async fn healthz(State(app): State<Arc<App>>, headers: HeaderMap) -> Response {
    let troubles = app.service.health.troubles(Instant::now());
    let status = match troubles.is_empty() {
        true => StatusCode::OK,
        false => StatusCode::SERVICE_UNAVAILABLE,
    };
    let accept = headers.get(ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
    if accept.contains("application/json") {
        return json(
            status,
            &serde_json::json!({ "healthy": troubles.is_empty(), "troubles": troubles }),
        );
    }
    text(
        status,
        match troubles.is_empty() {
            true => "ok\n".to_owned(),
            false => troubles.iter().map(Trouble::line).collect(),
        },
    )
}

/// The same at the top of a page, with what is known of why. There is a part for it on every page, so that the script
/// finds where it belongs.
pub(super) fn notice(app: &App, main: &mut Markup) {
    let troubles = app.service.health.troubles(Instant::now());
    main.element("div", &[("id", &"health"), ("data-part", &"")], |part| {
        if !troubles.is_empty() {
            part.element("div", &[("class", &"warning"), ("role", &"alert")], |warning| {
                warning.leaf("strong", &[], "Parts of the service are not working");
                for trouble in &troubles {
                    warning.leaf("p", &[], trouble.sentence());
                }
            });
        }
    });
}
