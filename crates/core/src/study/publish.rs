//! Writes the files of a trial and the folder of the best model.

// In a circle with card: a card is published with its model, and its errors are among those of publishing.

use std::path::Path;
use std::sync::Arc;

use super::card::{CARD_FILE, Card};
use crate::ledger::figures::FIGURES_FILE;
use crate::ledger::{Provenance, RunFolderError};
use crate::model::{
    MODEL_PY, ModelFile, ModelFileError, PYTORCH_FILE, Preparation, SPEC_FILE, WEIGHTS_FILE,
    Weights, to_onnx, to_pytorch,
};
use crate::record::EpochRecord;
use crate::record::figures::ModelFigures;
use crate::spec::{Spec, StudyFile};
use crate::sys::files::{FileError, Files};

/// Why a file of the run could not be written.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// The disk failed, or is full.
    #[error("the file cannot be written")]
    File(#[from] FileError),
    /// The model file cannot be put together.
    #[error("the model file cannot be assembled")]
    ModelFile(#[from] ModelFileError),
    /// burn could not write its record.
    #[error("the burn record cannot be written: {0}")]
    Burnpack(String),
    /// The provenance of the run is damaged.
    #[error("the run's provenance cannot be read for the model card")]
    Provenance(#[source] RunFolderError),
}

/// A trained network and what is needed to use it.
#[derive(Debug, Clone, Copy)]
pub(super) struct TrainedModel<'a> {
    pub(super) spec: &'a Spec,
    pub(super) weights: &'a Weights,
    pub(super) preparation: &'a Preparation,
    pub(super) figures: &'a ModelFigures,
    /// Where the images come from, in words.
    pub(super) data: &'a str,
    pub(super) provenance: Option<&'a Provenance>,
}

impl TrainedModel<'_> {
    fn file(&self) -> ModelFile {
        ModelFile { weights: self.weights.clone(), preparation: self.preparation.clone() }
    }
}

/// Writes the trial's own study file.
pub(super) fn write_spec(
    files: &Arc<dyn Files>,
    folder: &Path,
    path: &Path,
    spec: &Spec,
) -> Result<(), PublishError> {
    files.create_folders(folder)?;
    Ok(files.write_atomically(path, own_study(spec).as_bytes())?)
}

/// The study of one trial. What the first trial of its run started with is not part of it.
pub(super) fn own_study(spec: &Spec) -> String {
    let file = spec.file().clone();
    StudyFile { model: file.model.without_origin(), ..file }.to_toml()
}

/// Writes a trial's epochs as a table.
pub(super) fn write_curve(
    files: &Arc<dyn Files>,
    path: &Path,
    curve: &[EpochRecord],
) -> Result<(), PublishError> {
    let mut text = "epoch,train_loss,train_accuracy,validation_loss,validation_accuracy,learning_rate,seconds\n".to_owned();
    for record in curve {
        text += &format!(
            "{},{},{},{},{},{},{:.3}\n",
            record.epoch,
            record.train_loss,
            record.train_accuracy,
            record.validation_loss,
            record.validation_accuracy,
            record.learning_rate,
            record.seconds
        );
    }
    Ok(files.write_atomically(path, text.as_bytes())?)
}

/// Writes `model.bpk`, `model.safetensors`, `model.onnx`, `pytorch.safetensors`, `model.py`, `figures.json`,
/// `card.md` and `spec.toml`.
pub(super) fn write_model(
    files: &Arc<dyn Files>,
    folder: &Path,
    model: TrainedModel,
) -> Result<(), PublishError> {
    files.create_folders(folder)?;
    let write = |name: &str, bytes: &[u8]| files.write_atomically(&folder.join(name), bytes);
    write(WEIGHTS_FILE, &model.file().to_safetensors()?)?;
    write("model.onnx", &to_onnx(model.spec, model.weights, model.preparation)?)?;
    write("model.bpk", &model.weights.to_burnpack(model.spec).map_err(PublishError::Burnpack)?)?;
    let pytorch = to_pytorch(model.spec, model.weights, model.preparation, PYTORCH_FILE)?;
    write(PYTORCH_FILE, &pytorch.weights)?;
    write(MODEL_PY, pytorch.code.as_bytes())?;
    // Those of a model that was here before tell nothing of this one.
    for other in ON_DEMAND {
        let path = folder.join(other);
        if files.kind(&path)?.is_some() {
            files.remove_file(&path)?;
        }
    }
    write(FIGURES_FILE, &model.figures.to_json().map_err(ModelFileError::Note)?)?;
    let card = Card {
        spec: model.spec,
        preparation: model.preparation,
        weights_hash: model.figures.weights_hash.clone(),
        data: model.data,
        figures: model.figures,
        counts: None,
        findings: Vec::new(),
        provenance: model.provenance,
        folds: None,
        test: None,
        test_readings: 0,
    };
    write(CARD_FILE, card.to_markdown().map_err(ModelFileError::Note)?.as_bytes())?;
    // Last, so that where it exists, the other files do too.
    write(SPEC_FILE, own_study(model.spec).as_bytes())?;
    Ok(())
}

/// What `burgeon export` may have written beside a model.
const ON_DEMAND: [&str; 2] = [PIXELS_FILE, QUANTIZED_FILE];
/// ONNX from decoded bytes.
pub(super) const PIXELS_FILE: &str = "model-pixels.onnx";
/// ONNX in whole numbers of 8 bits.
pub(super) const QUANTIZED_FILE: &str = "model-int8.onnx";
