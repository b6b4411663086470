//! `GET /live`: a stream of events that tell open pages what changed.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use futures_util::future::{Either, select};
use futures_util::stream::unfold;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::time::{Instant, sleep};

use super::answer::{Problem, typed};
use super::app::{App, Peer};
use super::connections::BusyGuard;
use super::news::News;

/// How often something is sent even if nothing changes, so that a dead connection is noticed.
const ALIVE: Duration = Duration::from_secs(15);
/// After this time the browser has to reconnect and authenticate again.
const AGE_MAX: Duration = Duration::from_secs(15 * 60);

struct Stream {
    news: Receiver<News>,
    ending: watch::Receiver<bool>,
    until: Instant,
    is_first: bool,
    _room: OwnedSemaphorePermit,
    _busy: BusyGuard,
}

/// Starts a stream.
pub(super) async fn stream(
    State(app): State<Arc<App>>,
    Extension(peer): Extension<Peer>,
) -> Result<Response, Problem> {
    let room = Arc::clone(&app.stream_room).try_acquire_owned().map_err(|_| Problem::busy())?;
    let stream = Stream {
        news: app.news.subscribe(),
        ending: app.front.ending.subscribe(),
        until: Instant::now() + AGE_MAX,
        is_first: true,
        _room: room,
        _busy: peer.connection.busy(),
    };
    let pieces = unfold(stream, |mut stream| async {
        let piece = stream.next().await?;
        Some((Ok::<_, Infallible>(Bytes::from(piece)), stream))
    });
    Ok(typed(StatusCode::OK, "text/event-stream", Body::from_stream(pieces)))
}

impl Stream {
    async fn next(&mut self) -> Option<String> {
        if std::mem::take(&mut self.is_first) {
            // Browsers reconnect after this many milliseconds.
            return Some("retry: 3000\n\n".into());
        }
        if *self.ending.borrow() || Instant::now() >= self.until {
            return None;
        }
        let news = std::pin::pin!(self.news.recv());
        let ending = &mut self.ending;
        let ending = std::pin::pin!(async { drop(ending.wait_for(|ending| *ending).await) });
        let alive = std::pin::pin!(sleep(ALIVE));
        let other = select(ending, alive);
        match select(news, other).await {
            Either::Left((Ok(news), _)) => serde_json::to_string(&news)
                .ok()
                .map(|json| format!("event: news\ndata: {json}\n\n")),
            // Too many changes were missed: the page reloads everything.
            Either::Left((Err(RecvError::Lagged(_)), _)) => Some("event: all\ndata: {}\n\n".into()),
            Either::Left((Err(RecvError::Closed), _)) => None,
            Either::Right((Either::Left(_), _)) => None,
            Either::Right((Either::Right(_), _)) => Some(": alive\n\n".into()),
        }
    }
}
