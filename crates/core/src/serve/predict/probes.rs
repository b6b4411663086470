//! Metadata and health of the server and its model.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Value, json};

use super::app::App;
use super::infer::{Named, check_name, served};
use super::request::{INPUT, OUTPUTS, OutputName};
use crate::serve::answer::{self, Problem, text, typed};

/// `GET /v2`.
pub(super) async fn server() -> Response {
    let extensions = ["binary_tensor_data"];
    let version = env!("CARGO_PKG_VERSION");
    let value = json!({ "name": "burgeon", "version": version, "extensions": extensions });
    answer::json(StatusCode::OK, &value)
}

/// `GET /v2/health/live`.
pub(super) async fn live() -> Response {
    answer::json(StatusCode::OK, &json!({ "live": true }))
}

/// `GET /v2/health/ready`.
pub(super) async fn ready(State(app): State<Arc<App>>) -> Response {
    let is_ready = is_ready(&app);
    answer::json(status(is_ready), &json!({ "ready": is_ready }))
}

/// `GET /livez`: whether the process responds.
pub(super) async fn livez() -> Response {
    text(StatusCode::OK, "ok\n")
}

/// `GET /readyz`: whether a model is loaded and the server is not stopping.
pub(super) async fn readyz(State(app): State<Arc<App>>) -> Response {
    let is_ready = is_ready(&app);
    text(status(is_ready), if is_ready { "ok\n" } else { "no model is loaded\n" })
}

fn is_ready(app: &App) -> bool {
    app.slots.production().is_some() && !*app.front.ending.borrow()
}

fn status(is_ready: bool) -> StatusCode {
    if is_ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }
}

/// `GET /v2/models/NAME`.
pub(super) async fn model(
    State(app): State<Arc<App>>,
    Named(name): Named<String>,
) -> Result<Response, Problem> {
    metadata(&app, &name, None)
}

/// `GET /v2/models/NAME/versions/VERSION`.
pub(super) async fn model_version(
    State(app): State<Arc<App>>,
    Named((name, version)): Named<(String, String)>,
) -> Result<Response, Problem> {
    metadata(&app, &name, Some(&version))
}

/// `GET /v2/models/NAME/ready`.
pub(super) async fn model_ready(
    State(app): State<Arc<App>>,
    Named(name): Named<String>,
) -> Result<Response, Problem> {
    check_name(&app, &*served(&app)?, &name, None)?;
    Ok(answer::json(StatusCode::OK, &json!({ "name": name, "ready": true })))
}

/// `GET /v2/models/NAME/versions/VERSION/ready`.
pub(super) async fn version_ready(
    State(app): State<Arc<App>>,
    Named((name, version)): Named<(String, String)>,
) -> Result<Response, Problem> {
    check_name(&app, &*served(&app)?, &name, Some(&version))?;
    Ok(answer::json(StatusCode::OK, &json!({ "name": name, "ready": true })))
}

fn metadata(app: &App, name: &str, version: Option<&str>) -> Result<Response, Problem> {
    let served = served(app)?;
    check_name(app, &served, name, version)?;
    let [channels, height, width] = served.model.shape();
    let classes = served.model.classes().len();
    let outputs: Vec<Value> = OUTPUTS
        .iter()
        .map(|output| {
            let shape = match output {
                OutputName::Class => json!([-1]),
                OutputName::Probabilities | OutputName::Logits => json!([-1, classes]),
            };
            json!({ "name": output.name(), "datatype": output.datatype(), "shape": shape })
        })
        .collect();
    let value = json!({
        "name": name,
        "versions": [served.version],
        "platform": "burgeon_burn",
        "inputs": [{ "name": INPUT, "datatype": "FP32", "shape": [-1, channels, height, width] }],
        "outputs": outputs,
        "parameters": { "classes": served.model.classes() },
    });
    Ok(answer::json(StatusCode::OK, &value))
}

/// `GET /metrics`.
pub(super) async fn metrics(State(app): State<Arc<App>>) -> Response {
    typed(StatusCode::OK, "text/plain; version=0.0.4; charset=utf-8", app.metrics_text())
}

/// `GET /api/drift`: the state of drift monitoring.
pub(super) async fn drift(State(app): State<Arc<App>>) -> Response {
    answer::json(StatusCode::OK, &*app.drift.published())
}

/// `GET /openapi.json`.
pub(super) async fn openapi() -> Response {
    typed(StatusCode::OK, "application/json", include_str!("openapi.json"))
}
