//! Changes by users and programs: start, stop and retry builds; log in and out.

use std::net::IpAddr;
use std::sync::Arc;

use axum::Extension;
use axum::extract::{Path, Request, State};
use axum::http::header::SET_COOKIE;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};

use super::answer::{Problem, see_other};
use super::app::{App, Client};
use super::body;
use super::form::{Fields, number};
use super::front::Front;
use super::pages;
use super::rights::{Authentication, Visitor};
use crate::chain::{BuildRequest, Cause, Queued, is_commit};

/// Largest form.
const FORM_BYTES_MAX: usize = 16 << 10;

/// A change of an existing build.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BuildAction {
    /// Stops a waiting or running build.
    Cancel,
    /// Builds the commit of an ended build again.
    Retry,
    /// Resumes a failed or cancelled build at the stage where it ended.
    Reopen,
}

impl BuildAction {
    pub(super) const ALL: [Self; 3] = [Self::Cancel, Self::Retry, Self::Reopen];

    /// The last part of its URL.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Cancel => "cancel",
            Self::Retry => "retry",
            Self::Reopen => "reopen",
        }
    }

    /// Why it is impossible.
    fn refusal(self, build: i64) -> String {
        match self {
            Self::Cancel => format!("Build {build} has already ended."),
            Self::Retry => format!("Build {build} has not ended yet."),
            Self::Reopen => {
                format!(
                    "Build {build} cannot be resumed: it neither failed nor was cancelled, or its files were removed."
                )
            }
        }
    }
}

/// Changes a build; returns its number or, after a retry, that of the new build or of a waiting one of the same commit.
pub(super) async fn change_build(
    app: &Arc<App>,
    id: &str,
    action: BuildAction,
) -> Result<i64, Problem> {
    let id = number(id)?;
    let change = move |app: &App| {
        let store = &app.service.store;
        store.build(id)?.ok_or_else(|| Problem::not_found("build"))?;
        Ok(match action {
            BuildAction::Cancel => store.ask_to_stop(id)?.then_some(id),
            BuildAction::Retry => store.retry(id)?.map(number_of),
            BuildAction::Reopen => store.reopen(id)?.then_some(id),
        })
    };
    let build = app
        .blocking(change)
        .await?
        .ok_or_else(|| Problem::new(StatusCode::CONFLICT, action.refusal(id)))?;
    (app.service.wake)();
    Ok(build)
}

/// Queues a build of a commit, or of the newest commit if none is given.
pub(super) async fn start(app: &Arc<App>, name: &str, commit: &str) -> Result<i64, Problem> {
    let repository =
        app.service.config.repository(name).ok_or_else(|| Problem::not_found("repository"))?;
    if !commit.is_empty() && !is_commit(commit) {
        return Err(Problem::bad(
            "Give the full hash of the commit: 40 or 64 lower-case hexadecimal digits.",
        ));
    }
    let (name, branch) = (repository.name.clone(), repository.branch.clone());
    let commit = commit.to_owned();
    let enqueue = move |app: &App| {
        let (repository, branch, commit) = (&*name, &*branch, &*commit);
        let request = BuildRequest { repository, branch, commit, cause: Cause::Asked };
        Ok(app.service.store.enqueue(request)?)
    };
    let queued = app.blocking(enqueue).await?;
    (app.service.wake)();
    Ok(number_of(queued))
}

/// The number of the build.
fn number_of(queued: Queued) -> i64 {
    match queued {
        Queued::New(id) | Queued::Known(id) => id,
    }
}

/// The fields of a form, which must carry the form token of its sender.
async fn own_form(front: &Front, visitor: &Visitor, request: Request) -> Result<Fields, Problem> {
    let received = body::read(front, request, FORM_BYTES_MAX).await?;
    let fields = Fields::parse(&received.bytes);
    // A page of another site cannot know a bearer token.
    if visitor.authentication == Authentication::Bearer
        || visitor.gave(fields.get(pages::FORM_TOKEN))
    {
        return Ok(fields);
    }
    let text = "This form has expired; go back, reload the page, and try again.";
    Err(Problem::new(StatusCode::FORBIDDEN, text))
}

/// The buttons that change a build.
pub(super) async fn build_form(
    State(app): State<Arc<App>>,
    Extension(visitor): Extension<Visitor>,
    Extension(action): Extension<BuildAction>,
    Path(id): Path<String>,
    request: Request,
) -> Result<Response, Problem> {
    own_form(&app.front, &visitor, request).await?;
    let id = change_build(&app, &id, action).await?;
    Ok(see_other(&format!("/builds/{id}")))
}

/// The button that builds the newest commit.
pub(super) async fn start_form(
    State(app): State<Arc<App>>,
    Extension(visitor): Extension<Visitor>,
    Path(name): Path<String>,
    request: Request,
) -> Result<Response, Problem> {
    let fields = own_form(&app.front, &visitor, request).await?;
    let id = start(&app, &name, fields.get("commit").unwrap_or_default().trim()).await?;
    Ok(see_other(&format!("/builds/{id}")))
}

/// The form of the login page.
pub(super) async fn log_in(
    State(app): State<Arc<App>>,
    Extension(Client(address)): Extension<Client>,
    request: Request,
) -> Response {
    begin_session(&app.front, address, request).await
}

/// Starts a session for the token in a form.
pub(super) async fn begin_session(front: &Front, address: IpAddr, request: Request) -> Response {
    let received = match body::read(front, request, FORM_BYTES_MAX).await {
        Ok(received) => received,
        Err(problem) => return problem.into_response(),
    };
    let fields = Fields::parse(&received.bytes);
    let to = pages::safe_target(fields.get("to").unwrap_or_default());
    match front.rights.log_in(fields.get("token").unwrap_or_default().trim(), address) {
        Ok(cookie) => with_cookie(see_other(to), &cookie),
        Err(refusal) => pages::login_again(&refusal.problem(), to),
    }
}

/// The button that logs out.
pub(super) async fn log_out(
    State(app): State<Arc<App>>,
    Extension(visitor): Extension<Visitor>,
    headers: HeaderMap,
    request: Request,
) -> Result<Response, Problem> {
    end_session(&app.front, &visitor, &headers, request).await
}

/// Ends the session of the sender of a form.
pub(super) async fn end_session(
    front: &Front,
    visitor: &Visitor,
    headers: &HeaderMap,
    request: Request,
) -> Result<Response, Problem> {
    own_form(front, visitor, request).await?;
    Ok(with_cookie(see_other("/login"), &front.rights.log_out(headers)))
}

fn with_cookie(mut answer: Response, cookie: &str) -> Response {
    if let Ok(cookie) = HeaderValue::from_str(cookie) {
        answer.headers_mut().insert(SET_COOKIE, cookie);
    }
    answer
}
