//! Begins a run with weights that another program trained.
//!
//! The run is like one of a study with `[model] from`: it keeps the imported model in `start/`, and its first
//! trial, should there be one, starts with it. The model is in `best/` at once, so that it can be evaluated,
//! exported and continued from before anything is trained.

use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::error::LaunchError;
use super::images::StudyImages;
use super::listener::LaunchListener;
use super::session::Session;
use super::settings::{Settings, recordable};
use super::source::StudySource;
use super::start::refusal;
use crate::data::Normalization;
use crate::ledger::{RunFolder, RunFolderError};
use crate::model::{
    ImportError, ImportReport, ModelFile, ModelFileError, Network, Preparation, ReadError,
    SPEC_FILE, WEIGHTS_FILE, WeightsError, import_pytorch,
};
use crate::record::figures::ModelFigures;
use crate::spec::{Spec, StudyDocument};
use crate::study::Growth;
use crate::study::publish::{PublishError, TrainedModel, own_study, write_model};
use crate::sys::files::{FileError, Files, RealFiles, real_files};
use crate::sys::lock::LockRequest;
use crate::train::measure;

/// More than the largest network that a study may have, in 64-bit numbers.
const FILE_BYTES_MAX: u64 = 4 << 30;

/// Weights to import.
#[derive(Debug, Clone)]
pub struct WeightsImport {
    /// The safetensors file of a PyTorch `state_dict`.
    pub weights: PathBuf,
    /// Whether arrays that do not fit are left out; otherwise they are an error.
    pub partial: bool,
    /// What the pixels were normalized with in training, by channel; that of the study's images if `None`.
    pub normalization: Option<Normalization>,
}

/// A run that was begun with imported weights.
#[derive(Debug)]
pub struct ImportedRun {
    /// The run folder.
    pub run: PathBuf,
    /// What fits and what does not.
    pub report: ImportReport,
    /// Accuracy on the validation images, 0..=1.
    pub validation_accuracy: f64,
    /// The number of those.
    pub validation_images: u64,
}

