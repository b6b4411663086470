//! The request log, stored images and feedback: written by a thread of its own, for which requests never wait.
//!
//! `requests-00000001.jsonl` and so on, a line for each request; `feedback.jsonl`, a line for each true label; and
//! `images/REQUEST.INDEX.png`. Whatever arrives faster than it can be written is dropped and counted.

use std::collections::{HashMap, VecDeque};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::kept::{Kept, shorten_feedback};
use super::lines::{FEEDBACK_FILE, Feedback, Input, Line};
use super::metrics::Metrics;
use super::settings::Predicting;
use crate::serve::error::ServeError;
use crate::sys::error_chain;
use crate::sys::files::{FileError, Files, RealFiles, WritableFile, WriteMode};

/// Most lines and images that wait.
const WAITING_MAX: usize = 4096;
/// How many recent requests can receive feedback.
const REMEMBERED_MAX: usize = 100_000;
/// The approximate size of a part of the log; old parts are removed.
const PART_BYTES: u64 = 4 << 20;
/// Longest time before waiting lines are written.
const GATHER: Duration = Duration::from_millis(500);
/// Most images that are stored per second, as all images of a burst say little more than some of them.
const KEPT_PER_SECOND: f64 = 50.0;

enum Entry {
    Request(Line, Vec<Input>),
    Feedback(Feedback, oneshot::Sender<bool>),
}

/// The queue of the log, and the recent requests.
pub(super) struct Journal {
    sender: SyncSender<Entry>,
    closing: Arc<AtomicBool>,
    remembered: Arc<Mutex<Remembered>>,
    metrics: Arc<Metrics>,
    keeps: bool,
    allowance: Mutex<(f64, Instant)>,
}

/// Recent predictions by request.
#[derive(Default)]
pub(super) struct Remembered {
    by_request: HashMap<String, Answered>,
    order: VecDeque<String>,
}

/// The predictions for a request.
#[derive(Debug, Clone)]
pub(super) struct Answered {
    pub(super) version: String,
    pub(super) classes: Vec<u16>,
    /// The images that were labelled since this server started.
    labelled: Vec<usize>,
}

impl Journal {
    /// Opens the log, and reads the recent requests from it.
    ///
    /// # Errors
    ///
    /// If the folder cannot be written, or the thread cannot be started.
    pub(super) fn open(
        folder: &Path,
        predicting: &Predicting,
        metrics: Arc<Metrics>,
    ) -> Result<(Self, JoinHandle<()>), ServeError> {
        RealFiles.create_folders(folder)?;
        let remembered = Arc::new(Mutex::new(Remembered::read(folder)?));
        let kept = match predicting.keep_images {
            0 => None,
            most => Some(Kept::open(folder, most)?),
        };
        let mut writing = Writing {
            folder: folder.into(),
            log: None,
            bytes_max: predicting.log_bytes.max(2 * PART_BYTES),
            days_max: predicting.log_days,
            kept,
            metrics: Arc::clone(&metrics),
        };
        writing.clear();
        let (sender, receiver) = sync_channel(WAITING_MAX);
        let closing = Arc::<AtomicBool>::default();
        let closed = Arc::clone(&closing);
        let thread = std::thread::Builder::new()
            .name("journal".into())
            .spawn(move || writing.work(&receiver, &closed))
            .map_err(ServeError::Threads)?;
        let keeps = predicting.keep_images > 0;
        let allowance = Mutex::new((KEPT_PER_SECOND, Instant::now()));
        Ok((Self { sender, closing, remembered, metrics, keeps, allowance }, thread))
    }

    /// Whether an image should be stored now.
    pub(super) fn wants_image(&self) -> bool {
        if !self.keeps {
            return false;
        }
        let mut allowance = self.allowance.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let (left, at) = *allowance;
        let left =
            (left + now.duration_since(at).as_secs_f64() * KEPT_PER_SECOND).min(KEPT_PER_SECOND);
        *allowance = (if left >= 1.0 { left - 1.0 } else { left }, now);
        left >= 1.0
    }

