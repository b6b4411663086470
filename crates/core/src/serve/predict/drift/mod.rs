//! Monitors drift: whether the images sent to the version in production still resemble those that it was accepted on, and
//! whether its predictions are still as accurate. Runs on a thread of its own; requests never wait for it.
//!
//! ```text
//! predict ─ offer   a sample of the images, with their predictions
//! feedback ─ label  whether a prediction was right
//!    └ work → Watched   Detector and Sequential of `burgeon_drift`, for the version that serves
//!        ├ Published    a snapshot for the API and the metrics
//!        ├ told         messages about alarms, in the outbox of the registry before the state is stored
//!        └ stored       on disk, so that a restart resumes
//! ```
//!
//! Invariant: its memory is bounded, regardless of the load.

mod published;
mod stored;
mod told;
mod watched;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use burgeon_drift::PixelStats;
use jiff::Timestamp;

pub(super) use self::published::{Published, metrics_text};
pub(crate) use self::stored::is_alarm;
use self::stored::{Found, Place};
pub(super) use self::told::send;
use self::told::{Teller, news, over};
pub(crate) use self::watched::Watching;
use self::watched::{Alarm, By, Told, Watched};
use super::queue::Input;
use super::slots::{Served, Slots, probabilities};
use crate::registry::{News, Registry};
use crate::serve::error::ServeError;
use crate::sys::error_chain;

/// Most requests and labels that wait.
const WAITING_MAX: usize = 16;
/// Pixels that are examined per second; beyond that, images are sampled, so that this takes a few hundredths of a core.
const VALUES_PER_SECOND: f64 = 2_000_000.0;
/// How often to check whether another version is in production.
const LOOK: Duration = Duration::from_millis(200);
/// How soon the state is written after new images, and how soon at the earliest.
const WRITE_EVERY: Duration = Duration::from_secs(30);
const WRITE_SOONEST: Duration = Duration::from_secs(2);

enum Entry {
    Images(Images),
    Label { version: String, is_right: bool },
}

/// Images of a request, with the predictions.
struct Images {
    served: Arc<Served>,
    input: Input,
    /// Which of them are examined.
    rows: Vec<usize>,
    /// For each of these, the original height and width, if they matter.
    sizes: Vec<Option<[usize; 2]>>,
    /// Logits of these, `[rows, classes]`.
    logits: Vec<f32>,
}

/// The queue of the thread, and the last published state.
pub(super) struct Drift {
    sender: Option<SyncSender<Entry>>,
    allowance: Mutex<(f64, Instant)>,
    skipped: Arc<AtomicU64>,
    closing: Arc<AtomicBool>,
    published: Arc<Mutex<Arc<Published>>>,
}

impl Drift {
    /// Starts monitoring, if `watching` is given. `requests` is the folder to store the state in, if it is stored;
    /// `registry` tells people of alarms.
    ///
    /// # Errors
    ///
    /// If the thread cannot be started.
    pub(super) fn start(
        watching: Option<Watching>,
        requests: Option<PathBuf>,
        registry: Option<Registry>,
        slots: &Arc<Slots>,
    ) -> Result<(Self, Option<JoinHandle<()>>), ServeError> {
        let published = Arc::new(Mutex::new(Arc::new(Published::off())));
        let (skipped, closing) = (Arc::<AtomicU64>::default(), Arc::<AtomicBool>::default());
        let (sender, thread) = match watching {
            None => (None, None),
            Some(watching) => {
                let (sender, receiver) = sync_channel(WAITING_MAX);
                let mut work = Work {
                    watching,
                    place: requests.map(|folder| Place::in_folder(&folder)),
                    slots: Arc::clone(slots),
                    teller: Teller::new(registry),
                    current: None,
                    is_first: true,
                    changed: Changed::Nothing,
                    written: Instant::now(),
                    skipped: Arc::clone(&skipped),
                    published: Arc::clone(&published),
                    published_at: Instant::now(),
                };
                work.follow();
                work.publish();
                let closed = Arc::clone(&closing);
                let thread = std::thread::Builder::new()
                    .name("drift".into())
                    .spawn(move || work.work(&receiver, &closed))
                    .map_err(ServeError::Threads)?;
                (Some(sender), Some(thread))
            }
        };
        let allowance = Mutex::new((VALUES_PER_SECOND, Instant::now()));
        Ok((Self { sender, allowance, skipped, closing, published }, thread))
    }

    /// Queues the images of a request, or a sample of them. Never waits. `sizes` has an entry for each image, or none.
    pub(super) fn offer(
        &self,
        served: &Arc<Served>,
        input: &Input,
        sizes: &[Option<[usize; 2]>],
        logits: &[f32],
    ) {
        let Some(sender) = self.sender.as_ref().filter(|_| served.reference.is_some()) else {
            return;
        };
        let classes = served.model.classes().len().max(1);
        let images = logits.len() / classes;
        let taken = self.allowed(images, served.model.shape().iter().product());
        let mut missed = images - taken;
        if taken > 0 {
            // Spread evenly over the request.
            let rows: Vec<usize> = (0..taken).map(|at| at * images / taken).collect();
            let of_row = |row: &usize| &logits[row * classes..(row + 1) * classes];
            let logits = rows.iter().flat_map(of_row).copied().collect();
            let size = |row: &usize| sizes.get(*row).copied().flatten();
            let sizes = rows.iter().map(size).collect();
            let (served, input) = (Arc::clone(served), input.clone());
            if sender
                .try_send(Entry::Images(Images { served, input, rows, sizes, logits }))
                .is_err()
            {
                missed = images;
            }
        }
        self.skipped.fetch_add(missed as u64, Ordering::Relaxed);
    }

