//! The prediction server: serves a model, or the versions of a registry, over HTTP.
//!
//! ```text
//! guard        rights, headers
//!   └ infer    the Open Inference Protocol: JSON and binary tensors
//!   └ pictures `POST /predict`: picture files
//!        └ queue    bounded in images; threads take what waits as one batch
//!             └ Model   the interface to a network
//! watch        when an alias moves: loads the version, checks hashes, runs the self-test, replaces
//! journal      the request log, stored images, feedback: on a thread of its own, for which requests never wait
//! drift        monitors images and predictions for drift: likewise
//! ```
//!
//! Invariant: every response is computed by a single version, which was verified and has passed its self-test.
//!
//! Invariant: everything that waits is bounded: images in the queue, bodies, decoded pictures, lines of the log.

mod answers;
mod app;
mod drift;
mod feedback;
mod infer;
mod journal;
mod kept;
mod lines;
mod metrics;
mod model;
mod multipart;
mod page;
mod pictures;
mod probes;
mod promote;
mod queue;
mod request;
mod routes;
mod session;
mod settings;
mod shadow;
mod slots;
#[cfg(test)]
mod tests;
mod watch;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Runtime;

use self::app::App;
pub(crate) use self::drift::{Watching, is_alarm};
pub(crate) use self::kept::{LabelledImage, export as export_feedback, labelled};
pub(crate) use self::model::{Engine, Model, Pixels, Prepared};
pub(crate) use self::settings::{Limits, Predicting, Source};
use super::error::ServeError;
use super::tls::Certificates;
use super::{bind, connections_max, listener};
use crate::sys::signals::StopFlag;

/// How long threads may take to end when the server stops.
const END: Duration = Duration::from_secs(1);

/// Serves predictions until a stop is requested. `started` is called with the address once the server listens, which is
/// after a model was loaded. The shutdown takes a few seconds at most.
///
/// # Errors
///
/// If no model can be loaded, it cannot listen on the address, or a token cannot be read.
pub(crate) fn serve_predictions(
    predicting: Predicting,
    engine: Arc<dyn Engine>,
    stop: &StopFlag,
    started: &mut dyn FnMut(SocketAddr),
) -> Result<(), ServeError> {
    let certificates = predicting.tls.as_ref().map(Certificates::read).transpose()?;
    let app = Arc::new(App::new(predicting, engine)?);
    let threads = app.start().map_err(ServeError::Threads)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .max_blocking_threads(16)
        .thread_name("serve")
        .enable_io()
        .enable_time()
        .build()
        .map_err(ServeError::Threads)?;
    let served = runtime.block_on(listening(&app, certificates, stop, started));
    close(runtime, &app);
    for thread in threads {
        // A thread that hangs ends with the process.
        let ended = std::time::Instant::now();
        while !thread.is_finished() && ended.elapsed() < END {
            std::thread::sleep(Duration::from_millis(5));
        }
    }
    served
}

async fn listening(
    app: &Arc<App>,
    certificates: Option<Certificates>,
    stop: &StopFlag,
    started: &mut dyn FnMut(SocketAddr),
) -> Result<(), ServeError> {
    let address = app.predicting.listen;
    let refuse = |source| ServeError::Listen { address, source };
    let listener = bind(address).map_err(refuse)?;
    started(listener.local_addr().map_err(refuse)?);
    let router = routes::router(Arc::clone(app));
    let most = app.predicting.limits.connections.min(connections_max());
    let certificates = certificates.map(Arc::new);
    listener::listen(&app.front.ending, router, listener, certificates, most, stop).await;
    Ok(())
}

fn close(runtime: Runtime, app: &App) {
    runtime.shutdown_timeout(END);
    app.end();
}
