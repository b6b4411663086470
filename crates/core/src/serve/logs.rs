//! The log of a build: its end on a page, and all of it in pieces.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::Arc;

use axum::extract::{Path as Part, State};
use axum::http::header::HeaderName;
use axum::http::{HeaderValue, StatusCode, Uri};
use axum::response::Response;

use super::answer::{Problem, text};
use super::app::App;
use super::form::{Fields, number};
use super::inside;

/// Most bytes of a response.
const PIECE: u64 = 256 << 10;
/// Most bytes on a page.
const TAIL: u64 = 24 << 10;

/// A piece of a log.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Piece {
    /// Its bytes.
    pub(super) bytes: Vec<u8>,
    /// Its offset.
    pub(super) from: u64,
    /// The length of the log.
    pub(super) length: u64,
}

impl Piece {
    /// The offset of the next piece.
    pub(super) fn next(&self) -> u64 {
        self.from + self.bytes.len() as u64
    }
}

/// `GET /builds/N/log?from=B`: the log from a byte offset; `X-Log-Next` is the offset of the next piece, and `X-Log-Length`
/// the length of the log.
pub(super) async fn log(
    State(app): State<Arc<App>>,
    Part(id): Part<String>,
    uri: Uri,
) -> Result<Response, Problem> {
    let id = number(&id)?;
    let from = match Fields::of_query(&uri).get("from") {
        None => 0,
        Some(from) => from.parse().map_err(|_| Problem::bad("`from` must be a byte offset."))?,
    };
    let piece = app
        .blocking(move |app| {
            app.service.store.build(id)?.ok_or_else(|| Problem::not_found("build"))?;
            read(&app.service.places.log(id), From::Start(from), PIECE)
        })
        .await?;
    let (next, length) = (piece.next(), piece.length);
    let mut answer = text(StatusCode::OK, piece.bytes);
    for (name, value) in [("x-log-next", next), ("x-log-length", length)] {
        answer.headers_mut().insert(HeaderName::from_static(name), HeaderValue::from(value));
    }
    Ok(answer)
}

/// The end of a log, from the start of a line.
pub(super) fn tail(path: &Path) -> Result<Piece, Problem> {
    let mut piece = read(path, From::End(TAIL), TAIL)?;
    if piece.from > 0 {
        let line = piece.bytes.iter().position(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        piece.bytes.drain(..line);
        piece.from += line as u64;
    }
    Ok(piece)
}

enum From {
    /// This offset.
    Start(u64),
    /// At most this many bytes before the end.
    End(u64),
}

fn read(path: &Path, from: From, most: u64) -> Result<Piece, Problem> {
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
        return Ok(Piece::default());
    };
    let opened = inside::open(folder, Path::new(name)).map_err(|error| Problem::broken(&error))?;
    let Some(file) = opened else { return Ok(Piece::default()) };
    piece(file, &from, most).map_err(|error| Problem::broken(&error))
}

fn piece(mut file: File, from: &From, most: u64) -> std::io::Result<Piece> {
    let length = file.metadata()?.len();
    let from = match from {
        From::Start(from) => (*from).min(length),
        From::End(bytes) => length.saturating_sub(*bytes),
    };
    file.seek(SeekFrom::Start(from))?;
    let mut bytes = Vec::new();
    file.take(most).read_to_end(&mut bytes)?;
    Ok(Piece { bytes, from, length })
}

/// A log as text for a page: without the escape sequences of terminals.
pub(super) fn plain(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let mut plain = String::with_capacity(text.len());
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '\u{1b}' if rest.next_if_eq(&'[').is_some() => {
                while rest.next_if(|c| !('@'..='~').contains(c)).is_some() {}
                rest.next();
            }
            '\r' if rest.peek() == Some(&'\n') => {}
            // A line that is overwritten.
            '\r' => plain.push('\n'),
            '\n' | '\t' => plain.push(c),
            c if c.is_control() => {}
            c => plain.push(c),
        }
    }
    plain
}

#[cfg(test)]
mod tests;
