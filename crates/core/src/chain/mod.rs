//! Builds of pushed repositories: pull, detect, train, judge, publish and notify, in a durable queue.
//!
//! ```text
//! webhook, poll, or by hand ─ Store   queued, on disk
//!      └ work    one build of a repository at a time: stage by stage, each recorded before it begins
//!      │    └ pull ─ detect ─ train ─ judge ─ (grow ─ check) ─ publish
//!      ├ notifications  messages about every verdict, through the build's outbox; commit statuses
//!      ├ poll           pushes that no webhook announced
//!      ├ retrain        registries whose model is retrained
//!      └ clear          removes files of old builds
//! health   whether all of these work
//! ```
//!
//! Invariant: every state is on disk before it is acted on, and every stage can be restarted, so that the service
//! may be killed at any moment.
//!
//! Invariant: the content of a repository affects its own build and nothing else.

mod branch;
mod build;
mod clear;
mod config;
mod contained;
mod detect_stage;
#[cfg(test)]
mod failed_builds_tests;
mod git;
#[cfg(test)]
mod git_tests;
mod grow;
mod growth;
mod health;
mod log;
mod notifications;
mod output;
mod places;
mod poll;
mod process;
mod program;
mod program_data;
mod publish;
mod retrain;
mod score;
mod stages;
mod status;
#[cfg(test)]
mod status_tests;
mod store;
mod study;
mod submodules;
mod training;
mod tree;
mod url;
mod work;

use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

pub use branch::{is_branch, is_commit};
pub use config::{Config, ConfigError, Network, Repository, Retrain, Tls};
pub use git::version as git_version;
pub use growth::Growth;
pub use health::{Health, Malfunction, Part, Trouble};
pub use places::Places;
pub use store::{
    BuildRequest, BuildRow, BuildState, Cause, Delivery, DeliveryOutcome, Measured, NewDelivery,
    Queued, Recorded, StageName, StageRow, StageState, Store, StoreError, Verdict,
};
pub use work::WorkError;

/// The service's work, shared by its threads.
#[derive(Debug)]
pub struct Chain {
    /// The configuration.
    pub config: Arc<Config>,
    /// The database of builds.
    pub store: Arc<Store>,
    /// The paths of its files.
    pub places: Places,
    /// The path of the burgeon executable, which trains studies.
    pub burgeon: PathBuf,
    /// The health of its threads.
    pub health: Arc<Health>,
    wakeup: Wakeup,
}

impl Chain {
    /// Opens the database; no work begins before [`Chain::work`].
    ///
    /// # Errors
    ///
    /// If the database cannot be opened.
    pub fn open(config: Config, burgeon: PathBuf) -> Result<Self, StoreError> {
        let places = Places::new(&config.folder);
        let store = Store::open(&places.database())?;
        Ok(Self {
            config: Arc::new(config),
            store: Arc::new(store),
            places,
            burgeon,
            health: Arc::default(),
            wakeup: Wakeup::default(),
        })
    }

    /// Wakes the threads, as there may be something to do.
    pub fn wake(&self) {
        self.wakeup.send(|_| {});
    }

    /// Asks all threads to end. Running builds are stopped, and resume when the service is restarted.
    pub fn stop(&self) {
        self.wakeup.send(|state| state.is_stopping = true);
    }

    fn is_stopping(&self) -> bool {
        self.wakeup.state().is_stopping
    }

    /// Waits for a time; returns whether all threads are asked to end.
    fn is_stopped_within(&self, longest: Duration) -> bool {
        let is_on = |state: &mut WakeupState| !state.is_stopping;
        let waited = self.wakeup.condition.wait_timeout_while(self.wakeup.state(), longest, is_on);
        waited.unwrap_or_else(PoisonError::into_inner).0.is_stopping
    }

    /// Waits until there may be something to do, or for a time. `seen` is what the last wait of this thread returned.
    fn wait(&self, seen: u64, longest: Duration) -> u64 {
        let state = self.wakeup.state();
        let is_idle = |state: &mut WakeupState| state.count == seen && !state.is_stopping;
        let waited = self.wakeup.condition.wait_timeout_while(state, longest, is_idle);
        waited.unwrap_or_else(PoisonError::into_inner).0.count
    }
}

/// Wakes threads that wait for something to do.
#[derive(Debug, Default)]
struct Wakeup {
    state: Mutex<WakeupState>,
    condition: Condvar,
}

#[derive(Debug, Default)]
struct WakeupState {
    /// Wake-ups sent so far.
    count: u64,
    is_stopping: bool,
}

impl Wakeup {
    fn state(&self) -> MutexGuard<'_, WakeupState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn send(&self, change: impl FnOnce(&mut WakeupState)) {
        let mut state = self.state();
        state.count = state.count.wrapping_add(1);
        change(&mut state);
        drop(state);
        self.condition.notify_all();
    }
}
