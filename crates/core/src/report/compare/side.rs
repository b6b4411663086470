//! One of two runs that are compared.

use std::path::Path;
use std::sync::Arc;

use serde::Serialize;

use super::super::runs::RunState;
use super::super::{LineageTrial, Report};
use crate::ledger::{DataOrigin, Event, LedgerError, Recorded, RunFolder, RunFolderError, read};
use crate::record::{ClassRecall, wilson_lower_bound};
use crate::sys::files::{FileError, RealFiles};
use crate::sys::heartbeat::{last_beat, now_ms};
use crate::sys::process::ProcessName;
use crate::sys::standing::standing;

/// What is compared of a run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Side {
    /// Its folder, as it was named.
    pub run: String,
    /// The name of its study.
    pub name: String,
    /// Whether it is running, over, or waits to be resumed.
    pub state: RunState,
    /// Number of trials.
    pub trials: u64,
    /// The trial of the best model so far.
    pub best_trial: Option<u32>,
    /// Its accuracy on the validation images, 0..=1.
    pub validation_accuracy: Option<f64>,
    /// The 95 % interval of that, by Wilson.
    pub validation_interval: Option<[f64; 2]>,
    /// Its accuracy on the test images, 0..=1, if it was accepted.
    pub test_accuracy: Option<f64>,
    /// The accuracy that the gate requires, 0..=1.
    pub gate: Option<f64>,
    /// Its trainable parameters.
    pub parameters: Option<u64>,
    /// Floating-point operations of a forward pass of one image through it.
    pub flops_per_image: Option<u64>,
    /// Number of epochs of all trials.
    pub epochs: u64,
    /// Seconds of the study; of training alone while it is unfinished.
    pub seconds: f64,
    /// Name of the device.
    pub device: String,
    /// Number of CPU threads.
    pub threads: usize,
    /// The instruction set of the CPU kernels.
    pub instruction_set: Option<String>,
    /// The study's seed.
    pub seed: u64,
    /// The version of burgeon.
    pub version: Option<String>,
    /// Hash of the spec that the study began with.
    pub spec_hash: String,
    /// Hash of the images, labels and splits.
    pub data_hash: Option<String>,
    /// Where the images come from.
    pub data: Option<DataOrigin>,
    /// Number of training, validation and test images.
    pub images: [usize; 3],
    /// The validation accuracy after each epoch, of the best trial and those that it was grown from.
    pub curve: Vec<f64>,
    /// The study that it began with.
    #[serde(skip)]
    pub study: String,
    /// The study of the best trial.
    #[serde(skip)]
    pub best_study: Option<String>,
    /// The best model's recall of each class on the validation images; of all images as one class, where those
    /// were not recorded.
    #[serde(skip)]
    pub recalls: Vec<ClassRecall>,
}

/// Why a run cannot be compared.
#[derive(Debug, thiserror::Error)]
pub enum SideError {
    /// The folder is no run, or its files cannot be read.
    #[error(transparent)]
    Folder(#[from] RunFolderError),
    /// Its record is damaged or cannot be read.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The study has not started yet.
    #[error("{path} has no record of a study yet")]
    NothingRecorded {
        /// The run folder.
        path: String,
    },
}

const STUDY_BYTES_MAX: u64 = 4 << 20;

impl Side {
    /// Reads a run, finished or not.
    ///
    /// # Errors
    ///
    /// When the folder is no run, or its record is missing, damaged or cannot be read.
    pub fn read(path: &Path) -> Result<Self, SideError> {
        let folder = RunFolder::open(Arc::new(RealFiles), path)?;
        let records = read(&RealFiles, &folder.events_file())?;
        let run = path.to_string_lossy().into_owned();
        if records.is_empty() {
            return Err(SideError::NothingRecorded { path: run });
        }
        let mut side = Self { run, study: folder.read_study()?, ..Self::of(&records) };
        side.state = state(path, &records);
        if let Some(best) = side.best_trial {
            side.best_study = text(&folder, &folder.trial(best).spec_file())?;
        }
        match folder.read_provenance() {
            Ok(provenance) => {
                side.version = Some(provenance.version);
                side.data = Some(provenance.data);
            }
            Err(RunFolderError::File(error)) if error.is_not_found() => {}
            Err(error) => return Err(error.into()),
        }
        Ok(side)
    }

