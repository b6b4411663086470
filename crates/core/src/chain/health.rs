//! The health of the threads of the service.
//!
//! Each thread reports regularly that it is alive, and reports errors. One that has not reported for too long is stuck.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde::Serialize;

/// A thread that does not report for this long is stuck. Whatever a thread waits for takes less, or reports meanwhile.
const SILENCE_MAX: Duration = Duration::from_secs(40);
/// The same for the thread that goes through all files of many builds.
const CLEARING_MAX: Duration = Duration::from_secs(15 * 60);

/// A thread that works until the service stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Part {
    /// Starts builds.
    Builds,
    /// Sends messages and posts commit statuses.
    Messages,
    /// Polls branches.
    Poll,
    /// Removes the files of old builds.
    Clearing,
    /// Retrains models of registries.
    Retraining,
}

/// What is wrong with a thread.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Malfunction {
    /// It has stopped reporting.
    Stuck,
    /// It ended unexpectedly, and is restarted.
    Dead,
    /// It runs, but fails to do its work.
    Failing,
}

/// A thread that does not work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Trouble {
    /// The thread.
    pub part: Part,
    /// What is wrong with it.
    #[serde(rename = "ailment")]
    pub malfunction: Malfunction,
    /// For how long.
    pub seconds: u64,
    /// Why, if that is known. It may name files, and is shown only to users who may see everything.
    #[serde(skip)]
    pub why: String,
}

/// The state of the threads. Nothing is known of those that have not started.
#[derive(Debug, Default)]
pub struct Health {
    parts: Mutex<BTreeMap<Part, ThreadState>>,
    /// Why the branches of these repositories cannot be polled.
    branches: Mutex<BTreeMap<String, String>>,
}

#[derive(Debug)]
struct ThreadState {
    last_report: Instant,
    malfunction: Option<(Malfunction, Instant, String)>,
}

impl Part {
    /// The subject of a sentence about it.
    fn sentence(self) -> &'static str {
        match self {
            Self::Builds => "The thread that starts builds",
            Self::Messages => "The thread that sends messages and commit statuses",
            Self::Poll => "The thread that polls branches",
            Self::Clearing => "The thread that removes the files of old builds",
            Self::Retraining => "The thread that retrains",
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Builds => "builds",
            Self::Messages => "messages",
            Self::Poll => "poll",
            Self::Clearing => "clearing",
            Self::Retraining => "retraining",
        }
    }

    fn silence_max(self) -> Duration {
        match self {
            Self::Clearing => CLEARING_MAX,
            _ => SILENCE_MAX,
        }
    }
}

impl Malfunction {
    fn word(self) -> &'static str {
        match self {
            Self::Stuck => "stuck",
            Self::Dead => "dead",
            Self::Failing => "failing",
        }
    }
}

impl Trouble {
    /// A line without the reason: `poll: stuck for 61 s`.
    pub fn line(&self) -> String {
        let Self { part, malfunction, seconds, .. } = self;
        format!("{}: {} for {seconds} s\n", part.word(), malfunction.word())
    }

    /// A sentence with the reason.
    pub fn sentence(&self) -> String {
        let Self { part, malfunction, seconds, why } = self;
        let (part, why) = (part.sentence(), if why.is_empty() { "an internal error" } else { why });
        match malfunction {
            Malfunction::Stuck => format!("{part} has not responded for {seconds} s."),
            Malfunction::Dead => {
                format!("{part} died {seconds} s ago and is being restarted: {why}.")
            }
            Malfunction::Failing => format!("{part} has been failing for {seconds} s: {why}."),
        }
    }
}

impl Health {
    /// A thread reports that it is alive.
    pub fn report_alive(&self, part: Part) {
        let now = Instant::now();
        let new = || ThreadState { last_report: now, malfunction: None };
        self.lock().entry(part).or_insert_with(new).last_report = now;
    }

    /// A thread has done all its work.
    pub fn report_success(&self, part: Part) {
        self.lock().insert(part, ThreadState { last_report: Instant::now(), malfunction: None });
    }

    /// A thread cannot do its work, or has ended. The time counts from the first of these reports in a row.
    pub fn report_malfunction(&self, part: Part, malfunction: Malfunction, why: &str) {
        let now = Instant::now();
        let mut parts = self.lock();
        let state =
            parts.entry(part).or_insert(ThreadState { last_report: now, malfunction: None });
        let since = match &state.malfunction {
            Some((before, since, _)) if *before == malfunction => *since,
            _ => now,
        };
        *state = ThreadState {
            last_report: now,
            malfunction: Some((malfunction, since, why.to_owned())),
        };
    }

    /// The branch of a repository was polled, or cannot be, for this reason.
    pub fn report_branch(&self, repository: &str, failure: Option<String>) {
        let mut branches = self.branches.lock().unwrap_or_else(PoisonError::into_inner);
        match failure {
            Some(why) => branches.insert(repository.to_owned(), why),
            None => branches.remove(repository),
        };
    }

    /// Why the branch of a repository cannot be polled.
    pub fn branch_failure(&self, repository: &str) -> Option<String> {
        let branches = self.branches.lock().unwrap_or_else(PoisonError::into_inner);
        branches.get(repository).cloned()
    }

    /// Whether a thread has reported, for tests.
    #[cfg(test)]
    pub fn knows(&self, part: Part) -> bool {
        self.lock().contains_key(&part)
    }

    /// What is wrong now.
    pub fn troubles(&self, now: Instant) -> Vec<Trouble> {
        let parts = self.lock();
        let troubles = parts.iter().filter_map(|(part, state)| {
            let silent = now.saturating_duration_since(state.last_report);
            let (malfunction, lasts, why) = match &state.malfunction {
                _ if silent > part.silence_max() => (Malfunction::Stuck, silent, ""),
                Some((malfunction, since, why)) => {
                    (*malfunction, now.saturating_duration_since(*since), why.as_str())
                }
                None => return None,
            };
            let why = why.to_owned();
            Some(Trouble { part: *part, malfunction, seconds: lasts.as_secs(), why })
        });
        troubles.collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Part, ThreadState>> {
        self.parts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
