//! Accepts and serves connections: within limits of number and time, and with a shutdown that takes seconds.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::http::{Method, Request};
use futures_util::future::{Either, select};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

use super::app::Peer;
use super::connections::{Connection, Connections};
use super::tls::Certificates;
use super::write_timeout::WriteTimeout;
use crate::sys::signals::StopFlag;

/// How long receiving the head of a request may take, and how long a connection may be idle before it.
const HEAD: Duration = Duration::from_secs(10);
/// How long the client may take to read what was written.
const READING: Duration = Duration::from_secs(20);
/// How long the TLS handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// How long running requests may take to end when the service stops.
const END: Duration = Duration::from_secs(2);
/// How often to check whether a stop was requested.
const STOP_CHECK_INTERVAL: Duration = Duration::from_millis(50);
/// How often to check whether the certificate files have changed.
const RENEW: Duration = Duration::from_secs(60);
/// The longest head of a request.
const HEAD_BYTES_MAX: usize = 32 << 10;

/// How connections are served.
#[derive(Clone)]
pub(super) struct Serving {
    pub(super) router: Router,
    pub(super) certificates: Option<Arc<Certificates>>,
    pub(super) ending: watch::Sender<bool>,
}

/// Serves connections, up to a maximum number, until a stop is requested and the open ones have ended.
pub(super) async fn listen(
    ending: &watch::Sender<bool>,
    router: Router,
    listener: TcpListener,
    certificates: Option<Arc<Certificates>>,
    most: usize,
    stop: &StopFlag,
) {
    let serving = Serving { router, certificates, ending: ending.clone() };
    let connections = Connections::new(most);
    let mut tasks = JoinSet::new();
    let mut stop_check = interval(STOP_CHECK_INTERVAL);
    stop_check.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut renewed = Instant::now();
    while stop.requested().is_none() {
        let accepted = std::pin::pin!(listener.accept());
        match select(accepted, std::pin::pin!(stop_check.tick())).await {
            Either::Left((Ok((stream, address)), _)) => {
                // If all others are busy, the new connection is closed.
                if let Some(connection) = connections.enter() {
                    tasks.spawn(attend(serving.clone(), stream, address, connection));
                }
            }
            Either::Left((Err(error), _)) => {
                // Usually because too many files are open.
                tracing::warn!(%error, open = connections.count(), "cannot accept a connection");
                connections.close_one();
                sleep(STOP_CHECK_INTERVAL).await;
            }
            Either::Right(_) => {}
        }
        while tasks.try_join_next().is_some() {}
        if let Some(certificates) = &serving.certificates
            && renewed.elapsed() > RENEW
        {
            renewed = Instant::now();
            certificates.renew();
        }
    }
    drop(listener);
    ending.send_replace(true);
    let ended = timeout(END, async { while tasks.join_next().await.is_some() {} }).await;
    if ended.is_err() {
        tracing::warn!(
            open = connections.count(),
            "closed connections whose requests were still running"
        );
    }
    tasks.abort_all();
}

async fn attend(
    serving: Serving,
    stream: TcpStream,
    address: SocketAddr,
    connection: Arc<Connection>,
) {
    // Answers are written as a whole, and streams of changes in small pieces.
    let _ = stream.set_nodelay(true);
    let peer = Peer { address, connection: Arc::clone(&connection) };
    let served = async {
        match &serving.certificates {
            None => requests(&serving, stream, peer).await,
            Some(certificates) => {
                let handshake = timeout(HANDSHAKE, certificates.acceptor().accept(stream)).await;
                if let Ok(Ok(stream)) = handshake {
                    requests(&serving, stream, peer).await;
                }
            }
        }
    };
    select(std::pin::pin!(served), std::pin::pin!(connection.closed())).await;
}

/// Answers the requests of a connection until it ends.
pub(super) async fn requests<S>(serving: &Serving, stream: S, peer: Peer)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let router = TowerToHyperService::new(serving.router.clone());
    let service = service_fn(move |mut request: Request<Incoming>| {
        // A request with a body counts as busy once the body has arrived, so that slow ones can be closed for others.
        let has_body = matches!(*request.method(), Method::POST | Method::PUT | Method::PATCH);
        let busy = (!has_body).then(|| peer.connection.busy());
        request.extensions_mut().insert(peer.clone());
        let answer = router.call(request);
        async move {
            let answer = answer.await;
            drop(busy);
            answer
        }
    });
    let io = TokioIo::new(WriteTimeout::new(stream, READING));
    let mut connection = std::pin::pin!(
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD)
            .max_buf_size(HEAD_BYTES_MAX)
            .serve_connection(io, service)
    );
    let mut ending = serving.ending.subscribe();
    let ended = std::pin::pin!(async { drop(ending.wait_for(|ending| *ending).await) });
    // How it ended is no matter: the other end may hang up at any time.
    if let Either::Right((_, connection)) = select(connection.as_mut(), ended).await {
        let mut connection = connection;
        connection.as_mut().graceful_shutdown();
        let _ = connection.await;
    }
}
