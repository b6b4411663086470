//! Networks: built from a spec on a device, initialized, grafted from a parent, saved, exported, used.
//!
//! [`Network`] is the burn module. [`Weights`] holds the same numbers as plain arrays by name, which are
//! saved, compared, grafted and exported. A network is always built from weights, so that its numbers do
//! not depend on the device: [`Weights::initial`] draws them from the study's seed, [`Graft`] carries
//! them over from a parent, `inherited_weights` from a trained model of other classes.
//!
//! A trained network is used through a [`Classifier`], which is opened from a [`SavedModel`]: weights,
//! spec and [`Preparation`], which describes how pictures become the network's input. `export` writes it for other libraries.

mod arrays;
mod classifier;
mod device;
pub(crate) mod export;
pub(crate) mod graft;
pub(crate) mod import;
pub(crate) mod inherit;
mod initial;
mod layers;
pub(crate) mod model_file;
pub(crate) mod network;
pub(crate) mod optimizer_record;
pub(crate) mod preparation;
pub(crate) mod quantization;
pub(crate) mod read;
mod residual;
pub(crate) mod saved;
mod tap;
pub(crate) mod weights;

pub(crate) use crate::record::GraftReport;
pub(crate) use arrays::{running_statistics, trained_parameters, weight_number};
pub use classifier::{Classifier, ClassifierError, InputError};
pub use device::{DeviceChoice, DeviceError, OpenDevice};
pub(crate) use export::{
    KERAS_FILE, KERAS_PY, MODEL_PY, OnnxExport, OnnxInput, PYTORCH_FILE, to_keras, to_onnx,
    to_pytorch,
};
pub(crate) use graft::{Graft, GraftError, keeps_optimizer, refreshed};
pub(crate) use import::{ImportError, ImportReport, Reason, import_pytorch};
pub(crate) use inherit::{ClassMatch, inherited_weights};
pub use model_file::ModelFile;
pub(crate) use model_file::ModelFileError;
pub(crate) use network::layer_rows;
pub use network::{Mode, Network};
pub(crate) use optimizer_record::{AdamMoments, OptimizerRecord, OptimizerRecordError};
pub(crate) use preparation::Subject;
pub use preparation::{Preparation, PreparationError};
pub(crate) use quantization::{Calibration, EmulatedNetwork, QuantizedNetwork};
pub(crate) use read::ReadError;
pub(crate) use read::{read_all, read_scalar, read_values};
pub use saved::OpenError;
pub(crate) use saved::{SPEC_FILE, WEIGHTS_FILE};
pub(crate) use saved::{SavedFiles, SavedModel};
pub use weights::{WeightArray, Weights, WeightsError};
