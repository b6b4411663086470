//! The record of a program whose network is grown, for the page and the messages of a build.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::detect::Framework;
use crate::report::Report;
use crate::sys::files::{FileError, Files, RealFiles};

/// File name of the record in the build's folder.
const FILE: &str = "growth.json";
const BYTES_MAX: u64 = 4 << 20;
/// Longer programs are not attached to mail.
const PROGRAM_BYTES_MAX: u64 = 256 << 10;

/// A library that grown networks are exported for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Library {
    /// Keras.
    Keras,
    /// PyTorch.
    Pytorch,
}

impl Library {
    /// The library of a finding, if networks can be exported for it.
    pub(super) fn of(framework: Framework) -> Option<Self> {
        match framework {
            // `tf.keras` included; TensorFlow without Keras cannot be converted into a study.
            Framework::Keras | Framework::Tensorflow => Some(Self::Keras),
            Framework::Pytorch => Some(Self::Pytorch),
            _ => None,
        }
    }

    /// As users write it.
    pub fn words(self) -> &'static str {
        match self {
            Self::Keras => "Keras",
            Self::Pytorch => "PyTorch",
        }
    }

    /// As `burgeon export --format` spells it.
    pub(super) fn format(self) -> &'static str {
        match self {
            Self::Keras => "keras",
            Self::Pytorch => "pytorch",
        }
    }

    /// The file names of the program that builds the network and of its weights.
    pub(super) fn files(self) -> [&'static str; 2] {
        match self {
            Self::Keras => ["keras_model.py", "keras.npz"],
            Self::Pytorch => ["model.py", "pytorch.safetensors"],
        }
    }
}

/// The record of a program whose network is grown. Each text is a single line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Growth {
    /// The repository's program.
    pub program: String,
    /// Its library.
    pub library: Library,
    /// The accuracy that the original program reached, 0..=1.
    pub accuracy: f64,
    /// What could not be carried over into the study, with place and reason.
    pub lost: Vec<String>,
    /// What growth changed, trial by trial, with the reasons; empty until the gate is passed.
    pub changes: Vec<String>,
    /// The accuracy of the exported program in its own library, 0..=1.
    pub exported_accuracy: Option<f64>,
}

impl Growth {
    /// The record in a build's folder; `None` if there is none that can be read.
    pub fn read(folder: &Path) -> Option<Self> {
        let text = RealFiles.read(&folder.join(FILE), BYTES_MAX).ok()?;
        serde_json::from_slice(&text).ok()
    }

    pub(super) fn write(&self, folder: &Path) -> Result<(), FileError> {
        let text = serde_json::to_vec(self).unwrap_or_default();
        RealFiles.write_atomically(&folder.join(FILE), &text)
    }

    /// What was changed and what could not be carried over, each with a heading.
    pub fn lists(&self) -> [(&'static str, &[String]); 2] {
        [
            ("What was changed, and why", &self.changes),
            ("What could not be carried over from the program", &self.lost),
        ]
    }

    /// Name and text of the exported program in this folder; `None` if it does not exist or is too long to be sent.
    pub(super) fn exported_program(&self, folder: &Path) -> Option<(&'static str, String)> {
        let [name, _] = self.library.files();
        let text = RealFiles.read(&folder.join(name), PROGRAM_BYTES_MAX).ok()?;
        Some((name, String::from_utf8(text).ok()?))
    }
}

/// The edits that led to the best trial, with their reasons.
pub(super) fn changes(report: &Report) -> Vec<String> {
    let lineage = &report.lineage;
    let Some(best) = report.figures.best_trial else { return Vec::new() };
    let mut changes: Vec<String> = lineage
        .ancestry(best)
        .filter(|trial| trial.parent.is_some())
        .map(|trial| {
            let edits = trial.edits.join("; ");
            format!("trial {}: {edits} (because {})", trial.trial, trial.reason)
        })
        .collect();
    changes.reverse();
    changes
}
