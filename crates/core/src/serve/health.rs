//! `GET /healthz`: whether the service works, for monitoring.

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

/// 200 if all threads work, otherwise 503 with those that do not, as text or, on request, as JSON. As no token is needed,
/// it does not say why.
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

/// A warning at the top of a page, with the reasons. Every page has this element, even if it is empty, so that the script
/// can update it.
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
