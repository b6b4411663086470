//! Writes the files of a trial and the folder of the best model.

use std::path::Path;
use std::sync::Arc;

use crate::model::{
    ModelFile, ModelFileError, Preparation, SPEC_FILE, WEIGHTS_FILE, Weights, to_onnx,
};
use crate::record::EpochRecord;
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
}

/// A trained network and what is needed to use it.
#[derive(Debug, Clone, Copy)]
pub(super) struct TrainedModel<'a> {
    pub(super) spec: &'a Spec,
    pub(super) weights: &'a Weights,
    pub(super) preparation: &'a Preparation,
    pub(super) trial: u32,
    pub(super) best: &'a EpochRecord,
    pub(super) data: &'a str,
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
fn own_study(spec: &Spec) -> String {
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

/// Writes `model.bpk`, `model.safetensors`, `model.onnx`, `spec.toml` and `card.md`.
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
    write("card.md", card(model)?.as_bytes())?;
    // Last, so that where it exists, the other files do too.
    write(SPEC_FILE, own_study(model.spec).as_bytes())?;
    Ok(())
}

fn card(model: TrainedModel) -> Result<String, ModelFileError> {
    let TrainedModel { spec, best, preparation, trial, data, .. } = model;
    let json = serde_json::to_string_pretty(preparation).map_err(ModelFileError::Note)?;
    let input = spec.input();
    let mut text = format!(
        "# {}\n\n\
         {:.2} % on validation images, measured after epoch {} of trial {trial}.\n\n\
         | | |\n| --- | --- |\n\
         | data | {data} |\n\
         | input | {}×{}×{} |\n\
         | preparation | {} |\n\
         | classes | {}: {} |\n| parameters | {} |\n| FLOPs per image | {} |\n| weights (SHA-256) | {} |\n\n\
         | layer | output | parameters |\n| --- | --- | --- |\n",
        spec.name(),
        best.validation_accuracy * 100.0,
        best.epoch,
        input.channels,
        input.height,
        input.width,
        preparation.describe(),
        input.classes,
        preparation.classes.iter().map(|name| cell(name)).collect::<Vec<_>>().join(", "),
        spec.table().parameters(),
        spec.table().flops(),
        model.weights.hash(),
    );
    for (number, row) in spec.table().numbered() {
        // Layers within a residual block have rows below it, each with its number.
        let number = if number.contains('.') { format!("{number}: ") } else { String::new() };
        text += &format!("| {number}{} | {} | {} |\n", row.name, row.output, row.parameters);
    }
    text += &format!(
        "\n`model.safetensors` holds the weights in PyTorch's layout (dense layers `[out, in]`), `model.bpk` in burn's \
         (dense layers `[in, out]`). `model.onnx` takes pixels from 0 to 1 and normalizes them itself.\n\n\
         ## Preparation\n\n\
         How a picture becomes the input of the network. The same JSON is in the metadata of `model.safetensors` (key \
         `burgeon`) and of `model.onnx` (key `burgeon.preparation`).\n\n```json\n{json}\n```\n"
    );
    Ok(text)
}

/// Text within a cell of a Markdown table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}
