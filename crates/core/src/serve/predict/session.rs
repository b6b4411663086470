//! Logging in and out on the page, and the session data for its script.

use std::sync::Arc;

use axum::Extension;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde_json::{Value, json};

use super::app::App;
use crate::serve::answer::{Problem, json as as_json};
use crate::serve::app::Client;
use crate::serve::changes::{begin_session, end_session};
use crate::serve::rights::{Authentication, Right};

/// `GET /session`: the rights of the visitor, and the token that changes have to send in the header `X-Form-Token`.
pub(super) async fn session(
    State(app): State<Arc<App>>,
    Extension(Client(address)): Extension<Client>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let visitor = app.front.rights.visitor(&headers, address).map_err(|why| why.problem())?;
    let rights = [
        ("predict", Right::Predict),
        ("feedback", Right::Feedback),
        ("read", Right::Read),
        ("change", Right::Change),
    ];
    let may: Value = rights.into_iter().map(|(name, right)| (name, visitor.may(right))).collect();
    let is_session =
        visitor.authentication == Authentication::Session && !visitor.grants.is_empty();
    let model = visitor.may(Right::Predict).then_some(&app.predicting.model);
    let told = json!({ "may": may, "is_session": is_session, "form_token": visitor.form_token, "model": model });
    Ok(as_json(StatusCode::OK, &told))
}

/// `POST /login`.
pub(super) async fn log_in(
    State(app): State<Arc<App>>,
    Extension(Client(address)): Extension<Client>,
    request: Request,
) -> Response {
    begin_session(&app.front, address, request).await
}

/// `POST /logout`.
pub(super) async fn log_out(
    State(app): State<Arc<App>>,
    Extension(Client(address)): Extension<Client>,
    headers: HeaderMap,
    request: Request,
) -> Result<Response, Problem> {
    let visitor = app.front.rights.visitor(&headers, address).map_err(|why| why.problem())?;
    end_session(&app.front, &visitor, &headers, request).await
}
