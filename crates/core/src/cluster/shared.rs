//! The jobs of a study and their shared state.

// In a circle with task_runner: a task is run on the cluster that it was given to.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::attempts::Attempts;
use super::client::SchedulerClient;
use super::decide::Limits;
use super::nodes::Nodes;
use super::request::{OnUpdate, TaskEnd, TaskError, TaskRequest};
use super::snapshot::Snapshot;
use super::submit::Program;
use super::task_runner::TaskRunner;
use crate::spec::RunSpec;
use crate::sys::fence::Fence;
use crate::sys::files::Files;

/// How often the files of a task are checked: this, or less if there are many tasks, so that all together check about 70
/// times a second.
pub(super) const LOOK: Duration = Duration::from_millis(250);
const LOOK_MAX: Duration = Duration::from_secs(10);
const LOOK_FOR_EACH: Duration = Duration::from_millis(15);

/// The jobs of a study and their shared state.
pub(crate) struct Cluster {
    pub(super) scheduler: SchedulerClient,
    nodes: Mutex<Nodes>,
    pub(super) snapshot: Snapshot,
    pub(super) files: Arc<dyn Files>,
    /// Permission to write to the run folder; a process of the study that was replaced submits and accepts nothing.
    pub(super) fence: Fence,
    pub(super) run: PathBuf,
    pub(super) program: Program,
    pub(super) limits: Limits,
    /// How many tasks are in progress.
    busy: AtomicUsize,
}

impl Cluster {
    pub(crate) fn new(
        run: &RunSpec,
        scheduler: SchedulerClient,
        nodes: Nodes,
        program: Program,
        (files, fence): (&Arc<dyn Files>, Fence),
        folder: &Path,
    ) -> Self {
        Self {
            scheduler,
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

    /// Runs a task in jobs, and waits for its result. Jobs that an earlier process submitted are found again; a result
    /// that was accepted before is returned again.
    ///
    /// # Errors
    ///
    /// If the trial fails by itself, or its jobs fail more often than `[run]` allows.
    pub(crate) fn run(
        &self,
        request: &TaskRequest,
        on_update: &mut OnUpdate,
    ) -> Result<TaskEnd, TaskError> {
        let attempts = Attempts::in_folder(&self.files, request.folder);
        self.busy.fetch_add(1, Ordering::Relaxed);
        let mut runner = TaskRunner::new(self, request, attempts, on_update);
        let taken = runner.run();
        runner.stop_watching();
        self.busy.fetch_sub(1, Ordering::Relaxed);
        self.snapshot.remove(request.trial, &request.part.to_string());
        taken
    }

    pub(super) fn nodes(&self) -> MutexGuard<'_, Nodes> {
        self.nodes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How long to wait between two checks of the files of a task.
    pub(super) fn pace(&self) -> Duration {
        let busy = self.busy.load(Ordering::Relaxed) as u32;
        (LOOK_FOR_EACH * busy).clamp(LOOK, LOOK_MAX)
    }
}
