//! Writes a trained model in the formats of other programs.

use std::path::{Path, PathBuf};

use super::card::{CardError, refresh_card};
use super::publish::{PIXELS_FILE, QUANTIZED_FILE};
use crate::data::{Dataset, Subset};
use crate::ledger::RunFolder;
use crate::ledger::figures::FIGURES_FILE;
use crate::model::export::evaluation::{
    EVALUATE_PY, IMAGES_FILE, Library, images_archive, program,
};
use crate::model::{
    KERAS_FILE, KERAS_PY, MODEL_PY, ModelFileError, OnnxExport, OnnxInput, OpenDevice, OpenError,
    PYTORCH_FILE, PreparationError, SavedModel, WeightsError, to_keras, to_pytorch,
};
use crate::record::figures::{ModelFigures, SplitFigures};
use crate::spec::Spec;
use crate::sys::files::{FileError, Files, PathKind, parent};
use crate::train::{QuantizeError, measure, measure_quantized, quantize};

/// A format to export a model in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExportFormat {
    /// ONNX from floats between 0 and 1.
    Onnx,
    /// ONNX from decoded bytes.
    OnnxPixels,
    /// ONNX in whole numbers of 8 bits, from floats between 0 and 1.
    OnnxInt8,
    /// Weights with PyTorch's names, and the program that rebuilds the network.
    Safetensors,
    /// Weights in Keras' layouts, and the program that builds the network there.
    Keras,
}

/// Why a model cannot be exported.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExportError {
    /// The model cannot be read.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The model cannot be written in this format.
    #[error("the model cannot be exported")]
    Model(#[from] ModelFileError),
    /// A file cannot be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// The images are not of the model's shape.
    #[error("the model's input shape does not match the data")]
    OtherImages(#[from] PreparationError),
    /// The network cannot be quantized.
    #[error("the network cannot be quantized")]
    Quantize(#[from] QuantizeError),
    /// The network cannot be measured.
    #[error("the quantized network cannot be measured: {0}")]
    Measure(String),
    /// The figures cannot be written into the card.
    #[error(transparent)]
    Card(#[from] CardError),
    /// The output is of another format.
    #[error("{} does not end in .{expected}, as files of this format do; name such a file, or a folder", path.display())]
    Extension {
        /// The file that was named.
        path: PathBuf,
        /// The extension of the format.
        expected: &'static str,
    },
    /// There is no program to measure the format with.
    #[error(
        "only networks that are exported for Keras or PyTorch can be measured there: use `--format keras` or `pytorch`"
    )]
    NoEvaluation,
    /// Images are needed.
    #[error(
        "the images of the model's run are needed: give a run folder, which knows them, instead of a model folder"
    )]
    NoImages,
}

/// What was written.
#[derive(Debug)]
pub struct Exported {
    /// The files, the model first.
    pub files: Vec<PathBuf>,
    /// What quantization cost, if the model was quantized.
    pub quantized: Option<QuantizationCost>,
}

/// A quantized model beside the one that it was made of.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct QuantizationCost {
    /// Validation images that both were measured on.
    pub images: u64,
    /// Share of them that the model classifies correctly, 0..=1.
    pub accuracy: f64,
    /// The same of the quantized model.
    pub quantized_accuracy: f64,
    /// Size of the quantized file as a share of that of the ONNX file with floats.
    pub size: f64,
}

/// The images that a quantized model is calibrated and measured on, and what computes that.
#[derive(Debug)]
pub struct QuantizationImages<'a> {
    /// The images of the run.
    pub data: &'a Dataset,
    /// The device.
    pub device: &'a OpenDevice,
}

impl ExportFormat {
    /// The file that is written unless another one is named.
    pub fn file_name(self) -> &'static str {
        match self {
            Self::Onnx => "model.onnx",
            Self::OnnxPixels => PIXELS_FILE,
            Self::OnnxInt8 => QUANTIZED_FILE,
            Self::Safetensors => PYTORCH_FILE,
            Self::Keras => KERAS_FILE,
        }
    }

    fn extension(self) -> &'static str {
        match self {
            Self::Onnx | Self::OnnxPixels | Self::OnnxInt8 => "onnx",
            Self::Safetensors => "safetensors",
            Self::Keras => "npz",
        }
    }

    /// The file to write: `output` itself if it has an extension and is no folder, or one in it.
    ///
    /// # Errors
    ///
    /// If the extension is not that of the format.
    fn target(self, files: &dyn Files, output: &Path) -> Result<PathBuf, ExportError> {
        let is_folder = files.kind(output)? == Some(PathKind::Folder);
        match output.extension() {
            Some(extension) if !is_folder => match extension == self.extension() {
                true => Ok(output.to_owned()),
                false => {
                    let (path, expected) = (output.to_owned(), self.extension());
                    Err(ExportError::Extension { path, expected })
                }
            },
            _ => Ok(output.join(self.file_name())),
        }
    }
}

