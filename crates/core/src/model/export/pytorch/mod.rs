//! PyTorch export: the weights under PyTorch's names, and a program that rebuilds the network there.

mod code;

use safetensors::tensor::{Dtype, TensorView};

use crate::model::model_file::ModelFileError;
use crate::model::preparation::Preparation;
use crate::model::weights::{Weights, WeightsError, bytes_of};
use crate::spec::Spec;

/// File of the weights under PyTorch's names, which [`MODEL_PY`] loads.
pub const PYTORCH_FILE: &str = "pytorch.safetensors";
/// File of the program that rebuilds the network in PyTorch.
pub const MODEL_PY: &str = "model.py";

/// A network for PyTorch: the content of two files that belong together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PyTorchModel {
    /// Content of [`PYTORCH_FILE`]: convolutions `[filters, channels, kernel, kernel]`, dense layers
    /// `[out, in]`, batch-norms as `weight`, `bias`, `running_mean` and `running_var`.
    pub weights: Vec<u8>,
    /// Content of [`MODEL_PY`], which holds layers, classes and preparation.
    pub code: String,
}

/// The network for PyTorch; `file` is the name of the file of its weights, which the program loads.
///
/// # Errors
///
/// If the weights or the preparation do not fit the spec.
pub fn to_pytorch(
    spec: &Spec,
    weights: &Weights,
    preparation: &Preparation,
    file: &str,
) -> Result<PyTorchModel, ModelFileError> {
    weights.check(spec)?;
    preparation.check_fits(spec)?;
    Ok(PyTorchModel {
        weights: state_dict(weights)?,
        code: code::program(spec, preparation, file).map_err(ModelFileError::Note)?,
    })
}

/// The weights as a safetensors file with the keys of the network's `state_dict` in PyTorch.
fn state_dict(weights: &Weights) -> Result<Vec<u8>, WeightsError> {
    let weights = crate::model::model_file::with_transposed_dense_weights(weights);
    let mut views = Vec::new();
    let arrays: Vec<_> = weights
        .iter()
        .map(|(name, array)| (torch_name(name), array, bytes_of(&array.values)))
        .collect();
    for (name, array, bytes) in &arrays {
        let view = TensorView::new(Dtype::F32, array.shape.clone(), bytes);
        views.push((name.as_str(), view.map_err(WeightsError::Unwritable)?));
    }
    // Hugging Face's libraries refuse files that do not say for which framework they are.
    let header = [("format".to_owned(), "pt".to_owned())].into();
    safetensors::serialize(views, Some(header)).map_err(WeightsError::Unwritable)
}

/// The name of an array of [`Weights`] in PyTorch. A projection is a sequence of a convolution and
/// perhaps a batch-norm there, so its arrays have the number of their module before the last word.
pub(crate) fn torch_name(name: &str) -> String {
    let Some((prefix, field)) = name.rsplit_once('.') else {
        return name.into();
    };
    let (field, is_norm) = match field {
        "gamma" => ("weight", true),
        "beta" => ("bias", true),
        "running-mean" => ("running_mean", true),
        "running-variance" => ("running_var", true),
        other => (other, false),
    };
    match prefix.ends_with(".projection") {
        true => format!("{prefix}.{}.{field}", usize::from(is_norm)),
        false => format!("{prefix}.{field}"),
    }
}

#[cfg(test)]
mod tests;
