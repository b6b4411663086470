//! The state that all prediction requests share.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use axum::http::StatusCode;
use tokio::sync::Semaphore;

use super::super::answer::Problem;
use super::super::error::ServeError;
use super::super::front::Front;
use super::drift::{self, Drift};
use super::journal::Journal;
use super::metrics::{Gauges, Metrics};
use super::model::Engine;
use super::queue::{Queue, Refusal};
use super::request::IMAGES_MAX;
use super::settings::Predicting;
use super::shadow::{self, Answered, Shadow};
use super::slots::Slots;
use super::watch::Watch;

/// How many pictures are decoded at the same time: each may need much memory.
const DECODERS: usize = 4;

/// The server.
pub(super) struct App {
    pub(super) predicting: Predicting,
    pub(super) front: Arc<Front>,
    pub(super) slots: Arc<Slots>,
    pub(super) queue: Arc<Queue>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) shadow: Shadow,
    pub(super) journal: Option<Journal>,
    pub(super) drift: Drift,
    pub(super) decoders: Arc<Semaphore>,
    engine: Arc<dyn Engine>,
    watch: Mutex<Option<Watch>>,
    shadowed: Mutex<Option<std::sync::mpsc::Receiver<Answered>>>,
    writers: Mutex<Vec<JoinHandle<()>>>,
    ended: Arc<AtomicBool>,
    /// The prefix of request ids, which differs between processes, and the number of the next one.
    run: u64,
    requests: AtomicU64,
}

impl App {
    /// Loads the first model.
    ///
    /// # Errors
    ///
    /// If no model can be served, or a token cannot be read.
    pub(super) fn new(predicting: Predicting, engine: Arc<dyn Engine>) -> Result<Self, ServeError> {
        let front = Front::new(&predicting.tokens, None, Vec::new(), predicting.tls.is_some())?;
        let (slots, metrics) = (Arc::<Slots>::default(), Arc::<Metrics>::default());
        let watch = Watch::begin(&predicting.source, &slots, &engine, &metrics)
            .map_err(ServeError::Model)?;
        let (journal, journal_thread) = match &predicting.requests {
            Some(folder) => {
                let (journal, thread) = Journal::open(folder, &predicting, Arc::clone(&metrics))?;
                (Some(journal), Some(thread))
            }
            None => (None, None),
        };
        let (watching, requests) = (predicting.watching.clone(), predicting.requests.clone());
        let registry = predicting.source.registry().cloned();
        let (drift, drift_thread) = Drift::start(watching, requests, registry, &slots)?;
        let (shadow, shadowed) = Shadow::new();
        let mut random = [0; 8];
        use ring::rand::SecureRandom;
        ring::rand::SystemRandom::new().fill(&mut random).map_err(|_| ServeError::Random)?;
        Ok(Self {
            front: Arc::new(front),
            slots,
            // A single request always fits.
            queue: Arc::new(Queue::new(predicting.limits.queue.max(IMAGES_MAX))),
            metrics,
            shadow,
            journal,
            drift,
            decoders: Arc::new(Semaphore::new(DECODERS)),
            engine,
            watch: Mutex::new(watch),
            shadowed: Mutex::new(Some(shadowed)),
            writers: Mutex::new(journal_thread.into_iter().chain(drift_thread).collect()),
            ended: Arc::default(),
            run: u64::from_le_bytes(random),
            requests: AtomicU64::new(0),
            predicting,
        })
    }

    /// Starts the threads: those that compute, that of the candidate, and that which watches the registry.
    ///
    /// # Errors
    ///
    /// If a thread cannot be started.
    pub(super) fn start(&self) -> std::io::Result<Vec<JoinHandle<()>>> {
        let mut threads = Vec::new();
        for number in 0..self.predicting.threads.max(1) {
            let (engine, queue) = (Arc::clone(&self.engine), Arc::clone(&self.queue));
            let (slots, metrics) = (Arc::clone(&self.slots), Arc::clone(&self.metrics));
            let work = move || compute_or_log(&*engine, &mut || queue.work(&slots, &metrics));
            threads.push(spawn(&format!("infer-{number}"), work)?);
        }
        let take =
            |slot: &Mutex<Option<_>>| slot.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(receiver) = take(&self.shadowed) {
            let engine = Arc::clone(&self.engine);
            let (slots, metrics) = (Arc::clone(&self.slots), Arc::clone(&self.metrics));
            let work = move || {
                compute_or_log(&*engine, &mut || shadow::work(&receiver, &slots, &metrics));
            };
            // It ends with the process.
            spawn("shadow", work)?;
        }
        let watch = self.watch.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(mut watch) = watch {
            let (engine, ended) = (Arc::clone(&self.engine), Arc::clone(&self.ended));
            let (slots, metrics) = (Arc::clone(&self.slots), Arc::clone(&self.metrics));
            let work = move || {
                compute_or_log(&*engine, &mut || watch.work(&slots, &engine, &metrics, &ended));
            };
            threads.push(spawn("watch", work)?);
        }
        if let Some(registry) = self.predicting.source.registry().cloned() {
            let ended = Arc::clone(&self.ended);
            threads.push(spawn("messages", move || drift::send(&registry, &ended))?);
        }
        threads.append(&mut self.writers.lock().unwrap_or_else(PoisonError::into_inner));
        Ok(threads)
    }

    /// Asks all threads to end.
    pub(super) fn end(&self) {
        self.ended.store(true, Ordering::SeqCst);
        self.queue.close();
        if let Some(journal) = &self.journal {
            journal.close();
        }
        self.drift.close();
    }

    /// A new request id.
    pub(super) fn request_id(&self) -> String {
        let count = self.requests.fetch_add(1, Ordering::Relaxed);
        format!("{:016x}-{count:x}", self.run)
    }

    /// The gauges of the metrics.
    pub(super) fn metrics_text(&self) -> String {
        let name =
            |served: Option<Arc<super::slots::Served>>| served.map(|served| served.version.clone());
        let [pending_requests, pending_images] = self.queue.pending();
        let mut text = self.metrics.text(&Gauges {
            model: &self.predicting.model,
            pending_requests,
            pending_images,
            production: name(self.slots.production()),
            candidate: name(self.slots.candidate()),
        });
        text += &drift::metrics_text(&self.predicting.model, &self.drift.published());
        text
    }
}

impl Refusal {
    /// The response.
    pub(super) fn problem(self) -> Problem {
        let soon = Duration::from_secs(1);
        match self {
            Self::Full => Problem::new(
                StatusCode::TOO_MANY_REQUESTS,
                "The queue is full; try again in a moment.",
            )
            .after(soon),
            Self::NotReady => {
                Problem::new(StatusCode::SERVICE_UNAVAILABLE, "No model is loaded.").after(soon)
            }
            Self::OtherShape => Problem::bad(
                "The model was replaced by one with another input shape; see its metadata.",
            ),
            Self::Failed => Problem::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                "The prediction failed; see the log of the server.",
            ),
        }
    }
}

fn compute_or_log(engine: &dyn Engine, work: &mut dyn FnMut()) {
    if let Err(why) = engine.with_compute_thread(work) {
        tracing::error!(why, "cannot set up a thread for predictions");
    }
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> std::io::Result<JoinHandle<()>> {
    std::thread::Builder::new().name(name.into()).spawn(work)
}
