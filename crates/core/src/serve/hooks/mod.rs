//! Webhooks: `POST /hooks/NAME`.
//!
//! ```text
//! headers ─ sender    who sends it, with which identifier; is it genuine?
//! body    ─ payload   what happened?
//!              └ intake   on disk, before the response
//! ```
//!
//! Invariant: a body is not parsed before one of the repository's secrets proves that it is genuine.
//!
//! Invariant: the content of a delivery decides only whether the configured branch is built.

mod payload;
mod sender;

use std::sync::Arc;

use axum::extract::{Path, Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;

use self::payload::Payload;
use self::sender::{CallHeaders, Sender};
use super::answer::{Problem, text};
use super::app::App;
use super::body;
use super::intake::{Call, NotRecorded, Refused};
use super::secret_file::SecretFile;
use crate::chain::{DeliveryOutcome, Recorded};

/// Largest body; those of pushes are a few KiB.
const BODY_BYTES_MAX: usize = 1 << 20;

/// Receives a delivery.
pub(super) async fn receive(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    request: Request,
) -> Response {
    accept(&app, &name, request).await.unwrap_or_else(IntoResponse::into_response)
}

async fn accept(app: &App, name: &str, request: Request) -> Result<Response, Problem> {
    let repository =
        app.service.config.repository(name).ok_or_else(|| Problem::not_found("repository"))?;
    let headers = request.headers().clone();
    let received = body::read(&app.front, request, BODY_BYTES_MAX).await?;
    let head = genuine(app, name, &headers, &received.bytes)?;
    let delivery = head.identifier(&received.bytes).ok_or_else(|| {
        Problem::bad("The identifier of the delivery is longer than 200 bytes or not printable.")
    })?;
    let now = Timestamp::now().as_second();
    if head.sender == Sender::Generic && !app.replays.is_first(head.proof, &delivery, now) {
        return Err(refused(
            app,
            name,
            head.sender,
            "the same delivery was received before with another identifier",
        ));
    }
    let is_form = headers
        .get(CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(b"application/x-www-form-urlencoded"));
    let read = Payload::read(&head, &received.bytes, is_form, &repository.branch);
    let (payload, unreadable) = match read {
        Ok(payload) => (payload, None),
        Err(why) => (Payload { ignored: Some(why.clone()), ..Payload::default() }, Some(why)),
    };
    let call = Call {
        repository: name.to_owned(),
        source: head.sender.name(),
        delivery,
        event: head.event.chars().filter(|c| !c.is_control()).take(100).collect(),
        branch: payload.branch,
        commit: payload.commit,
        ignored: payload.ignored.clone(),
    };
    let recorded = app.intake.record(call).await.map_err(|why| match why {
        NotRecorded::Full => Problem::busy(),
        NotRecorded::Broken => Problem::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "The delivery cannot be recorded now; try again later.",
        ),
    })?;
    match unreadable {
        Some(why) => Err(Problem::bad(format!("This starts no build: {why}."))),
        None => Ok(answered(recorded, payload.ignored.as_deref())),
    }
}

/// The sender of a delivery, if it is genuine.
fn genuine<'a>(
    app: &App,
    name: &str,
    headers: &'a HeaderMap,
    body: &[u8],
) -> Result<CallHeaders<'a>, Problem> {
    let Some(head) = CallHeaders::read(headers) else {
        return Err(refused(
            app,
            name,
            Sender::Generic,
            "its headers are not those of a supported sender",
        ));
    };
    let files = app.secrets.get(name).map_or(&[][..], Vec::as_slice);
    let secrets: Vec<_> = files.iter().filter_map(SecretFile::current_or_logged).collect();
    match head.check(&secrets, body, Timestamp::now().as_second()) {
        Ok(()) => Ok(head),
        Err(why) => Err(refused(app, name, head.sender, why)),
    }
}

/// Records that a delivery is not genuine. The response does not say why; the list of deliveries does.
fn refused(app: &App, name: &str, sender: Sender, why: &'static str) -> Problem {
    tracing::warn!(repository = name, sender = sender.name(), why, "a webhook was refused");
    app.intake.refuse(Refused { repository: name.to_owned(), source: sender.name(), why });
    Problem::new(
        StatusCode::UNAUTHORIZED,
        "This delivery is not signed with a secret of the repository.",
    )
}

fn answered(recorded: Recorded, ignored: Option<&str>) -> Response {
    let build = |build: Option<i64>| build.map_or(String::new(), |build| build.to_string());
    let (status, said) = match recorded {
        Recorded::Seen => (StatusCode::OK, "This delivery was received before.".to_owned()),
        Recorded::New(DeliveryOutcome::Queued, id) => {
            (StatusCode::ACCEPTED, format!("Build {} is queued.", build(id)))
        }
        Recorded::New(DeliveryOutcome::Known, id) => {
            (StatusCode::OK, format!("The commit already has build {}.", build(id)))
        }
        Recorded::New(DeliveryOutcome::Ignored | DeliveryOutcome::Refused, _) => (
            StatusCode::OK,
            format!("This starts no build: {}.", ignored.unwrap_or("it is ignored")),
        ),
    };
    text(status, said + "\n")
}
