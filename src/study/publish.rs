//! What a study leaves for people and programs: the trial's files, and the best model's folder.

use std::path::Path;
use std::sync::Arc;

use crate::data::Normalization;
use crate::model::{ModelFile, ModelFileError, Weights, WeightsError, to_onnx};
use crate::record::EpochRecord;
use crate::spec::Spec;
use crate::sys::files::{FileError, Files};

/// Why a file of the run could not be written.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// The disk refused.
    #[error("the disk refused")]
    File(#[from] FileError),
    /// The weights are not the spec's.
    #[error("the weights do not belong to the network")]
    Weights(#[from] WeightsError),
    /// The model file cannot be put together.
    #[error("the model file cannot be put together")]
    ModelFile(#[from] ModelFileError),
    /// burn could not write its record.
    #[error("the burn record cannot be written: {0}")]
    Burnpack(String),
}

/// A trained network with what has to be known to use it.
#[derive(Debug, Clone, Copy)]
pub(super) struct TrainedModel<'a> {
    pub(super) spec: &'a Spec,
    pub(super) weights: &'a Weights,
    pub(super) normalization: Normalization,
    pub(super) trial: u32,
    pub(super) best: &'a EpochRecord,
    pub(super) data: &'a str,
    pub(super) classes: &'a [String],
}

impl TrainedModel<'_> {
    fn file(&self) -> ModelFile {
        ModelFile {
            weights: self.weights.clone(),
            input: self.spec.input(),
            normalization: self.normalization,
            classes: self.classes.to_vec(),
        }
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
    Ok(files.write_atomically(path, spec.file().to_toml().as_bytes())?)
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

/// Writes `model.bpk`, `model.safetensors`, `model.onnx`, `spec.toml` and `card.md`.
pub(super) fn write_model(
    files: &Arc<dyn Files>,
    folder: &Path,
    model: TrainedModel,
) -> Result<(), PublishError> {
    files.create_folders(folder)?;
    let write = |name: &str, bytes: &[u8]| files.write_atomically(&folder.join(name), bytes);
    write("model.safetensors", &model.file().to_safetensors()?)?;
    write("model.onnx", &to_onnx(model.spec, model.weights, model.normalization)?)?;
    write("model.bpk", &model.weights.to_burnpack(model.spec).map_err(PublishError::Burnpack)?)?;
    write("card.md", card(model).as_bytes())?;
    // Last: whoever finds it finds the rest.
    write("spec.toml", model.spec.file().to_toml().as_bytes())?;
    Ok(())
}

fn card(model: TrainedModel) -> String {
    let TrainedModel { spec, best, normalization, trial, data, .. } = model;
    let input = spec.input();
    let mut text = format!(
        "# {}\n\n\
         {:.2} % on validation images, measured after epoch {} of trial {trial}.\n\n\
         | | |\n| --- | --- |\n\
         | data | {data} |\n\
         | input | {}×{}×{}, grey values 0 to 1, then (x − {}) / {} |\n\
         | classes | {} |\n| parameters | {} |\n| FLOPs an image | {} |\n| weights (SHA-256) | {} |\n\n\
         | layer | output | parameters |\n| --- | --- | --- |\n",
        spec.name(),
        best.validation_accuracy * 100.0,
        best.epoch,
        input.channels,
        input.height,
        input.width,
        normalization.mean,
        normalization.std,
        input.classes,
        spec.table().parameters(),
        spec.table().flops(),
        model.weights.hash(),
    );
    for row in &spec.table().rows {
        text += &format!("| {} | {} | {} |\n", row.name, row.output, row.parameters);
    }
    text + "\n`model.safetensors` and `model.bpk` (burn) hold the weights; `model.onnx` normalises its input itself.\n"
}