    fn of(records: &[Recorded]) -> Self {
        let report = Report::from_records(records);
        let (started, figures) = (&report.started, report.figures);
        let best = figures.best_trial.and_then(|best| report.lineage.find(best));
        let accuracy = figures.validation_accuracy.filter(|share| share.is_finite());
        let folds = best.and_then(LineageTrial::cross_validation);
        let images = folds.as_ref().map_or(started.images[1], |folds| folds.images as usize);
        let interval = |share: f64| {
            let bound = |share| wilson_lower_bound(share, images, 0.95);
            [bound(share), 1.0 - bound(1.0 - share)]
        };
        let ancestry: Vec<_> =
            best.iter().flat_map(|best| report.lineage.ancestry(best.trial)).collect();
        let curve = ancestry.iter().rev().flat_map(|trial| &trial.curve);
        Self {
            run: String::new(),
            name: started.name.clone(),
            state: RunState::Interrupted,
            trials: figures.trials,
            best_trial: figures.best_trial,
            validation_accuracy: accuracy,
            validation_interval: accuracy.filter(|_| images > 0).map(interval),
            test_accuracy: figures.test_accuracy,
            gate: started.threshold,
            parameters: figures.parameters,
            flops_per_image: best.map(|best| best.flops_per_image),
            epochs: report.lineage.trials.iter().map(|trial| u64::from(trial.epochs)).sum(),
            seconds: figures.seconds,
            device: started.device.clone(),
            threads: started.threads,
            instruction_set: started.instruction_set.clone(),
            seed: started.seed,
            version: None,
            spec_hash: started.spec_hash.clone(),
            data_hash: Some(started.data_hash.clone()).filter(|hash| !hash.is_empty()),
            data: None,
            images: started.images,
            curve: curve.map(|epoch| epoch.validation_accuracy).collect(),
            study: String::new(),
            best_study: None,
            recalls: match folds {
                Some(folds) if !folds.recalls.is_empty() => folds.recalls,
                _ => recalls(records, figures.best_trial, accuracy, images),
            },
        }
    }
}

fn state(path: &Path, records: &[Recorded]) -> RunState {
    let report = Report::from_records(records);
    let standing = standing(path, &ProcessName::current());
    let out_of_time = super::super::runs::out_of_time(records);
    RunState::of(&report.state, out_of_time, &standing, last_beat(path).as_ref(), now_ms())
}

/// The recalls in the best epoch of the best trial.
fn recalls(
    records: &[Recorded],
    best_trial: Option<u32>,
    accuracy: Option<f64>,
    images: usize,
) -> Vec<ClassRecall> {
    let Some(accuracy) = accuracy else { return Vec::new() };
    let of_best = records.iter().find_map(|recorded| match &recorded.event {
        Event::EpochFinished { trial, validation_accuracy, recalls, .. }
            if Some(*trial) == best_trial && *validation_accuracy == accuracy =>
        {
            Some(recalls.clone())
        }
        _ => None,
    });
    let right = (accuracy * images as f64).round() as u64;
    let as_one = || vec![ClassRecall { right, images: images as u64 }];
    of_best.filter(|recalls| !recalls.is_empty()).unwrap_or_else(as_one)
}

/// The text of a study file; `None` if it is missing.
fn text(folder: &RunFolder, path: &Path) -> Result<Option<String>, RunFolderError> {
    match folder.files().read(path, STUDY_BYTES_MAX) {
        Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
        Err(error) if FileError::is_not_found(&error) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests;
