//! `burgeon export`: writes a run's best model in the formats of other programs.

use std::path::PathBuf;

use super::args::{Common, ExportArguments, FormatName};
use super::error::CliError;
use super::exit::Exit;
use super::launch;
use super::output::Output;
use super::view::{View, grouped, percent};
use crate::data::Split;
use crate::ledger::{RunFolder, RunFolderError};
use crate::model::SavedModel;
use crate::study::{
    ExportError, ExportFormat, Exported, Growth, LaunchError, QuantizationCost, QuantizationImages,
    export as write, export_evaluation, input_shape,
};
use crate::sys::files::real_files;
use crate::sys::lock::LockRequest;
use crate::sys::signals::StopFlag;

/// Quantization should cost less than this many points of accuracy.
const POINTS_MAX: f64 = 0.3;

/// Writes the model, and prints the paths of the files, or with `--json` an object.
pub fn export(
    arguments: &ExportArguments,
    common: &Common,
    output: &Output,
) -> Result<Exit, CliError> {
    let files = real_files().map_err(LaunchError::from)?;
    let run = match RunFolder::open(files.clone(), &arguments.run) {
        Ok(run) => Some(run),
        Err(RunFolderError::NotARun { .. }) => None,
        Err(error) => return Err(error.into()),
    };
    // Into the run itself only while nothing publishes another model there.
    let into_run = run.as_ref().filter(|_| arguments.output.is_none());
    let request = LockRequest::new("burgeon export");
    let _lock = into_run.map(|run| run.lock(&request)).transpose().map_err(LaunchError::from)?;
    let model = SavedModel::open(&arguments.run)?;
    let target: PathBuf = arguments.output.clone().unwrap_or_else(|| model.folder.clone());
    let format = ExportFormat::from(arguments.format);
    let needs_images = format == ExportFormat::OnnxInt8 || arguments.evaluation;
    if arguments.evaluation && !matches!(format, ExportFormat::Keras | ExportFormat::Safetensors) {
        return Err(ExportError::NoEvaluation.into());
    }
    let exported = match &run {
        Some(folder) if needs_images => {
            let launch = launch(common, Growth::Off);
            let workers = launch.workers()?;
            let _entered = workers.enter();
            let file = model.study.parse()?;
            let view = &mut View::new(*output);
            let split = Split::Validation;
            let loaded = launch.load_recorded(folder, &file, split, view, &StopFlag::new())?;
            let data = &loaded.dataset;
            if arguments.evaluation {
                let mut exported = write(&*files, &model, format, &target, None, None)?;
                export_evaluation(&*files, &mut exported, format, &data.validation)?;
                return finish(arguments.format, &exported, output);
            }
            let device = launch.device.open()?;
            let spec = model.study.validate(input_shape(data))?;
            model.file.preparation.check_fits(&spec)?;
            let images = QuantizationImages { data, device: &device };
            write(&*files, &model, format, &target, Some(images), into_run)?
        }
        None if needs_images => return Err(ExportError::NoImages.into()),
        _ => write(&*files, &model, format, &target, None, None)?,
    };
    finish(arguments.format, &exported, output)
}

fn finish(format: FormatName, exported: &Exported, output: &Output) -> Result<Exit, CliError> {
    if let Some(cost) = exported.quantized.as_ref().filter(|cost| cost.points() > POINTS_MAX) {
        output.warn(&format!(
            "quantization costs {:.2} points of accuracy, more than the usual {POINTS_MAX}",
            cost.points()
        ));
    }
    output.result(&if output.json { json(format, exported) } else { text(exported) })
}

fn text(exported: &Exported) -> String {
    let mut text: String =
        exported.files.iter().map(|path| format!("{}\n", path.display())).collect();
    if let Some(cost) = &exported.quantized {
        text += &format!(
            "{} of {} validation images right instead of {} ({:+.2} points), in {} of the size\n",
            percent(cost.quantized_accuracy),
            grouped(cost.images as usize),
            percent(cost.accuracy),
            -cost.points(),
            percent(cost.size),
        );
    }
    text
}

fn json(format: FormatName, exported: &Exported) -> String {
    let files = exported.files.iter().map(|path| path.display().to_string());
    let mut value = serde_json::json!({
        "format": format.name(), "files": files.collect::<Vec<_>>(),
    });
    if let Some(QuantizationCost { images, accuracy, quantized_accuracy, size }) =
        exported.quantized
    {
        value["quantized"] = serde_json::json!({
            "validation_images": images, "validation_accuracy": accuracy,
            "quantized_validation_accuracy": quantized_accuracy, "size": size,
        });
    }
    format!("{value}\n")
}

impl QuantizationCost {
    /// Points of accuracy that quantization cost; negative if it gained some.
    fn points(&self) -> f64 {
        (self.accuracy - self.quantized_accuracy) * 100.0
    }
}

impl From<FormatName> for ExportFormat {
    fn from(name: FormatName) -> Self {
        match name {
            FormatName::Onnx => Self::Onnx,
            FormatName::OnnxPixels => Self::OnnxPixels,
            FormatName::OnnxInt8 => Self::OnnxInt8,
            FormatName::Safetensors | FormatName::Pytorch => Self::Safetensors,
            FormatName::Keras => Self::Keras,
        }
    }
}
