//! The routes of the prediction server, and the rights that they need.

use std::sync::Arc;

use axum::Router;
use axum::http::Method;
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post};

use super::app::App;
use super::{feedback, infer, page, pictures, probes, promote, session};
use crate::serve::answer::Problem;
use crate::serve::guard::{Area, Guard, guard};
use crate::serve::pages;
use crate::serve::rights::Right;

/// All routes.
pub(super) fn router(app: Arc<App>) -> Router {
    let guarded = Guard { front: Arc::clone(&app.front), rule };
    Router::new()
        .route("/", get(page::page))
        .route("/assets/{name}", get(page::asset))
        .route("/login", get(pages::login).post(session::log_in))
        .route("/logout", post(session::log_out))
        .route("/session", get(session::session))
        .route("/openapi.json", get(probes::openapi))
        .route("/livez", get(probes::livez))
        .route("/readyz", get(probes::readyz))
        .route("/metrics", get(probes::metrics))
        .route("/v2", get(probes::server))
        .route("/v2/health/live", get(probes::live))
        .route("/v2/health/ready", get(probes::ready))
        .route("/v2/models/{name}", get(probes::model))
        .route("/v2/models/{name}/ready", get(probes::model_ready))
        .route("/v2/models/{name}/infer", post(infer::infer))
        .route("/v2/models/{name}/versions/{version}", get(probes::model_version))
        .route("/v2/models/{name}/versions/{version}/ready", get(probes::version_ready))
        .route("/v2/models/{name}/versions/{version}/infer", post(infer::infer_version))
        .route("/predict", post(pictures::pictures))
        .route("/feedback", post(feedback::feedback))
        .route("/api/drift", get(probes::drift))
        .route("/api/registry", get(promote::registry))
        .route("/api/promote", post(promote::promote))
        .route("/api/rollback", post(promote::roll_back))
        .fallback(|| async { Problem::not_found("address") })
        .method_not_allowed_fallback(|| async { Problem::wrong_method() })
        .layer(from_fn_with_state(guarded, guard))
        .with_state(app)
}

/// The kind of a path, and the right that it needs. The page itself contains no data, so it needs none.
fn rule(method: &Method, path: &str) -> (Area, Right) {
    let changes = !matches!(*method, Method::GET | Method::HEAD);
    match path {
        "/" | "/livez" | "/readyz" | "/openapi.json" | "/v2/health/live" | "/v2/health/ready" => {
            (Area::Public, Right::Predict)
        }
        "/login" | "/logout" | "/session" => (Area::Login, Right::Predict),
        _ if path.starts_with("/assets/") => (Area::Public, Right::Predict),
        "/feedback" => (Area::Api, Right::Feedback),
        "/predict" => (Area::Api, Right::Predict),
        _ if path == "/v2" || path.starts_with("/v2/") => (Area::Api, Right::Predict),
        _ => (Area::Api, if changes { Right::Change } else { Right::Read }),
    }
}
