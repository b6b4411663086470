//! Whether the threads of the service do their work.
//!
//! Each gives signs of life while it works, and says when it cannot. One that gives none for too long is stuck.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde::Serialize;

/// A thread that gives no sign of life for so long is stuck. What it waits for is bounded by less, or gives signs
/// meanwhile.
const SILENCE_MAX: Duration = Duration::from_secs(40);
/// The same for one that looks through all files of many builds.
const CLEARING_MAX: Duration = Duration::from_secs(15 * 60);

/// A thread that works until the service ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Part {
    /// Starts builds.
    Builds,
    /// Sends messages and the states of commits.
    Messages,
    /// Looks branches up.
    Poll,
    /// Clears the files of old builds away.
    Clearing,
    /// Trains models of registries again.
    Retraining,
}

/// What is wrong with a thread.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ailment {
    /// It gives no sign of life.
    Stuck,
    /// It ended, though nobody asked it to; it is started again.
    Dead,
    /// It runs, and cannot do its work.
    Failing,
}

/// A thread that does not do its work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Trouble {
    /// Which.
    pub part: Part,
    /// What is wrong with it.
    pub ailment: Ailment,
    /// For how long.
    pub seconds: u64,
    /// Why, if that is known. It may name files, and is for those who may see everything.
    #[serde(skip)]
    pub why: String,
}

/// How the threads are. Nothing is known of those that have not begun.
#[derive(Debug, Default)]
pub struct Health(Mutex<BTreeMap<Part, Standing>>);

#[derive(Debug)]
struct Standing {
    seen: Instant,
    ill: Option<(Ailment, Instant, String)>,
}

impl Part {
    /// What it is, as the subject of a sentence.
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

impl Ailment {
    fn word(self) -> &'static str {
        match self {
            Self::Stuck => "stuck",
            Self::Dead => "dead",
            Self::Failing => "failing",
        }
    }
}

impl Trouble {
    /// In a line without reasons: `poll: stuck for 61 s`.
    pub fn line(&self) -> String {
        let Self { part, ailment, seconds, .. } = self;
        format!("{}: {} for {seconds} s\n", part.word(), ailment.word())
    }

    /// In a sentence.
    pub fn sentence(&self) -> String {
        let Self { part, ailment, seconds, why } = self;
        let (part, why) = (part.sentence(), if why.is_empty() { "an internal error" } else { why });
        match ailment {
            Ailment::Stuck => format!("{part} has given no sign of life for {seconds} s."),
            Ailment::Dead => format!("{part} died {seconds} s ago and is being restarted: {why}."),
            Ailment::Failing => format!("{part} has been failing for {seconds} s: {why}."),
        }
    }
}

impl Health {
    /// A sign of life.
    pub fn alive(&self, part: Part) {
        let now = Instant::now();
        let new = || Standing { seen: now, ill: None };
        self.lock().entry(part).or_insert_with(new).seen = now;
    }

    /// A thread has done all that there was to do.
    pub fn well(&self, part: Part) {
        self.lock().insert(part, Standing { seen: Instant::now(), ill: None });
    }

    /// A thread cannot do its work, or has ended. What it was ill of before counts from when it began.
    pub fn ill(&self, part: Part, ailment: Ailment, why: &str) {
        let now = Instant::now();
        let mut parts = self.lock();
        let standing = parts.entry(part).or_insert(Standing { seen: now, ill: None });
        let since = match &standing.ill {
            Some((before, since, _)) if *before == ailment => *since,
            _ => now,
        };
        *standing = Standing { seen: now, ill: Some((ailment, since, why.to_owned())) };
    }

    /// Whether a thread has given a sign of life, for tests.
    #[cfg(test)]
    pub fn knows(&self, part: Part) -> bool {
        self.lock().contains_key(&part)
    }

    /// What is wrong now.
    pub fn troubles(&self, now: Instant) -> Vec<Trouble> {
        let parts = self.lock();
        let troubles = parts.iter().filter_map(|(part, standing)| {
            let silent = now.saturating_duration_since(standing.seen);
            let (ailment, lasts, why) = match &standing.ill {
                _ if silent > part.silence_max() => (Ailment::Stuck, silent, ""),
                Some((ailment, since, why)) => {
                    (*ailment, now.saturating_duration_since(*since), why.as_str())
                }
                None => return None,
            };
            let why = why.to_owned();
            Some(Trouble { part: *part, ailment, seconds: lasts.as_secs(), why })
        });
        troubles.collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Part, Standing>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
