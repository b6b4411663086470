//! A build that runs: what its stages share, what they hand on, and how it ends.

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
    /// A study of burgeon.
    Study {
        /// Its file within the checkout.
        file: PathBuf,
        /// The rule that says in which container; a process of this machine without one.
        rule: Option<Box<ProgramRule>>,
    },
    /// A program of another library: what it is started with, and the rule that says how.
    Program {
        /// The program and its arguments.
        command: Vec<String>,
        /// The rule.
        rule: Box<ProgramRule>,
        /// The file that is run, within the checkout.
        entry: PathBuf,
        /// The library that its network can be written back for, if it is such a one.
        library: Option<Library>,
    },
}

/// What training came to.
#[derive(Debug, Clone)]
pub(super) struct Trained {
    /// The accuracy on held-out data, 0..=1.
    pub(super) accuracy: Option<f64>,
    /// What the gate demands.
    pub(super) threshold: Option<f64>,
    /// Whether the gate is passed.
    pub(super) passed: bool,
    /// What is published if it is.
    pub(super) model: Vec<ModelPart>,
    /// In a sentence.
    pub(super) sentence: String,
}

/// A file or folder of a model.
#[derive(Debug, Clone)]
pub(super) struct ModelPart {
    /// The name that it is published under; empty for a folder whose content is published.
    pub(super) name: String,
    /// The folder in which the training wrote.
    pub(super) folder: PathBuf,
    /// Its path in that folder.
    pub(super) path: PathBuf,
}

/// Why a build does not go on.
#[derive(Debug)]
pub(super) enum End {
    /// It has its verdict.
    Verdict(Verdict, String),
    /// The service ends, and goes on with it when it is started again.
    Interrupted,
    /// Its state cannot be written.
    Store(StoreError),
}

impl From<StoreError> for End {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// A build that runs, with what its stages need.
pub(super) struct Build<'a> {
    pub(super) chain: &'a Chain,
    pub(super) repository: &'a Repository,
    pub(super) row: BuildRow,
    pub(super) log: BuildLog,
    pub(super) stop: Stop<'a>,
    /// The stage that runs.
    pub(super) at: StageName,
}

/// Whether a build is to stop. Cheap to ask: the record is read now and then only.
pub(super) struct Stop<'a> {
    chain: &'a Chain,
    build: i64,
    asked: Cell<(Instant, bool)>,
}

/// How often the record is asked whether somebody wants a build to stop.
const CHECK_INTERVAL: Duration = Duration::from_millis(500);

impl Build<'_> {
    /// How a build ends in which something went wrong.
    pub(super) fn failed(&self, why: impl Into<String>) -> End {
        End::Verdict(Verdict::Failed, why.into())
    }

    /// Adds a line to the log, as one of the stage that runs.
    pub(super) fn say(&mut self, line: &str) {
        self.log.say(self.at, line);
    }

    /// The file that names the process of the current stage, for a service that is started after a crash.
    pub(super) fn process_file(&self) -> PathBuf {
        self.chain.places.build(self.row.id).join("process.json")
    }
}

impl<'a> Stop<'a> {
    /// For a build that is about to run.
    pub(super) fn new(chain: &'a Chain, build: &BuildRow) -> Self {
        Self { chain, build: build.id, asked: Cell::new((Instant::now(), build.stop_asked)) }
    }

    /// Whether the service ends, or somebody wants this build to stop.
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

    /// How a build ends that was stopped.
    pub(super) fn end(&self) -> End {
        match self.asked.get() {
            (_, false) if self.chain.is_stopping() => End::Interrupted,
            _ => End::Verdict(Verdict::Cancelled, "cancelled".into()),
        }
    }
}
