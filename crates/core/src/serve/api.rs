//! The content of the pages as JSON for programs.

use std::sync::Arc;

use axum::Extension;
use axum::extract::{Path, Request, State};
use axum::http::{StatusCode, Uri};
use axum::response::Response;
use serde::{Deserialize, Serialize};

use super::answer::{Problem, json};
use super::app::App;
use super::body;
use super::changes::{self, BuildAction};
use super::form::{Fields, number};
use super::pages::Pass;
use crate::chain::{BuildRow, StageRow, Store};

/// Rows in a response.
const ROWS_MAX: u32 = 100;
const BODY_BYTES_MAX: usize = 16 << 10;

/// A build with its stages.
#[derive(Debug, Serialize)]
struct Build {
    #[serde(flatten)]
    row: BuildRow,
    stages: Vec<StageRow>,
}

/// The newest builds: `?repository=NAME`, and `?below=N` for older ones.
pub(super) async fn builds(State(app): State<Arc<App>>, uri: Uri) -> Result<Response, Problem> {
    let query = Fields::of_query(&uri);
    let repository = query.get("repository").map(str::to_owned);
    let below = query.number("below");
    app.blocking(move |app| {
        let rows = app.service.store.builds(repository.as_deref(), below, ROWS_MAX)?;
        let builds = with_stages(&app.service.store, rows)?;
        let mut told = serde_json::json!({ "builds": builds });
        if repository.is_none() && below.is_none() && !app.service.config.retrain.is_empty() {
            let passes = Pass::all(&app.service.config);
            told["retrainings"] = passes.iter().take(ROWS_MAX as usize).map(Pass::json).collect();
        }
        Ok(json(StatusCode::OK, &told))
    })
    .await
}

/// One build.
pub(super) async fn build(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let id = number(&id)?;
    app.blocking(move |app| {
        let store = &app.service.store;
        let row = store.build(id)?.ok_or_else(|| Problem::not_found("build"))?;
        Ok(json(StatusCode::OK, &Build { row, stages: store.stages(id)? }))
    })
    .await
}

/// The newest webhook deliveries; `?below=N` for older ones.
pub(super) async fn deliveries(State(app): State<Arc<App>>, uri: Uri) -> Result<Response, Problem> {
    let below = Fields::of_query(&uri).number("below");
    app.blocking(move |app| {
        let deliveries = app.service.store.deliveries(below, ROWS_MAX)?;
        Ok(json(StatusCode::OK, &serde_json::json!({ "deliveries": deliveries })))
    })
    .await
}

/// Queues a build; the body may name a commit: `{"commit": "…"}`.
pub(super) async fn start(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    request: Request,
) -> Result<Response, Problem> {
    #[derive(Debug, Default, Deserialize)]
    #[serde(default, deny_unknown_fields)]
    struct Wanted {
        commit: Option<String>,
    }
    let received = body::read(&app.front, request, BODY_BYTES_MAX).await?;
    let wanted: Wanted = match &received.bytes[..] {
        [] => Wanted::default(),
        bytes => serde_json::from_slice(bytes)
            .map_err(|_| Problem::bad("The body must have the form {\"commit\": \"…\"}."))?,
    };
    let build = changes::start(&app, &name, wanted.commit.as_deref().unwrap_or_default()).await?;
    Ok(accepted(build))
}

/// Changes a build.
pub(super) async fn change_build(
    State(app): State<Arc<App>>,
    Extension(action): Extension<BuildAction>,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    changes::change_build(&app, &id, action).await.map(accepted)
}

fn accepted(build: i64) -> Response {
    json(StatusCode::ACCEPTED, &serde_json::json!({ "build": build }))
}

fn with_stages(store: &Store, rows: Vec<BuildRow>) -> Result<Vec<Build>, Problem> {
    let ids: Vec<i64> = rows.iter().map(|row| row.id).collect();
    let stages = store.stages_of(&ids)?;
    let of = |id| {
        stages.iter().filter(|(build, _)| *build == id).map(|(_, stage)| stage.clone()).collect()
    };
    Ok(rows.into_iter().map(|row| Build { stages: of(row.id), row }).collect())
}
