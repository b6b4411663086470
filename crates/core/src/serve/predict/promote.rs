//! The API for versions of the registry: listing, promotion and rollback.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Value, json};

use super::app::App;
use crate::registry::{Action, Force, Promotion, Record, Registry, RegistryError, Writer};
use crate::serve::answer::{self, Problem};
use crate::serve::body;
use crate::sys::clock::RealClock;
use crate::sys::error_chain;

const BODY_BYTES_MAX: usize = 16 << 10;
/// How many of the newest versions and decisions are listed.
const ROWS_MAX: usize = 50;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    alias: String,
    version: Option<u64>,
    #[serde(default)]
    force: bool,
}

/// `GET /api/registry`: aliases, and the newest versions and decisions.
pub(super) async fn registry(State(app): State<Arc<App>>) -> Result<Response, Problem> {
    let registry = registry_of(&app)?;
    let (model, serving) = (app.predicting.model.clone(), app.slots.production());
    let serving = serving.map(|served| served.version.clone());
    let mut refused = app.slots.refused();
    let told = blocking(move || {
        let versions: Vec<u64> = registry.versions()?.into_iter().rev().take(ROWS_MAX).collect();
        let versions = versions
            .into_iter()
            .map(|version| {
                // A damaged one is told as such, and hides no other.
                let manifest = match registry.manifest(version) {
                    Ok((manifest, _)) => manifest,
                    Err(error) => {
                        return json!({ "version": version, "damaged": error_chain(&error) });
                    }
                };
                json!({
                    "version": version, "added": manifest.added, "accuracy": manifest.accuracy,
                    "parameters": manifest.parameters, "run": manifest.run,
                    "latency_ms": manifest.latency_ms, "size_bytes": manifest.size_bytes,
                })
            })
            .collect::<Vec<Value>>();
        let records = registry.records()?.into_iter().rev().take(ROWS_MAX);
        let records = records
            .map(|record| Ok(registry.record(record)?.0))
            .collect::<Result<Vec<Record>, RegistryError>>()?;
        let aliases = registry.aliases().unwrap_or_else(|error| {
            refused.insert("aliases", error_chain(&error));
            Vec::new()
        });
        Ok(json!({
            "model": model, "serving": serving, "refused": refused, "aliases": aliases,
            "versions": versions, "decisions": records, "retraining": registry.retraining_state()?,
        }))
    });
    Ok(answer::json(StatusCode::OK, &told.await?))
}

/// `POST /api/promote`: `{"alias": "production", "version": 2, "force": false}`.
pub(super) async fn promote(
    State(app): State<Arc<App>>,
    request: Request,
) -> Result<Response, Problem> {
    let wanted = wanted(&app, request).await?;
    let version = wanted.version.ok_or_else(|| Problem::bad("The body has no `version`."))?;
    let force = if wanted.force { Force::Yes } else { Force::No };
    change(&app, move |writer| writer.promote(&wanted.alias, version, force)).await
}

/// `POST /api/rollback`: `{"alias": "production"}`.
pub(super) async fn roll_back(
    State(app): State<Arc<App>>,
    request: Request,
) -> Result<Response, Problem> {
    let wanted = wanted(&app, request).await?;
    change(&app, move |writer| writer.roll_back(&wanted.alias)).await
}

async fn wanted(app: &App, request: Request) -> Result<Wanted, Problem> {
    let received = body::read(&app.front, request, BODY_BYTES_MAX).await?;
    serde_json::from_slice(&received.bytes).map_err(|error| {
        Problem::bad(format!(
            "The body must have the form {{\"alias\": \"production\", \"version\": 2}}: {error}."
        ))
    })
}

async fn change(
    app: &App,
    change: impl FnOnce(&Writer) -> Result<Promotion, RegistryError> + Send + 'static,
) -> Result<Response, Problem> {
    let registry = registry_of(app)?;
    let promotion = blocking(move || {
        let clock = Arc::new(RealClock::default());
        let writer = Writer::open(&registry, clock, "through the server", "burgeon serve")?;
        change(&writer)
    });
    let Promotion { record, alias } = promotion.await?;
    // A refused promotion is not an error of the request, but the alias did not move.
    let refused = record.action == Action::Refused;
    let status = if refused { StatusCode::CONFLICT } else { StatusCode::OK };
    Ok(answer::json(status, &json!({ "decision": record, "alias": alias })))
}

fn registry_of(app: &App) -> Result<Registry, Problem> {
    app.predicting.source.registry().cloned().ok_or_else(|| {
        Problem::new(StatusCode::NOT_FOUND, "The model of this server is not from a registry.")
    })
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, RegistryError> + Send + 'static,
) -> Result<T, Problem> {
    let done = tokio::task::spawn_blocking(work).await;
    let done = done.map_err(|error| Problem::broken(&error))?;
    done.map_err(|error| {
        let status = match error {
            RegistryError::NoVersion { .. } | RegistryError::NoAlias { .. } => {
                StatusCode::NOT_FOUND
            }
            RegistryError::AliasName { .. } => StatusCode::BAD_REQUEST,
            RegistryError::AlreadyThere { .. } | RegistryError::NothingBefore { .. } => {
                StatusCode::CONFLICT
            }
            RegistryError::Lock(_) => return Problem::busy(),
            error => return Problem::broken(&error),
        };
        let mut text = error_chain(&error);
        text.push('.');
        Problem::new(status, text)
    })
}
