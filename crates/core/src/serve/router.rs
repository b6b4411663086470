//! The routes of the service.

use std::sync::Arc;

use axum::http::Method;
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post};
use axum::{Extension, Router};

use super::answer::Problem;
use super::app::App;
use super::changes::BuildAction;
use super::guard::{Area, Guard, guard};
use super::rights::Right;
use super::{api, artifacts, assets, changes, health, hooks, live, logs, pages};

/// All routes.
pub(super) fn router(app: Arc<App>) -> Router {
    let guarded = Guard { front: Arc::clone(&app.front), rule };
    let mut router = Router::new();
    for action in BuildAction::ALL {
        let name = action.name();
        let form = post(changes::build_form).layer(Extension(action));
        let api = post(api::change_build).layer(Extension(action));
        router = router
            .route(&format!("/builds/{{id}}/{name}"), form)
            .route(&format!("/api/builds/{{id}}/{name}"), api);
    }
    router
        .route("/", get(pages::builds))
        .route("/builds/{id}", get(pages::build))
        .route("/builds/{id}/log", get(logs::log))
        .route("/builds/{id}/files/{*name}", get(artifacts::file))
        .route("/repositories/{name}", get(pages::repository))
        .route("/repositories/{name}/build", post(changes::start_form))
        .route("/deliveries", get(pages::deliveries))
        .route("/retraining", get(pages::retraining))
        .route("/api/retraining", get(pages::retraining_json))
        .route("/live", get(live::stream))
        .route("/login", get(pages::login).post(changes::log_in))
        .route("/logout", post(changes::log_out))
        .route("/hooks/{name}", post(hooks::receive))
        .route("/assets/{name}", get(assets::asset))
        .route("/healthz", get(health::healthz))
        .route("/api/builds", get(api::builds))
        .route("/api/builds/{id}", get(api::build))
        .route("/api/repositories/{name}/build", post(api::start))
        .route("/api/deliveries", get(api::deliveries))
        .fallback(|| async { Problem::not_found("page") })
        .method_not_allowed_fallback(|| async { Problem::wrong_method() })
        .layer(from_fn_with_state(guarded, guard))
        .with_state(app)
}

/// The kind of a path, and the right that it needs.
fn rule(method: &Method, path: &str) -> (Area, Right) {
    let area = match path {
        "/healthz" => Area::Public,
        "/login" => Area::Login,
        _ if path.starts_with("/hooks/") => Area::Public,
        _ if path.starts_with("/assets/") => Area::Login,
        _ if path.starts_with("/api/") => Area::Api,
        _ => Area::Page,
    };
    let changes = !matches!(*method, Method::GET | Method::HEAD) && path != "/logout";
    (area, if changes { Right::Change } else { Right::Read })
}
