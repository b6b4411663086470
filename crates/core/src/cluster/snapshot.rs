//! The current jobs of a study, for users who watch it: `cluster.json` in the run folder, written only by the study's
//! process.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::sys::files::Files;

/// Its name in the run folder.
pub(crate) const SNAPSHOT_FILE: &str = "cluster.json";
const LIMIT_BYTES: u64 = 16 << 20;
/// The shortest time between two writes, except for the end of a job.
const EVERY: Duration = Duration::from_secs(1);

/// The current state of a job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct JobLine {
    pub(crate) trial: u32,
    /// The part of the trial's work: `train`, `fold-2`, `rates`.
    pub(crate) part: String,
    pub(crate) submission: u32,
    /// The newest attempt of the submission, if one has begun.
    pub(crate) attempt: Option<u32>,
    pub(crate) job: Option<String>,
    /// `pending`, `running` and so on; `unknown` while the scheduler cannot be asked.
    pub(crate) state: String,
    pub(crate) node: Option<String>,
    /// Why it waits, in the scheduler's words.
    pub(crate) reason: Option<String>,
    /// Seconds from its submission to its first attempt, or until now.
    pub(crate) queue_seconds: f64,
    /// Seconds since its newest attempt began.
    pub(crate) seconds: f64,
}

/// Writes the file.
pub(crate) struct Snapshot {
    files: Arc<dyn Files>,
    path: PathBuf,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    lines: BTreeMap<(u32, String), JobLine>,
    written: Option<Instant>,
}

impl Snapshot {
    pub(super) fn new(files: &Arc<dyn Files>, run: &Path) -> Self {
        Self { files: Arc::clone(files), path: run.join(SNAPSHOT_FILE), state: Mutex::default() }
    }

    pub(super) fn show(&self, line: JobLine) {
        self.change(|lines| {
            let key = (line.trial, line.part.clone());
            let state = line.state.clone();
            lines.insert(key, line).is_none_or(|before| before.state != state)
        });
    }

    pub(super) fn remove(&self, trial: u32, part: &str) {
        self.change(|lines| lines.remove(&(trial, part.to_owned())).is_some());
    }

    /// Changes the lines; `change` returns whether the file must be written at once.
    fn change(&self, change: impl FnOnce(&mut BTreeMap<(u32, String), JobLine>) -> bool) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let is_urgent = change(&mut state.lines);
        if !is_urgent && state.written.is_some_and(|written| written.elapsed() < EVERY) {
            return;
        }
        let lines: Vec<&JobLine> = state.lines.values().collect();
        let bytes = serde_json::to_vec(&lines).unwrap_or_default();
        // The file is only informative; a full disk ends the study elsewhere.
        let _ = self.files.write_atomically(&self.path, &bytes);
        state.written = Some(Instant::now());
    }
}

/// The jobs of a run, as they were last written; none if they never were.
pub(crate) fn read_snapshot(files: &dyn Files, run: &Path) -> Vec<JobLine> {
    parse_snapshot(&files.read(&run.join(SNAPSHOT_FILE), LIMIT_BYTES).unwrap_or_default())
}

/// The jobs in the content of the file; none if it is damaged.
pub(crate) fn parse_snapshot(bytes: &[u8]) -> Vec<JobLine> {
    serde_json::from_slice(bytes).unwrap_or_default()
}
