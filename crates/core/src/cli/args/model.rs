//! Arguments of the commands that use a trained model.

use std::path::PathBuf;

use clap::builder::BoolishValueParser;
use clap::{Args, ValueEnum};

use crate::cli::candidates::{files, runs};
use crate::data::Split;

/// Arguments of `predict`.
#[derive(Debug, Args)]
pub struct PredictArguments {
    /// A run folder, such as runs/lenet-5-0001, or a model folder, such as runs/lenet-5-0001/best
    #[arg(add = runs())]
    pub run: PathBuf,
    /// Picture files of any size: PNG, JPEG, WebP, GIF, BMP, TIFF or PNM
    #[arg(required_unless_present = "from_split", add = files())]
    pub images: Vec<PathBuf>,
    /// Classify the images of this split of the run's own data instead; reading the test images is recorded in the run
    #[arg(long, value_enum, value_name = "SPLIT", conflicts_with = "images")]
    pub from_split: Option<SplitName>,
    /// Classify only the first N images of the split
    #[arg(long, value_name = "N", requires = "from_split", conflicts_with = "images",
          value_parser = clap::value_parser!(u64).range(1..))]
    pub limit: Option<u64>,
    /// Whether digits are drawn in dark ink and must be inverted; other pictures are inverted only with `always`
    #[arg(long, value_enum, default_value_t = InvertName::Auto, env = "BURGEON_INVERT")]
    pub invert: InvertName,
    /// Use whole pictures, without cutting out and centring digits, even if the model was trained on digits
    #[arg(long, env = "BURGEON_AS_IS", value_parser = BoolishValueParser::new())]
    pub as_is: bool,
}

/// Arguments of `import`.
#[derive(Debug, Args)]
pub struct ImportArguments {
    /// A safetensors file of a PyTorch state_dict
    pub weights: PathBuf,
    /// The study that describes the layers of the weights, and the images to measure them on
    #[arg(long)]
    pub study: PathBuf,
    /// Import what fits, and initialize the other layers at random
    #[arg(long)]
    pub partial: bool,
    /// Means that the pixels (0 to 1) were normalized with in training: one, or one for each channel; by default
    /// those of the study's training images
    #[arg(long, value_delimiter = ',', requires = "std", value_name = "MEAN", num_args = 1, value_parser = number)]
    pub mean: Vec<f32>,
    /// Standard deviations that the pixels were normalized with, likewise
    #[arg(long, value_delimiter = ',', requires = "mean", value_name = "STD", num_args = 1, value_parser = positive)]
    pub std: Vec<f32>,
}

fn number(text: &str) -> Result<f32, String> {
    let number: f32 = text.parse().map_err(|_| format!("{text:?} is not a number"))?;
    if number.is_finite() { Ok(number) } else { Err("use a finite number".into()) }
}

fn positive(text: &str) -> Result<f32, String> {
    number(text).and_then(|number| {
        if number > 0.0 { Ok(number) } else { Err("use a number above 0".into()) }
    })
}

/// Arguments of `export`.
#[derive(Debug, Args)]
pub struct ExportArguments {
    /// A run folder, such as runs/lenet-5-0001, or a model folder, such as runs/lenet-5-0001/best
    pub run: PathBuf,
    /// What to write
    #[arg(long, value_enum)]
    pub format: FormatName,
    /// A folder, or a file that ends in .onnx, .safetensors or .npz; the model's own folder by default
    #[arg(long, short, value_name = "DIR|FILE")]
    pub output: Option<PathBuf>,
    /// Also write validation.npz, the run's validation images, and evaluate.py, which measures the exported network on
    /// them and writes accuracy.txt [formats: keras, pytorch]
    #[arg(long)]
    pub evaluation: bool,
}

/// A format by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum FormatName {
    /// ONNX that takes pixels as floats from 0 to 1, [batch, channels, height, width]
    Onnx,
    /// ONNX that takes decoded bytes, [batch, height, width, channels], and prepares them itself
    OnnxPixels,
    /// ONNX quantized to 8-bit integers, calibrated on training images; its accuracy is measured
    OnnxInt8,
    /// Weights with PyTorch's names, and model.py, which rebuilds the network
    Safetensors,
    /// The same as safetensors
    Pytorch,
    /// keras_model.py, which builds the network in Keras, and keras.npz with its weights
    Keras,
}

impl FormatName {
    /// The name as the option spells it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Onnx => "onnx",
            Self::OnnxPixels => "onnx-pixels",
            Self::OnnxInt8 => "onnx-int8",
            Self::Safetensors => "safetensors",
            Self::Pytorch => "pytorch",
            Self::Keras => "keras",
        }
    }
}

/// A split by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SplitName {
    /// The images that the network was trained on
    Train,
    /// The images that the gate is applied to
    Validation,
    /// The held-out images, which influence no decision
    Test,
}

impl From<SplitName> for Split {
    fn from(name: SplitName) -> Self {
        match name {
            SplitName::Train => Self::Train,
            SplitName::Validation => Self::Validation,
            SplitName::Test => Self::Test,
        }
    }
}

/// `--invert` by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum InvertName {
    /// Detect it: the background is what covers most of the picture
    Auto,
    /// The ink is dark
    Always,
    /// The ink is light
    Never,
}
