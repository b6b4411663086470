//! The threads of the service: builds, messages, polling of branches, removal of old files.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::health::{Malfunction, Part};
use super::store::{BuildRow, BuildState, StoreError, Verdict};
use super::{Chain, clear, notifications, poll, retrain, stages};
use crate::sys::error_chain;
use crate::sys::files::real_files;
use crate::sys::lock::{LockError, LockRequest, RunLock};
use crate::sys::turn::Turn;

/// How often to check for work that was not announced, such as from `burgeon chain` in another process.
const CHECK_INTERVAL: Duration = Duration::from_secs(1);
/// How long a thread that failed waits before it is restarted: at first, and at most.
const PAUSE_MIN: Duration = Duration::from_secs(1);
const PAUSE_MAX: Duration = Duration::from_secs(30);

/// Why the service cannot work.
#[derive(Debug, thiserror::Error)]
pub enum WorkError {
    /// The record cannot be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Another service uses this folder.
    #[error("another service is using this folder")]
    Locked(#[from] LockError),
    /// A test requested an unknown fault.
    #[error(transparent)]
    Fault(#[from] crate::sys::faults::FaultError),
    /// The files that count running builds cannot be used.
    #[error("cannot count the running builds")]
    Turn(#[source] std::io::Error),
    /// A thread cannot be started.
    #[error("cannot start a thread")]
    Thread(#[source] std::io::Error),
}

impl Chain {
    /// Works until it is asked to stop, beginning with builds that an earlier service left unfinished.
    ///
    /// # Errors
    ///
    /// If another service uses the same folder. An error of a build ends only that build; other errors are shown by
    /// [`Health`](super::Health) until they are resolved.
    pub fn work(self: &Arc<Self>) -> Result<(), WorkError> {
        let _lock = RunLock::acquire(
            &real_files()?,
            &self.config.folder,
            &LockRequest::new("burgeon serve"),
        )?;
        type Work = fn(&Chain) -> Result<(), StoreError>;
        let mut helpers: Vec<(&str, Part, Work)> = vec![
            ("notify", Part::Messages, notifications::work),
            ("poll", Part::Poll, poll::work),
            ("clear", Part::Clearing, clear::work),
        ];
        if !self.config.retrain.is_empty() {
            helpers.push(("retrain", Part::Retraining, retrain::work));
        }
        let helpers: Vec<JoinHandle<()>> = helpers
            .into_iter()
            .map(|(name, part, work)| {
                let chain = Arc::clone(self);
                thread::Builder::new()
                    .name(name.into())
                    .spawn(move || chain.keep_at(part, || Ok(work(&chain)?)))
                    .map_err(WorkError::Thread)
            })
            .collect::<Result<_, _>>()?;
        // Kept here, so that no build is started twice if the thread that starts them is restarted.
        let mut running = BTreeMap::new();
        self.keep_at(Part::Builds, || self.build_all(&mut running));
        for thread in running.into_values().chain(helpers) {
            let _ = thread.join();
        }
        Ok(())
    }

    /// Works until the service stops. Errors, such as a full disk, are shown, and the work is restarted after a pause, so
    /// that neither running builds nor waiting messages are lost.
    fn keep_at(&self, part: Part, mut work: impl FnMut() -> Result<(), WorkError>) {
        let mut pause = PAUSE_MIN;
        loop {
            let began = Instant::now();
            let (malfunction, why) = match catch_unwind(AssertUnwindSafe(&mut work)) {
                Ok(Ok(())) => return,
                Ok(Err(error)) => (Malfunction::Failing, error_chain(&error)),
                // What it said went to the log.
                Err(_) => (Malfunction::Dead, String::new()),
            };
            tracing::error!(?part, ailment = ?malfunction, why, "restarting a thread of the service");
            self.health.report_malfunction(part, malfunction, &why);
            if began.elapsed() > PAUSE_MAX {
                pause = PAUSE_MIN;
            }
            if self.is_stopped_within(pause) {
                return;
            }
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }

    fn build_all(
        self: &Arc<Self>,
        running: &mut BTreeMap<i64, JoinHandle<()>>,
    ) -> Result<(), WorkError> {
        let mut seen = 0;
        while !self.is_stopping() {
            self.health.report_alive(Part::Builds);
            running.retain(|_, thread| !thread.is_finished());
            let unfinished = self.store.in_state(BuildState::Running)?;
            let queued = self.store.startable()?;
            for row in unfinished.into_iter().chain(queued) {
                if running.len() < self.config.max && !running.contains_key(&row.id) {
                    let turn = Turn::take(&self.places.turns(), self.config.max);
                    let Some(turn) = turn.map_err(WorkError::Turn)? else { break };
                    let id = row.id;
                    running.extend(self.spawn(row, turn)?.map(|thread| (id, thread)));
                }
            }
            self.health.report_success(Part::Builds);
            seen = self.wait(seen, CHECK_INTERVAL);
        }
        Ok(())
    }

    /// Starts the thread of a build, unless the build was cancelled or superseded since its row was read.
    fn spawn(
        self: &Arc<Self>,
        row: BuildRow,
        turn: Turn,
    ) -> Result<Option<JoinHandle<()>>, WorkError> {
        // On record before its thread runs, so that it is not taken twice.
        if !self.store.start(row.id)? {
            return Ok(None);
        }
        tracing::info!(build = row.id, repository = row.repository, "build starts");
        let chain = Arc::clone(self);
        let work = move || {
            let id = row.id;
            let result = catch_unwind(AssertUnwindSafe(|| stages::run(&chain, row)));
            let error = match result {
                Ok(Ok(())) => None,
                Ok(Err(error)) => Some(error_chain(&error)),
                Err(_) => Some("an internal error".into()),
            };
            if let Some(error) = error {
                tracing::error!(build = id, error, "build failed");
                // If not even that can be written, the build is still running on record, and begins again.
                let _ = chain.store.end(id, Verdict::Failed, &error);
            }
            drop(turn);
            chain.wake();
        };
        let thread = thread::Builder::new().name("build".into());
        thread.spawn(work).map(Some).map_err(WorkError::Thread)
    }
}

#[cfg(test)]
mod tests;