/// Writes a model to `output`, a folder or a file, each file atomically. `images` are needed for
/// [`ExportFormat::OnnxInt8`] only. With `run`, the run that the model was read from and is exported into, the
/// accuracy of a quantized model is written into its card as well; the caller holds the run's lock.
///
/// # Errors
///
/// [`ExportError`]; nothing that was there before is damaged.
pub fn export(
    files: &dyn Files,
    model: &SavedModel,
    format: ExportFormat,
    output: &Path,
    images: Option<QuantizationImages>,
    run: Option<&RunFolder>,
) -> Result<Exported, ExportError> {
    let target = format.target(files, output)?;
    let spec = model.spec()?;
    let (weights, preparation) = (&model.file.weights, &model.file.preparation);
    let plain = OnnxExport {
        spec: &spec,
        weights,
        preparation,
        input: OnnxInput::UnitFloats,
        quantized: None,
    };
    let folder = parent(&target);
    let mut written = vec![target.clone()];
    let mut cost = None;
    match format {
        ExportFormat::Onnx => write(files, &target, &plain.encode()?)?,
        ExportFormat::OnnxPixels => {
            let bytes = OnnxExport { input: OnnxInput::DecodedBytes, ..plain }.encode()?;
            write(files, &target, &bytes)?;
        }
        ExportFormat::Safetensors => {
            let name = target.file_name().unwrap_or_default().to_string_lossy();
            let exported = to_pytorch(&spec, weights, preparation, &name)?;
            write(files, &target, &exported.weights)?;
            let code = folder.join(MODEL_PY);
            write(files, &code, exported.code.as_bytes())?;
            written.push(code);
        }
        ExportFormat::Keras => {
            let name = target.file_name().unwrap_or_default().to_string_lossy();
            let exported = to_keras(&spec, weights, preparation, &name)?;
            write(files, &target, &exported.weights)?;
            let code = folder.join(KERAS_PY);
            write(files, &code, exported.code.as_bytes())?;
            written.push(code);
        }
        ExportFormat::OnnxInt8 => {
            let images = images.ok_or(ExportError::NoImages)?;
            let (bytes, float, int8) = quantized(&spec, model, plain, &images)?;
            cost = Some(QuantizationCost {
                images: int8.images,
                accuracy: float.accuracy,
                quantized_accuracy: int8.accuracy,
                size: bytes.len() as f64 / plain.encode()?.len().max(1) as f64,
            });
            write(files, &target, &bytes)?;
            if let Some(run) = run {
                record(files, model, int8)?;
                refresh_card(run)?;
            }
        }
    }
    Ok(Exported { files: written, quantized: cost })
}

/// Writes images that the network was not trained on, and the program that measures it on them in the format's own
/// library, beside the exported files.
///
/// # Errors
///
/// [`ExportError`].
pub fn export_evaluation(
    files: &dyn Files,
    exported: &mut Exported,
    format: ExportFormat,
    images: &Subset,
) -> Result<(), ExportError> {
    let library = match format {
        ExportFormat::Keras => Library::Keras,
        ExportFormat::Safetensors => Library::Pytorch,
        _ => return Err(ExportError::NoEvaluation),
    };
    let folder = exported.files.first().map_or(Path::new("."), |file| parent(file)).to_owned();
    let archive = images_archive(images, library)?;
    for (name, bytes) in [(IMAGES_FILE, archive), (EVALUATE_PY, program(library).into())] {
        let path = folder.join(name);
        write(files, &path, &bytes)?;
        exported.files.push(path);
    }
    Ok(())
}

/// The quantized file, and the figures of the network with floats and of the quantized one.
fn quantized(
    spec: &Spec,
    model: &SavedModel,
    plain: OnnxExport,
    images: &QuantizationImages,
) -> Result<(Vec<u8>, SplitFigures, SplitFigures), ExportError> {
    let QuantizationImages { data, device } = images;
    let (weights, preparation) = (&model.file.weights, &model.file.preparation);
    preparation.check_fits(spec)?;
    // The normalization that the network was trained with, not that of the images loaded now.
    let normalization = preparation.normalization();
    let device = &device.device;
    let quantized = quantize(spec, weights, &data.train, normalization, device)?;
    let failed = |error: &dyn std::error::Error| ExportError::Measure(error.to_string());
    let wrong = |error: WeightsError| ExportError::Quantize(error.into());
    let network = crate::model::Network::new(spec, weights, device).map_err(wrong)?;
    let emulated = quantized.emulated(spec, weights, device).map_err(wrong)?;
    let (validation, classes) = (&data.validation, data.classes.len());
    let float = measure(&network, validation, normalization, classes, device, &mut || {})
        .map_err(|error| failed(&error))?;
    let int8 = measure_quantized(&emulated, validation, normalization, classes, device)
        .map_err(|error| failed(&error))?;
    let bytes = OnnxExport { quantized: Some(&quantized), ..plain }.encode()?;
    Ok((bytes, float.into(), int8.into()))
}

/// Adds the figures of a quantized model to those of the model.
fn record(files: &dyn Files, model: &SavedModel, int8: SplitFigures) -> Result<(), ExportError> {
    let hash = model.file.weights.hash();
    let figures = ModelFigures::read(files, &model.folder)?;
    // A model of an earlier version has none, and the card of one then tells none.
    if let Some(figures) = figures.filter(|figures| figures.weights_hash == hash) {
        let figures = ModelFigures { int8: Some(int8), ..figures };
        let json = figures.to_json().map_err(ModelFileError::Note)?;
        write(files, &model.folder.join(FIGURES_FILE), &json)?;
    }
    Ok(())
}

fn write(files: &dyn Files, path: &Path, bytes: &[u8]) -> Result<(), ExportError> {
    files.create_folders(parent(path))?;
    Ok(files.write_atomically(path, bytes)?)
}