    /// How many of these images may be examined now.
    fn allowed(&self, images: usize, values: usize) -> usize {
        let mut allowance = self.allowance.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let (left, at) = *allowance;
        let passed = now.duration_since(at).as_secs_f64();
        let left = (left + passed * VALUES_PER_SECOND).min(VALUES_PER_SECOND);
        // An image that is larger than the whole allowance uses it up.
        let cost = (values.max(1) as f64).min(VALUES_PER_SECOND);
        let taken = images.min((left / cost) as usize);
        *allowance = (left - taken as f64 * cost, now);
        taken
    }

    /// Queues whether a prediction of a version was right.
    pub(super) fn label(&self, version: String, is_right: bool) {
        if let Some(sender) = &self.sender
            && sender.try_send(Entry::Label { version, is_right }).is_err()
        {
            self.skipped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// The last published state.
    pub(super) fn published(&self) -> Arc<Published> {
        Arc::clone(&self.published.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Asks the thread to end, once the queue is empty and the state is written.
    pub(super) fn close(&self) {
        self.closing.store(true, Ordering::SeqCst);
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Changed {
    Nothing,
    /// Images were added to a window that is not full.
    Images,
    /// A window was judged, or a label was given.
    Verdict,
    /// People are told.
    Told,
}

/// The state of the thread.
struct Work {
    watching: Watching,
    place: Option<Place>,
    slots: Arc<Slots>,
    teller: Teller,
    current: Option<Current>,
    /// Only the first version resumes from the stored state; one that is promoted later starts afresh.
    is_first: bool,
    changed: Changed,
    written: Instant,
    skipped: Arc<AtomicU64>,
    published: Arc<Mutex<Arc<Published>>>,
    published_at: Instant,
}

/// The version in production, and its monitor or why there is none.
struct Current {
    served: Arc<Served>,
    watched: Result<Box<Watched>, String>,
}

impl Work {
    fn work(&mut self, receiver: &Receiver<Entry>, closing: &AtomicBool) {
        let mut unpublished = false;
        loop {
            let first = receiver.recv_timeout(LOOK);
            let ends = matches!(first, Err(RecvTimeoutError::Disconnected))
                || (first.is_err() && closing.load(Ordering::SeqCst));
            self.follow();
            for entry in first.into_iter().chain(receiver.try_iter().take(WAITING_MAX)) {
                unpublished = true;
                self.take(entry);
            }
            // Publishing copies all windows, so it is not done for every request.
            if unpublished && self.published_at.elapsed() >= LOOK / 2 {
                self.publish();
                unpublished = false;
            }
            self.write(ends);
            if ends {
                return;
            }
        }
    }

    /// Starts afresh if another version is in production.
    fn follow(&mut self) {
        let Some(served) = self.slots.production() else { return };
        if let Some(current) = &mut self.current
            && current.served.version == served.version
            && current.served.manifest == served.manifest
        {
            // It may have been reloaded.
            current.served = served;
            return;
        }
        let watched = self.begin(&served).inspect_err(|why| {
            tracing::warn!(version = served.version, why, "drift is not monitored");
        });
        if let Some(Current { served: old, watched: Ok(old_watched) }) = &self.current {
            let (old, told) = (old.version.clone(), old_watched.told());
            self.replaced(&old, told, &served);
        }
        self.current = Some(Current { served, watched });
        self.is_first = false;
        self.changed = Changed::Verdict;
        self.publish();
    }

    /// Tells people that the alarms of a version are over, as another one serves.
    fn replaced(&mut self, old: &str, told: Vec<(By, Told)>, by: &Served) {
        let why = format!("version {} has replaced it", by.version);
        for (alarm, told) in told {
            self.teller.tell(over(old, alarm, told, Timestamp::now(), &why));
        }
    }

    fn begin(&mut self, served: &Arc<Served>) -> Result<Box<Watched>, String> {
        let Some(reference) = &served.reference else {
            return Err(
                "the version has no reference.json; `burgeon registry add` creates one".into()
            );
        };
        if let Some(place) = self.place.as_ref().filter(|_| self.is_first) {
            match place.read(served, reference, &self.watching) {
                Ok(Found::State(watched)) => return Ok(watched),
                Ok(Found::Nothing) => {}
                // It was replaced while no server ran.
                Ok(Found::OtherVersion { version, told }) => self.replaced(&version, told, served),
                Err(why) => tracing::warn!(
                    why,
                    "the stored drift state cannot be used; monitoring restarts"
                ),
            }
        }
        let watched = Watched::new(Arc::clone(reference), &self.watching, Timestamp::now());
        watched.map(Box::new).map_err(|error| error_chain(&error))
    }

    fn take(&mut self, entry: Entry) {
        let Some(Current { served, watched: Ok(watched) }) = &mut self.current else { return };
        let mut told = Vec::new();
        // A panic in the statistics must not end the monitoring of later versions.
        let done = catch_unwind(AssertUnwindSafe(|| match entry {
            // Predictions of an old version that were made while it was replaced do not count for the new one.
            Entry::Images(images) if Arc::ptr_eq(&images.served, served) => {
                observe(&images, watched, &mut told)
            }
            Entry::Label { version, is_right } if version == served.version => {
                if watched.label(is_right) {
                    let [right, labelled] = watched.labels();
                    tracing::warn!(
                        version,
                        right,
                        labelled,
                        "drift alarm: predictions are less accurate"
                    );
                }
                add_news(served, watched, By::Labels, &mut told);
                Changed::Verdict
            }
            Entry::Images(_) | Entry::Label { .. } => Changed::Nothing,
        }));
        match done {
            Ok(changed) => self.changed = self.changed.max(changed),
            Err(_) => {
                let version = served.version.clone();
                tracing::error!(version, "the drift statistics panicked");
                if let Some(current) = &mut self.current {
                    current.watched =
                        Err("the drift statistics failed; see the log of the server".into());
                }
            }
        }
        for news in told {
            self.teller.tell(news);
            self.changed = Changed::Told;
        }
    }

    fn publish(&mut self) {
        self.published_at = Instant::now();
        let skipped = self.skipped.load(Ordering::Relaxed);
        let published = match &self.current {
            None => Published::off(),
            Some(Current { served, watched: Err(why) }) => {
                Published::not_watched(served, why, skipped)
            }
            Some(Current { served, watched: Ok(watched) }) => {
                Published::watched(served, watched, skipped)
            }
        };
        *self.published.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(published);
    }

    fn write(&mut self, ends: bool) {
        let since = self.written.elapsed();
        let is_due = match self.changed {
            Changed::Nothing => false,
            Changed::Images => ends || since >= WRITE_EVERY,
            Changed::Verdict => ends || since >= WRITE_SOONEST,
            Changed::Told => true,
        };
        // Messages first: if this process is killed between the two, the alarm is raised and told again.
        if !self.teller.queue() {
            return;
        }
        let (Some(place), Some(Current { served, watched: Ok(watched) })) =
            (&self.place, &self.current)
        else {
            return;
        };
        if is_due {
            if let Err(error) = place.write(served, watched) {
                tracing::error!(error = error_chain(&error), "cannot write the drift state");
            }
            (self.changed, self.written) = (Changed::Nothing, Instant::now());
        }
    }
}

fn add_news(served: &Served, watched: &mut Watched, by: By, told: &mut Vec<News>) {
    let now = Timestamp::now();
    if let Some(tell) = watched.tell(by, now) {
        told.push(news(served, watched, tell, now));
    }
}

fn observe(images: &Images, watched: &mut Watched, told: &mut Vec<News>) -> Changed {
    let classes = images.served.model.classes();
    let shape = images.served.model.shape();
    let answers = probabilities(&images.logits, classes.len());
    let mut changed = Changed::Nothing;
    let rows =
        images.rows.iter().zip(&images.sizes).zip(answers.chunks_exact(classes.len().max(1)));
    for ((row, size), answer) in rows {
        let Some(pixels) = pixels(&images.input, *row, shape) else { continue };
        let pixels = match size {
            Some([height, width]) => pixels.with_size(*height, *width),
            None => pixels,
        };
        let Ok(judged) = watched.observe(answer, &pixels, Timestamp::now()) else { continue };
        changed = changed.max(if judged.is_some() { Changed::Verdict } else { Changed::Images });
        let Some((alarm, judged)) = judged else { continue };
        let (version, window) = (&images.served.version, judged.number);
        let what = judged.report.words(classes).join("; ");
        match alarm {
            Alarm::Begins => tracing::warn!(
                version,
                window,
                what,
                "drift alarm: the images no longer resemble those that the version was accepted on"
            ),
            Alarm::None if judged.report.is_suspicious() => {
                tracing::info!(version, window, what, "a window of images is suspicious");
            }
            Alarm::None => tracing::debug!(version, window, "a window of images was judged"),
        }
        add_news(&images.served, watched, By::Images, told);
    }
    changed
}

/// The pixel statistics of an image of a request.
fn pixels(input: &Input, row: usize, shape: [usize; 3]) -> Option<PixelStats> {
    let values: usize = shape.iter().product();
    match input {
        Input::Bytes(bytes) => {
            PixelStats::of_bytes(bytes.get(row * values..(row + 1) * values)?, shape)
        }
        Input::Units(bytes) => {
            let own = bytes.get(4 * row * values..4 * (row + 1) * values)?.chunks_exact(4);
            let units: Vec<f32> =
                own.map(|unit| f32::from_le_bytes([unit[0], unit[1], unit[2], unit[3]])).collect();
            PixelStats::of_values(&units, shape)
        }
    }
}

#[cfg(test)]
mod tests;