    /// Queues a request for the log. Never waits.
    pub(super) fn tell(&self, line: Line, inputs: Vec<Input>) {
        let classes = line.answers.iter().map(|(class, _)| *class as u16).collect();
        self.remembered().add(line.request.clone(), line.version.clone(), classes);
        if self.sender.try_send(Entry::Request(line, inputs)).is_err() {
            self.metrics.log_dropped();
        }
    }

    /// The predictions for a request.
    pub(super) fn answered(&self, request: &str) -> Option<Answered> {
        self.remembered().by_request.get(request).cloned()
    }

    /// Whether this is the first label of an image.
    pub(super) fn is_first_label(&self, request: &str, index: usize) -> bool {
        let mut remembered = self.remembered();
        let Some(answered) = remembered.by_request.get_mut(request) else { return false };
        let is_first = !answered.labelled.contains(&index);
        if is_first {
            answered.labelled.push(index);
        }
        is_first
    }

    /// Writes a true label; returns false if that failed.
    pub(super) async fn feedback(&self, feedback: Feedback) -> bool {
        let (tell, told) = oneshot::channel();
        self.sender.try_send(Entry::Feedback(feedback, tell)).is_ok() && told.await.unwrap_or(false)
    }

    /// Asks the thread to end, once everything is written.
    pub(super) fn close(&self) {
        self.closing.store(true, Ordering::SeqCst);
    }

    fn remembered(&self) -> std::sync::MutexGuard<'_, Remembered> {
        self.remembered.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Remembered {
    fn add(&mut self, request: String, version: String, classes: Vec<u16>) {
        let answered = Answered { version, classes, labelled: Vec::new() };
        if self.order.len() >= REMEMBERED_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.by_request.remove(&oldest);
        }
        self.order.push_back(request.clone());
        self.by_request.insert(request, answered);
    }

    /// Reads the log. Truncated lines are skipped.
    fn read(folder: &Path) -> Result<Self, FileError> {
        let mut remembered = Self::default();
        for part in parts(folder)? {
            let bytes = RealFiles.read(&folder.join(name(part)), 4 * PART_BYTES)?;
            for line in bytes.split(|byte| *byte == b'\n') {
                if let Ok(line) = serde_json::from_slice::<Line>(line) {
                    let classes = line.answers.iter().map(|(class, _)| *class as u16).collect();
                    remembered.add(line.request, line.version, classes);
                }
            }
        }
        Ok(remembered)
    }
}

/// The numbers of the parts of the log, in order.
fn parts(folder: &Path) -> Result<Vec<u64>, FileError> {
    let number =
        |name: &String| name.strip_prefix("requests-")?.strip_suffix(".jsonl")?.parse().ok();
    let mut parts: Vec<u64> = RealFiles.list(folder)?.iter().filter_map(number).collect();
    parts.sort_unstable();
    Ok(parts)
}

fn name(part: u64) -> String {
    format!("requests-{part:08}.jsonl")
}

/// Whether the last line of a file is incomplete. False for an unreadable file, whose error shows when it is written to.
fn ends_within_a_line(path: &Path) -> bool {
    let last = || {
        let file = std::fs::File::open(path)?;
        let mut last = [b'\n'];
        if let Some(at) = file.metadata()?.len().checked_sub(1) {
            file.read_exact_at(&mut last, at)?;
        }
        Ok::<u8, std::io::Error>(last[0])
    };
    last().is_ok_and(|last| last != b'\n')
}

/// The state of the thread.
struct Writing {
    folder: PathBuf,
    log: Option<Part>,
    bytes_max: u64,
    days_max: u64,
    kept: Option<Kept>,
    metrics: Arc<Metrics>,
}

struct Part {
    file: Box<dyn WritableFile>,
    bytes: u64,
}

