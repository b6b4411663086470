//! The jobs of a study, and what they share.

// In a circle with course: a piece of work is done on the cluster that it was given to.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::attempts::Attempts;
use super::board::Board;
use super::course::Course;
use super::decide::Limits;
use super::nodes::Nodes;
use super::snapshot::Snapshot;
use super::submit::Program;
use super::work::{Taken, Tell, Work, WorkError};
use crate::spec::RunSpec;
use crate::sys::fence::Fence;
use crate::sys::files::Files;

/// How often the files of a piece of work are looked at: this, or longer if there are many pieces, so that all together
/// look about 70 times a second.
pub(super) const LOOK: Duration = Duration::from_millis(250);
const LOOK_MAX: Duration = Duration::from_secs(10);
const LOOK_FOR_EACH: Duration = Duration::from_millis(15);

/// The jobs of a study, and what they share.
pub(crate) struct Cluster {
    pub(super) board: Board,
    nodes: Mutex<Nodes>,
    pub(super) snapshot: Snapshot,
    pub(super) files: Arc<dyn Files>,
    /// Permission to write into the run folder; a study's process that was replaced submits and accepts nothing.
    pub(super) fence: Fence,
    pub(super) run: PathBuf,
    pub(super) program: Program,
    pub(super) limits: Limits,
    /// How many pieces of work are under way.
    busy: AtomicUsize,
}

impl Cluster {
    pub(crate) fn new(
        run: &RunSpec,
        board: Board,
        nodes: Nodes,
        program: Program,
        (files, fence): (&Arc<dyn Files>, Fence),
        folder: &Path,
    ) -> Self {
        Self {
            board,
            nodes: Mutex::new(nodes),
            snapshot: Snapshot::new(files, folder),
            files: Arc::clone(files),
            fence,
            run: folder.into(),
            program,
            limits: Limits::of(run),
            busy: AtomicUsize::new(0),
        }
    }

    /// Has a piece of work done, and waits for its result. What an earlier process had submitted is found again; a result
    /// that was taken before is returned again.
    ///
    /// # Errors
    ///
    /// If the trial fails by itself, or more often than `[run]` allows.
    pub(crate) fn work(&self, work: &Work, tell: &mut Tell) -> Result<Taken, WorkError> {
        let attempts = Attempts::in_folder(&self.files, work.folder);
        self.busy.fetch_add(1, Ordering::Relaxed);
        let mut course = Course::new(self, work, attempts, tell);
        let taken = course.run();
        course.leave();
        self.busy.fetch_sub(1, Ordering::Relaxed);
        self.snapshot.remove(work.trial, &work.part.to_string());
        taken
    }

    pub(super) fn nodes(&self) -> MutexGuard<'_, Nodes> {
        self.nodes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How long to wait between two looks at the files of one piece of work.
    pub(super) fn pace(&self) -> Duration {
        let busy = self.busy.load(Ordering::Relaxed) as u32;
        (LOOK_FOR_EACH * busy).clamp(LOOK, LOOK_MAX)
    }
}
