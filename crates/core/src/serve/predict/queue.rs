//! The queue in front of the model. Its threads take whatever waits as one batch, without waiting for more.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::body::Bytes;
use tokio::sync::oneshot;

use super::metrics::Metrics;
use super::model::Pixels;
use super::slots::{Served, Slots};

/// Largest batch: larger ones take longer, but no less time for each image.
const BATCH_IMAGES_MAX: usize = 128;
/// Requests that wait longer are refused.
const WAIT_MAX: Duration = Duration::from_secs(5);

/// Images of one request.
#[derive(Debug, Clone)]
pub(super) enum Input {
    /// 32-bit floats from 0 to 1, little-endian.
    Units(Bytes),
    /// Bytes from 0 to 255.
    Bytes(Bytes),
}

/// The result of a request.
pub(super) struct Output {
    pub(super) served: Arc<Served>,
    /// `[images, classes]`.
    pub(super) logits: Vec<f32>,
    pub(super) queued: Duration,
    pub(super) computed: Duration,
}

/// Why a request was not computed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Refusal {
    /// The queue is full, or the request waited too long.
    Full,
    /// No model is loaded, or the server is stopping.
    NotReady,
    /// The images do not have the input shape of the current version.
    OtherShape,
    /// The model failed; the log has the reason.
    Failed,
}

struct Job {
    input: Input,
    images: usize,
    shape: [usize; 3],
    since: Instant,
    tell: oneshot::Sender<Result<Output, Refusal>>,
}

/// The waiting requests.
pub(super) struct Queue {
    waiting: Mutex<Waiting>,
    came: Condvar,
    images_max: usize,
}

#[derive(Default)]
struct Waiting {
    jobs: VecDeque<Job>,
    images: usize,
    closed: bool,
}

impl Input {
    pub(super) fn pixels(&self) -> Pixels<'_> {
        match self {
            Self::Units(bytes) => Pixels::Units(bytes),
            Self::Bytes(bytes) => Pixels::Bytes(bytes),
        }
    }
}

impl Queue {
    /// Most images that may wait.
    pub(super) fn new(images_max: usize) -> Self {
        Self { waiting: Mutex::default(), came: Condvar::new(), images_max }
    }

    /// Queues images, and waits for the result.
    pub(super) async fn ask(
        &self,
        input: Input,
        images: usize,
        shape: [usize; 3],
    ) -> Result<Output, Refusal> {
        let (tell, told) = oneshot::channel();
        {
            let mut waiting = self.lock();
            if waiting.closed {
                return Err(Refusal::NotReady);
            }
            if waiting.images + images > self.images_max {
                return Err(Refusal::Full);
            }
            waiting.images += images;
            waiting.jobs.push_back(Job { input, images, shape, since: Instant::now(), tell });
        }
        self.came.notify_one();
        told.await.unwrap_or(Err(Refusal::NotReady))
    }

    /// The number of waiting requests, and of their images.
    pub(super) fn pending(&self) -> [usize; 2] {
        let waiting = self.lock();
        [waiting.jobs.len(), waiting.images]
    }

    /// Closes the queue: the threads end once it is empty.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.came.notify_all();
    }

    /// Computes requests until the queue is closed.
    pub(super) fn work(&self, slots: &Slots, metrics: &Metrics) {
        while let Some(jobs) = self.take() {
            compute(jobs, slots, metrics);
        }
    }

    fn take(&self) -> Option<Vec<Job>> {
        let mut waiting = self.lock();
        while waiting.jobs.is_empty() {
            if waiting.closed {
                return None;
            }
            waiting = self.came.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        }
        let (mut jobs, mut images) = (Vec::new(), 0);
        while let Some(job) = waiting.jobs.front()
            && (jobs.is_empty() || images + job.images <= BATCH_IMAGES_MAX)
            && let Some(job) = waiting.jobs.pop_front()
        {
            images += job.images;
            jobs.push(job);
        }
        waiting.images -= images;
        if !waiting.jobs.is_empty() {
            self.came.notify_one();
        }
        Some(jobs)
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Computes requests as one batch, with the current version in production.
fn compute(jobs: Vec<Job>, slots: &Slots, metrics: &Metrics) {
    let Some(served) = slots.production() else {
        return refuse(jobs, &Refusal::NotReady);
    };
    let shape = served.model.shape();
    let (jobs, late): (Vec<Job>, Vec<Job>) =
        jobs.into_iter().partition(|job| job.since.elapsed() < WAIT_MAX);
    refuse(late, &Refusal::Full);
    let (jobs, other): (Vec<Job>, Vec<Job>) = jobs.into_iter().partition(|job| job.shape == shape);
    refuse(other, &Refusal::OtherShape);
    // Requests of clients that disconnected are dropped.
    let jobs: Vec<Job> = jobs.into_iter().filter(|job| !job.tell.is_closed()).collect();
    if jobs.is_empty() {
        return;
    }
    let began = Instant::now();
    let batch: Vec<Pixels> = jobs.iter().map(|job| job.input.pixels()).collect();
    let images: usize = jobs.iter().map(|job| job.images).sum();
    let classes = served.model.classes().len();
    // A fault of the model must not take the thread with it, nor the other requests.
    let done = catch_unwind(AssertUnwindSafe(|| served.model.logits(&batch)));
    let computed = began.elapsed();
    let logits = match done {
        Ok(Ok(logits)) if logits.len() == images * classes => logits,
        Ok(Ok(_)) => return failed(jobs, &served, "the model returned a wrong number of values"),
        Ok(Err(why)) => return failed(jobs, &served, &why),
        Err(_) => return failed(jobs, &served, "the model panicked"),
    };
    metrics.executed(&served.version, images, computed);
    let mut at = 0;
    for job in jobs {
        let own = logits[at..at + job.images * classes].to_vec();
        at += job.images * classes;
        let queued = began - job.since;
        let output = Output { served: Arc::clone(&served), logits: own, queued, computed };
        // The client may have disconnected.
        let _ = job.tell.send(Ok(output));
    }
}

fn failed(jobs: Vec<Job>, served: &Served, why: &str) {
    tracing::error!(version = served.version, why, "a prediction failed");
    refuse(jobs, &Refusal::Failed);
}

fn refuse(jobs: Vec<Job>, why: &Refusal) {
    for job in jobs {
        let _ = job.tell.send(Err(why.clone()));
    }
}