impl Writing {
    fn work(&mut self, receiver: &Receiver<Entry>, closing: &AtomicBool) {
        let mut lines = Vec::new();
        loop {
            let first = receiver.recv_timeout(GATHER);
            let ends = matches!(first, Err(RecvTimeoutError::Disconnected))
                || (first.is_err() && closing.load(Ordering::SeqCst));
            for entry in first.into_iter().chain(receiver.try_iter().take(WAITING_MAX)) {
                match entry {
                    Entry::Request(line, inputs) => {
                        self.keep(&line, inputs);
                        if serde_json::to_writer(&mut lines, &line).is_ok() {
                            lines.push(b'\n');
                        }
                        // A part must not grow far beyond its size, even if many lines wait.
                        if lines.len() as u64 >= PART_BYTES {
                            self.flush(&mut lines);
                        }
                    }
                    Entry::Feedback(feedback, tell) => {
                        let written = self.label(feedback);
                        let _ = tell.send(self.succeeded(written));
                    }
                }
            }
            self.flush(&mut lines);
            if ends {
                return;
            }
        }
    }

    fn flush(&mut self, lines: &mut Vec<u8>) {
        if lines.is_empty() {
            return;
        }
        let written = self.append(lines);
        if !self.succeeded(written) {
            self.log = None;
            self.metrics.log_dropped();
        }
        lines.clear();
    }

    fn succeeded(&self, done: Result<(), FileError>) -> bool {
        done.inspect_err(|error| {
            tracing::error!(error = error_chain(error), "cannot write the request log");
        })
        .is_ok()
    }

    fn keep(&mut self, line: &Line, inputs: Vec<Input>) {
        let Some(kept) = &mut self.kept else { return };
        for input in inputs {
            if let Err(error) = kept.add(&line.request, &input) {
                tracing::error!(error = error_chain(&error), "cannot store an image");
                self.metrics.log_dropped();
            }
        }
    }

    fn label(&mut self, feedback: Feedback) -> Result<(), FileError> {
        let mut feedback = feedback;
        if let Some(kept) = &mut self.kept {
            feedback.kept = kept.label(&feedback.request, feedback.index);
        }
        let path = self.folder.join(FEEDBACK_FILE);
        // A line that a crash tore must not take this one along.
        let mut bytes = if ends_within_a_line(&path) { vec![b'\n'] } else { Vec::new() };
        bytes.append(&mut serde_json::to_vec(&feedback).unwrap_or_default());
        bytes.push(b'\n');
        let mut file = RealFiles.open(&path, WriteMode::Append)?;
        file.write(&bytes)?;
        file.sync()?;
        if std::fs::metadata(&path).is_ok_and(|found| found.len() > self.bytes_max) {
            let most = usize::try_from(self.bytes_max).unwrap_or(usize::MAX);
            let shortened = shorten_feedback(&self.folder, most / 2, self.kept.as_ref());
            // Errors are ignored: the label itself is on disk.
            self.succeeded(shortened);
        }
        Ok(())
    }

    /// Appends lines to the newest part, or starts a new one.
    fn append(&mut self, lines: &[u8]) -> Result<(), FileError> {
        if self.log.as_ref().is_none_or(|part| part.bytes > PART_BYTES) {
            let next = parts(&self.folder)?.last().copied().unwrap_or(0) + 1;
            let file = RealFiles.open(&self.folder.join(name(next)), WriteMode::New)?;
            self.log = Some(Part { file, bytes: 0 });
            self.clear();
        }
        let Some(part) = &mut self.log else { return Ok(()) };
        part.bytes += lines.len() as u64;
        part.file.write(lines)
    }

    /// Removes parts that are too old or too many.
    fn clear(&self) {
        let cleared = (|| {
            let mut bytes = 0_u64;
            for (age, part) in parts(&self.folder)?.into_iter().rev().enumerate() {
                let path = self.folder.join(name(part));
                let Ok(found) = std::fs::metadata(&path) else { continue };
                bytes += found.len();
                let days = found.modified().ok().and_then(|at| at.elapsed().ok());
                let days = days.map_or(0, |age| age.as_secs() / (24 * 60 * 60));
                if age > 0 && (bytes > self.bytes_max || days > self.days_max) {
                    RealFiles.remove_file(&path)?;
                }
            }
            Ok(())
        })();
        self.succeeded(cleared);
    }
}
