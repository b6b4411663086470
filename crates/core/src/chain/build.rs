//! A running build: what its stages share, what they pass on, and how it ends.

use std::cell::Cell;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::Chain;
use super::config::{ProgramRule, Repository};
use super::growth::Library;
use super::log::BuildLog;
use super::store::{BuildRow, StageName, StoreError, Verdict};

/// What is to be trained.
#[derive(Debug, Clone)]
pub(super) enum Target {
    /// A burgeon study.
    Study {
        /// Its path in the checkout.
        file: PathBuf,
        /// The rule that names its container; without one, it trains as a process on this machine.
        rule: Option<Box<ProgramRule>>,
    },
    /// A program of another library.
    Program {
        /// The program and its arguments.
        command: Vec<String>,
        /// The rule that says how it is started.
        rule: Box<ProgramRule>,
        /// Path of the file that is run, in the checkout.
        entry: PathBuf,
        /// The library that a grown network can be exported for; `None` if burgeon cannot export for it.
        library: Option<Library>,
    },
}

/// The result of training.
#[derive(Debug, Clone)]
pub(super) struct Trained {
    /// The accuracy on held-out data, 0..=1.
    pub(super) accuracy: Option<f64>,
    /// The accuracy that the gate requires.
    pub(super) threshold: Option<f64>,
    /// Whether the gate was passed.
    pub(super) passed: bool,
    /// The files to publish if the gate was passed.
    pub(super) model: Vec<ModelPart>,
    /// The result as a sentence.
    pub(super) sentence: String,
}

/// A file or folder of a model.
#[derive(Debug, Clone)]
pub(super) struct ModelPart {
    /// The name that it is published under; empty for a folder whose content is published.
    pub(super) name: String,
    /// The folder that the training wrote to.
    pub(super) folder: PathBuf,
    /// Its path in that folder.
    pub(super) path: PathBuf,
}

/// Why a build stops here.
#[derive(Debug)]
pub(super) enum End {
    /// It has its verdict.
    Verdict(Verdict, String),
    /// The service is stopping; the build resumes when the service is restarted.
    Interrupted,
    /// Its state cannot be written.
    Store(StoreError),
}

impl From<StoreError> for End {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// A running build, with what its stages need.
pub(super) struct Build<'a> {
    pub(super) chain: &'a Chain,
    pub(super) repository: &'a Repository,
    pub(super) row: BuildRow,
    pub(super) log: BuildLog,
    pub(super) stop: Stop<'a>,
    /// The current stage.
    pub(super) at: StageName,
}

/// Whether a build should stop. Cheap to check: the database is only read at intervals.
pub(super) struct Stop<'a> {
    chain: &'a Chain,
    build: i64,
    asked: Cell<(Instant, bool)>,
}

/// How often the database is checked for requests to stop a build.
const CHECK_INTERVAL: Duration = Duration::from_millis(500);

impl Build<'_> {
    /// The end of a build that failed.
    pub(super) fn failed(&self, why: impl Into<String>) -> End {
        End::Verdict(Verdict::Failed, why.into())
    }

    /// Adds a line to the log in the name of the current stage.
    pub(super) fn say(&mut self, line: &str) {
        self.log.say(self.at, line);
    }

    /// The file that names the process of the current stage, so that the service finds it after a crash.
    pub(super) fn process_file(&self) -> PathBuf {
        self.chain.places.build(self.row.id).join("process.json")
    }
}

impl<'a> Stop<'a> {
    /// For a build that is about to run.
    pub(super) fn new(chain: &'a Chain, build: &BuildRow) -> Self {
        Self { chain, build: build.id, asked: Cell::new((Instant::now(), build.stop_asked)) }
    }

    /// Whether the service is stopping, or a user cancelled this build.
    pub(super) fn is_asked(&self) -> bool {
        if self.chain.is_stopping() {
            return true;
        }
        let (at, asked) = self.asked.get();
        if asked || at.elapsed() < CHECK_INTERVAL {
            return asked;
        }
        let row = self.chain.store.build(self.build);
        let asked = matches!(row, Ok(Some(row)) if row.stop_asked);
        self.asked.set((Instant::now(), asked));
        asked
    }

    /// The end of a build that was stopped.
    pub(super) fn end(&self) -> End {
        match self.asked.get() {
            (_, false) if self.chain.is_stopping() => End::Interrupted,
            _ => End::Verdict(Verdict::Cancelled, "cancelled".into()),
        }
    }
}
