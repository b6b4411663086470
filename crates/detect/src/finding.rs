//! What a look at a checkout found, as it is told.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::meaning::{Datum, Family, Framework};

/// What a checkout holds.
#[derive(Debug, Clone, Serialize)]
pub struct Detection {
    /// The most probable first.
    pub findings: Vec<Finding>,
    /// Files that describe what programs need.
    pub environment: Vec<Environment>,
    /// What was noticed and is no finding, such as a study with an error in it.
    pub notes: Vec<Note>,
    /// What was looked at, and what was not.
    pub looked_at: LookedAt,
}

/// Something that can be trained.
#[derive(Debug, Clone, Serialize)]
pub struct Finding {
    /// How it is written.
    pub kind: Kind,
    /// The language of the program.
    pub language: Language,
    /// The library that trains it.
    pub framework: Framework,
    /// Libraries that it calls.
    pub libraries: Vec<String>,
    /// The kind of model; `None` where the program does not say it.
    pub family: Option<Family>,
    /// All kinds of layers and models that it makes.
    pub families: Vec<Family>,
    /// Whether a training was seen, rather than the making of a model alone.
    pub trains: bool,
    /// Whether it is more than a test or a copy of somebody else's code.
    pub is_own: bool,
    /// How sure this is.
    pub confidence: Confidence,
    /// Why, in one sentence.
    pub reason: String,
    /// What to run.
    pub entry: Entry,
    /// Other files that could be run and hold the same kind of thing.
    pub others: Vec<String>,
    /// The data that it names.
    pub data: Vec<DataNamed>,
    /// Whether it wants a GPU.
    pub gpu: Gpu,
    /// Where that can be seen.
    pub gpu_evidence: Option<Evidence>,
    /// Where all this can be seen.
    pub evidence: Vec<Evidence>,
    /// Of a burgeon study: what it says of itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub study: Option<StudyFound>,
    /// The order of the findings.
    #[serde(skip)]
    pub score: i64,
}

/// What a burgeon study says of itself.
#[derive(Debug, Clone, Serialize)]
pub struct StudyFound {
    /// Its name.
    pub name: String,
    /// The source of its images.
    pub source: String,
    /// The folder or file of its images.
    pub path: Option<String>,
    /// What it computes on: a study leaves that to whoever runs it.
    pub device: &'static str,
    /// The accuracy that its gate demands.
    pub gate_accuracy: f64,
}

/// How something that can be trained is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A study of burgeon.
    Study,
    /// A program.
    Program,
    /// A notebook, or R Markdown.
    Notebook,
}

/// The language of a source file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Language {
    /// TOML: a study.
    Toml,
    /// Python.
    Python,
    /// R.
    R,
    /// Rust.
    Rust,
}

/// How sure a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Confidence {
    /// It trains, and its kind of model was seen.
    High,
    /// One of the two.
    Medium,
    /// Neither, or only in tests and copies of somebody else's code.
    Low,
}

/// Whether a GPU is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Gpu {
    /// Nothing speaks of one.
    None,
    /// It is used if there is one.
    Optional,
    /// It is asked for.
    Required,
}

/// The file that is most probably to be run.
#[derive(Debug, Clone, Serialize)]
pub struct Entry {
    /// Its path within the checkout.
    pub file: String,
    /// Whether the path is exactly this; false where the name is not UTF-8, so that it cannot be told in text.
    pub is_exact: bool,
    /// The line where it starts to work, where one was seen.
    pub line: Option<u32>,
    /// Why this one.
    pub why: String,
}

/// Something that was seen in a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Evidence {
    /// Path within the checkout.
    pub file: String,
    /// Line, counted from 1; in a notebook within its cell.
    pub line: u32,
    /// In a notebook: the cell, counted from 1 over all cells.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cell: Option<u32>,
    /// What stands there.
    pub saw: String,
    /// What it means.
    pub means: String,
}

/// Data that a program names.
#[derive(Debug, Clone, Serialize)]
pub struct DataNamed {
    /// What is named.
    #[serde(flatten)]
    pub datum: Datum,
    /// Where.
    pub evidence: Evidence,
}

/// A file that describes what programs need.
#[derive(Debug, Clone, Serialize)]
pub struct Environment {
    /// `dockerfile`, `requirements`, `conda`, `pyproject`, `setup`, `cargo`.
    pub kind: &'static str,
    /// Path within the checkout.
    pub file: String,
    /// Libraries for machine learning that it names.
    pub frameworks: Vec<Framework>,
    /// What in it asks for a GPU.
    pub gpu: Option<Evidence>,
    /// The base image of a Dockerfile.
    pub base_image: Option<String>,
    /// Files that the container starts with.
    #[serde(skip)]
    pub starts: Vec<String>,
}

/// Something that was noticed about a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Note {
    /// Path within the checkout; empty for the whole of it.
    pub file: String,
    /// What.
    pub text: String,
}

/// What was looked at.
#[derive(Debug, Clone, Default, Serialize)]
pub struct LookedAt {
    /// Files seen.
    pub files: usize,
    /// Files read and understood.
    pub read: usize,
    /// Files by the ending of their names.
    pub endings: BTreeMap<String, usize>,
    /// What was not read, and why; at most 200.
    pub skipped: Vec<Note>,
    /// How many more.
    pub skipped_more: usize,
    /// Limits that left something out.
    pub limits: Vec<String>,
}

/// Skipped files that are listed one by one.
pub const SKIPPED_LISTED: usize = 200;

impl LookedAt {
    /// Notes that a limit left something out.
    pub fn limit(&mut self, text: String) {
        if !self.limits.contains(&text) {
            self.limits.push(text);
        }
    }
    /// Notes that something is not read.
    pub fn skip(&mut self, file: String, why: impl Into<String>) {
        if self.skipped.len() < SKIPPED_LISTED {
            self.skipped.push(Note { file, text: why.into() });
        } else {
            self.skipped_more += 1;
        }
    }
}

impl Detection {
    /// What is most probably to be run, if anything is: a finding that is somebody's own work.
    pub fn verdict(&self) -> Option<&Finding> {
        self.findings.iter().find(|finding| finding.is_own)
    }
}

impl Gpu {
    /// The name for people.
    pub fn words(self) -> &'static str {
        match self {
            Self::None => "not asked for",
            Self::Optional => "used if there is one",
            Self::Required => "wanted",
        }
    }
}

impl std::fmt::Display for Evidence {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        match self.cell {
            Some(cell) => write!(f, "{} cell {cell} line {}", self.file, self.line),
            None => write!(f, "{}:{}", self.file, self.line),
        }
    }
}

impl Confidence {
    /// The name for people.
    pub fn words(self) -> &'static str {
        match self {
            Self::High => "high",
            Self::Medium => "medium",
            Self::Low => "low",
        }
    }
}

impl DataNamed {
    /// What is named, for people.
    pub fn words(&self) -> String {
        match &self.datum {
            Datum::Set(name) => name.clone(),
            Datum::Path(path) => format!("the path {path}"),
            Datum::Unresolved(written) => format!("not resolved: {written}"),
        }
    }
}