/// Why weights cannot be imported.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImportRunError {
    /// The study, its images, or the run folder cannot be used.
    #[error(transparent)]
    Launch(#[from] LaunchError),
    /// The file cannot be imported.
    #[error("{} cannot be imported", path.display())]
    Import {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: ImportError,
    },
    /// Something does not fit.
    #[error(
        "{} does not fit the study: {} of its arrays fit nowhere, and {} of the network's are not in it; change the study's layers, or import what fits with --partial",
        path.display(),
        report.unused.len(),
        report.missing.len()
    )]
    Mismatch {
        /// The file.
        path: PathBuf,
        /// What fits and what does not.
        report: Box<ImportReport>,
    },
    /// Nothing fits.
    #[error("nothing in {} fits the study's layers", path.display())]
    Nothing {
        /// The file.
        path: PathBuf,
        /// What does not fit.
        report: Box<ImportReport>,
    },
    /// The network overflows.
    #[error(
        "with the weights of {}, the network's answers to the validation images are not finite; its numbers are too large",
        path.display()
    )]
    NotFinite {
        /// The file.
        path: PathBuf,
    },
    /// The file cannot be read, or one of the run cannot be written.
    #[error(transparent)]
    File(#[from] FileError),
    /// The model cannot be put together.
    #[error("the model file cannot be assembled")]
    Model(#[from] ModelFileError),
    /// The network cannot be built.
    #[error(transparent)]
    Weights(#[from] WeightsError),
    /// The device failed.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The model cannot be written.
    #[error(transparent)]
    Publish(#[from] PublishError),
}

/// Begins a run of a study with weights that PyTorch saved.
///
/// # Errors
///
/// [`ImportRunError`]; there is no run folder then, unless the disk failed while it was filled.
pub fn import(
    settings: &Settings,
    study: &StudyDocument,
    wanted: &WeightsImport,
    listener: &mut dyn LaunchListener,
) -> Result<ImportedRun, ImportRunError> {
    if study.parse().map_err(LaunchError::from)?.model.from.is_some() {
        let message = "says another model to start with than the imported one".to_owned();
        let help = "remove it";
        let refused = refusal(&StudySource::from(study), "model.from", message, help);
        return Err(LaunchError::from(refused).into());
    }
    let path = recordable(&wanted.weights).map_err(LaunchError::from)?;
    let bytes = RealFiles.read(&path, FILE_BYTES_MAX)?;
    let device = settings.device.open().map_err(LaunchError::from)?;
    let (spec, mut loaded) = settings.prepare(study, listener)?;
    let (weights, report) = import_pytorch(&spec, &bytes)
        .map_err(|source| ImportRunError::Import { path: path.clone(), source })?;
    if report.taken.is_empty() {
        return Err(ImportRunError::Nothing { path, report: Box::new(report) });
    }
    if !wanted.partial && !report.is_complete() {
        return Err(ImportRunError::Mismatch { path, report: Box::new(report) });
    }
    if let Some(normalization) = wanted.normalization {
        loaded.dataset.normalization = normalization;
    }
    let workers = settings.workers()?;
    let entered = workers.enter();
    let data = &loaded.dataset;
    let preparation = Preparation::new(&spec, data);
    preparation.check_fits(&spec).map_err(ModelFileError::from)?;
    let network = Network::new(&spec, &weights, &device.device)?;
    let classes = data.classes.len();
    let (validation, normalization) = (&data.validation, data.normalization);
    let measured =
        measure(&network, validation, normalization, classes, &device.device, &mut || {})?;
    drop(entered);
    if !measured.evaluation.loss.is_finite() {
        return Err(ImportRunError::NotFinite { path });
    }
    let file = ModelFile { weights, preparation };
    let start = file.to_safetensors()?;
    let own = own_study(&spec);
    let threads = workers.count();
    let session = Session {
        spec: begun(spec, &path, &start)?,
        images: StudyImages::loaded(loaded),
        load_seconds: 0.0,
        device: device.name.clone(),
        workers: Some(workers),
        threads,
        growth: Growth::On,
        inherited: None,
    };
    let files = real_files().map_err(LaunchError::from)?;
    let provenance = session.provenance(&settings.command);
    let folder = RunFolder::begin(
        files.clone(),
        &settings.runs,
        session.spec.name(),
        &provenance,
        &session.spec.file().to_toml(),
        &[(WEIGHTS_FILE, &start), (SPEC_FILE, own.as_bytes())],
    )
    .map_err(LaunchError::from)?;
    let _lock = folder.lock(&LockRequest::new("burgeon import")).map_err(LaunchError::from)?;
    let figures = ModelFigures {
        version: ModelFigures::VERSION,
        trial: ModelFigures::IMPORTED,
        epoch: 0,
        weights_hash: file.weights.hash(),
        validation: measured.into(),
        int8: None,
    };
    let model = TrainedModel {
        spec: &session.spec,
        weights: &file.weights,
        preparation: &file.preparation,
        figures: &figures,
        data: &provenance.data.origin,
        provenance: Some(&provenance),
    };
    write_model(&files, &folder.best(), model)?;
    Ok(ImportedRun {
        run: folder.path().into(),
        report,
        validation_accuracy: figures.validation.accuracy,
        validation_images: figures.validation.images,
    })
}

/// The study that the run keeps: its first trial starts with the imported model.
fn begun(spec: Spec, weights: &Path, start: &[u8]) -> Result<Spec, ImportRunError> {
    let input = spec.input();
    let mut file = spec.file().clone();
    file.model.from = Some(weights.to_owned());
    file.model.from_sha256 = Some(hex::encode(Sha256::digest(start)));
    Ok(Spec::new(file, input).map_err(LaunchError::from)?)
}

impl From<RunFolderError> for ImportRunError {
    fn from(error: RunFolderError) -> Self {
        LaunchError::from(error).into()
    }
}
