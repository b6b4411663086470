//! Receives request bodies within limits of time and memory.

use std::time::Duration;

use axum::body::Bytes;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::http::header::CONTENT_LENGTH;
use futures_util::StreamExt;
use tokio::sync::SemaphorePermit;
use tokio::time::timeout;

use super::answer::Problem;
use super::app::Peer;
use super::connections::BusyGuard;
use super::front::Front;

/// How long receiving a body may take.
const TIME_MAX: Duration = Duration::from_secs(10);
/// Memory is reserved in steps of this size.
const STEP: usize = 16 << 10;

/// A received body. Until it is dropped, its connection counts as busy.
#[derive(Debug)]
pub(super) struct Received<'a> {
    /// Its content.
    pub(super) bytes: Bytes,
    _room: Option<SemaphorePermit<'a>>,
    _busy: Option<BusyGuard>,
}

/// Receives a body of at most this many bytes.
pub(super) async fn read(
    front: &Front,
    request: Request,
    most: usize,
) -> Result<Received<'_>, Problem> {
    let length = request.headers().get(CONTENT_LENGTH);
    let length = length.and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    let peer = request.extensions().get::<Peer>().cloned();
    let late = Problem::new(
        StatusCode::REQUEST_TIMEOUT,
        format!("The body did not arrive within {} seconds.", TIME_MAX.as_secs()),
    );
    let received = timeout(TIME_MAX, collect(front, request, length, most)).await;
    let (bytes, room) = received.unwrap_or(Err(late))?;
    Ok(Received { bytes, _room: room, _busy: peer.map(|peer| peer.connection.busy()) })
}

async fn collect(
    front: &Front,
    request: Request,
    length: Option<u64>,
    most: usize,
) -> Result<(Bytes, Option<SemaphorePermit<'_>>), Problem> {
    let long = || {
        let text = format!("The body is longer than {} KiB.", most >> 10);
        Problem::new(StatusCode::PAYLOAD_TOO_LARGE, text)
    };
    let mut stream = request.into_body().into_data_stream();
    // The rest of a body that is slightly too long is received and dropped, since a client that is still sending may
    // not see the response.
    let mut left = 2 * most;
    if length.is_some_and(|length| length > (most + left) as u64) {
        return Err(long());
    }
    let mut bytes = Vec::new();
    let mut room: Option<SemaphorePermit> = None;
    let mut is_long = length.is_some_and(|length| length > most as u64);
    while let Some(piece) = stream.next().await {
        let piece = piece.map_err(|_| Problem::bad("The body cannot be read."))?;
        is_long |= bytes.len() + piece.len() > most;
        if is_long {
            bytes = Vec::new();
            left = left.checked_sub(piece.len()).ok_or_else(long)?;
            continue;
        }
        while bytes.capacity() < bytes.len() + piece.len() {
            // The capacity is doubled each time, so that little is copied, up to the limit.
            let needed = bytes.len() + piece.len() - bytes.capacity();
            let expected = length.map_or(most, |length| length.min(most as u64) as usize);
            let spare = expected.saturating_sub(bytes.capacity()).min(bytes.capacity());
            let step = needed.max(spare).next_multiple_of(STEP);
            let more = front.body_room.acquire_many((step >> 10) as u32).await;
            let more = more.map_err(|_| Problem::busy())?;
            match &mut room {
                Some(room) => room.merge(more),
                None => room = Some(more),
            }
            bytes.reserve_exact(bytes.capacity() + step - bytes.len());
        }
        bytes.extend_from_slice(&piece);
    }
    if is_long { Err(long()) } else { Ok((bytes.into(), room)) }
}
