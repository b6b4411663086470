//! The server that predicts: a model, or the versions of a registry, over HTTP.
//!
//! ```text
//! guard        rights, headers
//!   └ infer    the Open Inference Protocol: JSON and binary tensors
//!   └ pictures `POST /predict`: picture files
//!        └ queue    bounded in images; threads of its own take what waits, together
//!             └ Model   what computes; this module knows no network
//! watch        sees that an alias moved: loads, checks hashes, tests itself, exchanges
//! journal      what was asked and answered, kept images, feedback: on a thread of its own, never waited for
//! drift        whether images and answers are still like those of the version's reference: likewise
//! ```
//!
//! Invariant: an answer is that of one version, which was verified and has passed its self-test.
//!
//! Invariant: whatever waits has a bound: images in the queue, bodies, pictures that are decoded, lines of the log.

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

/// How long threads may take to end when the server does.
const END: Duration = Duration::from_secs(1);

/// Serves predictions until a stop is requested. `started` is told the address once it is listened on, which is after
/// a model is ready. Ends within a few seconds, whatever is open.
///
/// # Errors
///
/// If no model can be loaded, the address cannot be listened on, or a token cannot be read.
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
        // One that hangs ends with the process.
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
