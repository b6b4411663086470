//! The HTTP side of the service: webhooks, pages, and an API for programs.
//!
//! ```text
//! listener   connections, limited in number and time; TLS
//!   └ router   every request: rights, then a handler, then headers
//!        ├ hooks       signed deliveries → intake → Store, on disk before the response
//!        ├ pages       builds, one build, a repository, deliveries; live.js keeps them up to date
//!        ├ api         the same as JSON, and changes by programs
//!        ├ live        a stream that says which builds changed
//!        └ artifacts   files of a run, from a list
//! ```
//!
//! [`predict`] is another server with the same listener and rights: it serves predictions.
//!
//! Invariant: no path from a request reaches the file system: files have fixed names, and links are not followed.
//!
//! Invariant: all text from a repository, a payload or a run is untrusted, and escaped where it is written.
//!
//! Invariant: everything that waits is bounded: connections, bodies, streams, sessions, deliveries to record.

mod answer;
mod api;
mod app;
mod artifacts;
mod assets;
mod body;
mod changes;
mod client;
mod connections;
mod error;
mod form;
mod front;
mod guard;
mod health;
mod hooks;
mod inside;
mod intake;
mod listener;
mod live;
mod logs;
mod loopback;
mod news;
mod pages;
pub(crate) mod predict;
mod replays;
mod rights;
mod router;
mod secret_file;
#[cfg(test)]
mod tests;
mod tls;
mod watcher;
mod write_timeout;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket};
use tokio::runtime::Runtime;

use self::app::App;
pub use self::app::Service;
pub use self::error::ServeError;
use self::intake::Intake;
pub use self::loopback::Loopback;
pub(crate) use self::rights::TokenFiles;
use self::tls::Certificates;
use crate::sys::signals::StopFlag;

/// Most open connections.
const CONNECTIONS_MAX: usize = 1024;
/// How long threads may take to end when the service stops.
const END: Duration = Duration::from_secs(1);

/// Serves until a stop is requested. `started` is called with the address once the service listens. The shutdown takes a
/// few seconds at most.
///
/// # Errors
///
/// If it cannot listen on the address, or cannot use a file that the configuration names.
pub fn serve(
    service: Service,
    stop: &StopFlag,
    started: &mut dyn FnMut(SocketAddr),
) -> Result<(), ServeError> {
    let certificates = service.config.tls.as_ref().map(Certificates::read).transpose()?;
    let (store, wake) = (Arc::clone(&service.store), Arc::clone(&service.wake));
    let (intake, recording) = Intake::start(store, wake).map_err(ServeError::Threads)?;
    let app = Arc::new(App::new(service, intake)?);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .max_blocking_threads(16)
        .thread_name("serve")
        .enable_io()
        .enable_time()
        .build()
        .map_err(ServeError::Threads)?;
    let served = runtime.block_on(listening(&runtime, &app, certificates, stop, started));
    runtime.shutdown_timeout(END);
    drop(app);
    // The thread ends once its queue is dropped and written. If an aborted task still holds the queue, the thread ends
    // with the process.
    if recording.is_finished() || served.is_ok() {
        let ended = std::time::Instant::now();
        while !recording.is_finished() && ended.elapsed() < END {
            std::thread::sleep(Duration::from_millis(5));
        }
    }
    served
}

async fn listening(
    runtime: &Runtime,
    app: &Arc<App>,
    certificates: Option<Certificates>,
    stop: &StopFlag,
    started: &mut dyn FnMut(SocketAddr),
) -> Result<(), ServeError> {
    let address = app.service.config.listen;
    let refuse = |source| ServeError::Listen { address, source };
    let listener = bind(address).map_err(refuse)?;
    started(listener.local_addr().map_err(refuse)?);
    let watching = runtime.spawn(watcher::watch(Arc::clone(app)));
    let router = router::router(Arc::clone(app));
    let certificates = certificates.map(Arc::new);
    listener::listen(&app.front.ending, router, listener, certificates, connections_max(), stop)
        .await;
    watching.abort();
    Ok(())
}

/// Listens with a backlog for bursts: with the usual 128, some clients would retry only after a second.
fn bind(address: SocketAddr) -> std::io::Result<TcpListener> {
    const WAITING_MAX: u32 = 1024;
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // So that the service can be restarted at once.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(WAITING_MAX)
}

/// How many connections may be open, so that enough file descriptors are left for files.
fn connections_max() -> usize {
    use rustix::process::{Resource, getrlimit};
    let files = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    usize::try_from(files / 2).unwrap_or(usize::MAX).min(CONNECTIONS_MAX)
}
