//! The files of a run that can be downloaded: those of a fixed list, and no others.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::{Path as Part, State};
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_SECURITY_POLICY};
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use futures_util::stream::unfold;
use tokio::sync::OwnedSemaphorePermit;

use super::answer::{Problem, set, typed};
use super::app::{App, Peer};
use super::connections::BusyGuard;
use super::form::number;
use super::inside;
use crate::chain::{BuildRow, Places};
use crate::report::SAMPLES_PICTURE;

/// A file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Artifact {
    /// Its path below the run, which is also the end of its URL.
    pub(super) name: &'static str,
    /// Its description in the list of files.
    pub(super) what: Option<&'static str>,
    kind: &'static str,
    /// Whether browsers should save it rather than show it.
    is_download: bool,
}

const TEXT: &str = "text/plain; charset=utf-8";

const fn shown(name: &'static str, what: &'static str, kind: &'static str) -> Artifact {
    Artifact { name, what: Some(what), kind, is_download: false }
}

const fn download(name: &'static str, what: &'static str) -> Artifact {
    Artifact { name, what: Some(what), kind: "application/octet-stream", is_download: true }
}

/// All artifacts.
pub(super) const ARTIFACTS: [Artifact; 15] = [
    shown("report.html", "report", "text/html; charset=utf-8"),
    shown("report.md", "report as Markdown", TEXT),
    shown("junit.xml", "test cases for a test runner", TEXT),
    shown("accuracy.txt", "accuracy", TEXT),
    shown("events.jsonl", "events", TEXT),
    shown("best/card.md", "model card", TEXT),
    download("best/model.safetensors", "weights"),
    download("best/model.onnx", "network as ONNX"),
    shown("grown/keras_model.py", "the grown network in Keras", TEXT),
    download("grown/keras.npz", "its weights for Keras"),
    shown("grown/model.py", "the grown network in PyTorch", TEXT),
    download("grown/pytorch.safetensors", "its weights for PyTorch"),
    Artifact { name: "report/style.css", what: None, kind: "text/css", is_download: false },
    Artifact { name: SAMPLES_PICTURE, what: None, kind: "image/png", is_download: false },
    // The pattern of the numbered pictures.
    Artifact { name: PICTURE, what: None, kind: "image/png", is_download: false },
];

/// The beginning of the names of exported files of a grown network.
const GROWN: &str = "grown/";

/// The pattern of the names of a report's pictures; `#` stands for three to ten digits.
const PICTURE: &str = "report/augmented-#.png";
/// The beginnings of their names.
const PICTURES: [&str; 2] = ["report/augmented-", "report/mistakes-"];

/// The content security policy of reports: a program of a repository may have written them, so only their style and
/// pictures are loaded.
const POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'none'; \
     frame-ancestors 'none'; base-uri 'none'";

/// The artifact that a request names, and the path of its file.
fn find(name: &str) -> Option<(&'static Artifact, String)> {
    let picture = PICTURES.iter().find_map(|start| name.strip_prefix(start)?.strip_suffix(".png"));
    let is_picture = picture.is_some_and(|digits| {
        (3..=10).contains(&digits.len()) && digits.bytes().all(|digit| digit.is_ascii_digit())
    });
    let listed = if is_picture { PICTURE } else { name };
    let artifact = ARTIFACTS.iter().find(|artifact| artifact.name == listed)?;
    // The pattern itself is not the name of a picture.
    (is_picture || listed != PICTURE).then(|| (artifact, name.to_owned()))
}

/// Opens a file of a build.
pub(super) fn open(places: &Places, build: &BuildRow, name: &str) -> Result<Option<File>, Problem> {
    let Some(run) = build.run.as_ref().filter(|_| !build.cleared) else { return Ok(None) };
    // The exported program is beside the run.
    let below = if name.starts_with(GROWN) { "" } else { run };
    inside::open(&places.build(build.id), &Path::new(below).join(name))
        .map_err(|error| Problem::broken(&error))
}

/// The existing files of a build, and their lengths.
pub(super) fn present(
    places: &Places,
    build: &BuildRow,
) -> Result<Vec<(&'static Artifact, u64)>, Problem> {
    let mut present = Vec::new();
    for artifact in ARTIFACTS.iter().filter(|artifact| artifact.what.is_some()) {
        if let Some(file) = open(places, build, artifact.name)? {
            present.push((artifact, file.metadata().map_or(0, |found| found.len())));
        }
    }
    Ok(present)
}

/// `GET /builds/N/files/NAME`.
pub(super) async fn file(
    State(app): State<Arc<App>>,
    axum::Extension(peer): axum::Extension<Peer>,
    Part((id, name)): Part<(String, String)>,
) -> Result<Response, Problem> {
    let id = number(&id)?;
    let (artifact, name) = find(&name).ok_or_else(|| Problem::not_found("file"))?;
    let (build, file, length) = app
        .blocking(move |app| {
            let build = app.service.store.build(id)?.ok_or_else(|| Problem::not_found("build"))?;
            let file = open(&app.service.places, &build, &name)?;
            let file = file.ok_or_else(|| Problem::not_found("file"))?;
            let length = file.metadata().map_err(|error| Problem::broken(&error))?.len();
            Ok((build, file, length))
        })
        .await?;
    let room = Arc::clone(&app.download_room).try_acquire_owned().map_err(|_| Problem::busy())?;
    let body = streamed(file, length, (peer.connection.busy(), room));
    let mut answer = typed(StatusCode::OK, artifact.kind, body);
    answer.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(length));
    set(&mut answer, CONTENT_SECURITY_POLICY, POLICY);
    if artifact.is_download {
        let extension = artifact.name.rsplit_once('.').map_or("", |(_, extension)| extension);
        let name = format!("attachment; filename=\"{}-{id}.{extension}\"", build.repository);
        if let Ok(name) = HeaderValue::from_str(&name) {
            answer.headers_mut().insert(CONTENT_DISPOSITION, name);
        }
    }
    Ok(answer)
}

/// Streams a file up to the length that it had when it was opened.
fn streamed(file: File, length: u64, held: (BusyGuard, OwnedSemaphorePermit)) -> Body {
    const PIECE: u64 = 128 << 10;
    let state = (file, length, held);
    Body::from_stream(unfold(state, |(mut file, left, held)| async move {
        if left == 0 {
            return None;
        }
        let read = tokio::task::spawn_blocking(move || {
            let mut bytes = Vec::new();
            let read = (&mut file).take(left.min(PIECE)).read_to_end(&mut bytes);
            read.map(|_| (file, bytes))
        });
        let piece = match read.await {
            Ok(Ok((file, bytes))) if !bytes.is_empty() => {
                let left = left - bytes.len() as u64;
                return Some((Ok(Bytes::from(bytes)), (file, left, held)));
            }
            Ok(Ok((file, _))) => (file, std::io::ErrorKind::UnexpectedEof.into()),
            Ok(Err(error)) => return failed(error),
            Err(error) => return failed(std::io::Error::other(error)),
        };
        let (file, error): (File, std::io::Error) = piece;
        Some((Err(error), (file, 0, held)))
    }))
}

/// Aborts a stream; the connection is closed, so that the client notices that the file is incomplete.
fn failed<T>(error: std::io::Error) -> Option<(std::io::Result<Bytes>, T)> {
    tracing::error!(%error, "a file cannot be read");
    None
}

#[cfg(test)]
mod tests;
