//! PyTorch export: the weights under PyTorch's names, and a program that rebuilds the network there.

mod code;

use safetensors::tensor::{Dtype, TensorView};

use super::model_file::ModelFileError;
use super::preparation::Preparation;
use super::weights::{Weights, WeightsError, bytes_of};
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
    let weights = super::model_file::with_transposed_dense_weights(weights);
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
mod tests {
    use super::*;
    use crate::data::Normalization;
    use crate::model::preparation::Subject;
    use crate::spec::{InputShape, StudyDocument};

    const BLOCK: &str = "{ conv = { filters = 2, kernel = 3 } }, { residual = { layers = [{ conv = { filters = 4, kernel = 3, groups = 2, stride = 2, activation = \"none\" } }, \"batch-norm\"], activation = \"silu\" } }, { max-pool = { size = 3, stride = 2, padding = \"same\" } }, { dense = { units = 3 } }, \"batch-norm\"";

    fn exported(layers: &str, classes: &[&str]) -> PyTorchModel {
        let text = format!("[model]\nlayers = [{layers}]\n");
        let input = InputShape { classes: classes.len(), ..InputShape::MNIST };
        let spec = StudyDocument::new("a.toml", text).validate(input).unwrap();
        let classes = classes.iter().map(|&class| class.to_owned()).collect();
        let preparation =
            Preparation::grey(input, Normalization::of_all(0.13, 0.31), classes, Subject::Whole);
        to_pytorch(&spec, &Weights::initial(&spec, 1), &preparation, PYTORCH_FILE).unwrap()
    }

    #[test]
    fn the_state_dict_has_pytorchs_names_and_layouts() {
        let exported = exported(BLOCK, &["a", "b"]);
        let file = safetensors::SafeTensors::deserialize(&exported.weights).unwrap();
        let mut found: Vec<(String, Vec<usize>)> =
            file.tensors().into_iter().map(|(name, view)| (name, view.shape().to_vec())).collect();
        found.sort();
        let shape = |name: &str| {
            let found = found.iter().find(|(found, _)| found == name);
            found.map(|(_, shape)| shape.clone()).unwrap_or_default()
        };
        assert_eq!(shape("layers.0.weight"), [2, 1, 3, 3]);
        assert_eq!(shape("layers.1.residual.0.weight"), [4, 1, 3, 3]);
        assert_eq!(shape("layers.1.residual.1.running_var"), [4]);
        assert_eq!(shape("layers.1.projection.0.weight"), [4, 2, 1, 1]);
        assert_eq!(shape("layers.1.projection.1.running_mean"), [4]);
        assert_eq!(shape("layers.3.weight"), [3, 4 * 7 * 7]);
        assert_eq!(shape("layers.4.weight"), [3]);
        assert_eq!(shape("head.weight"), [2, 3]);
        assert!(found.iter().all(|(name, _)| !name.contains('-') && !name.contains("gamma")));
    }

    #[test]
    fn the_program_holds_the_layers_in_order() {
        let code = exported(BLOCK, &["a", "b"]).code;
        let lines = [
            "Conv(1, 2, 3, stride=1, pads=(1, 1, 1, 1), groups=1, activation=nn.ReLU()),",
            "Residual(",
            "Conv(2, 4, 3, stride=2, pads=(0, 1, 0, 1), groups=2, activation=nn.Identity()),",
            "BatchNorm2d(4, eps=1e-5, momentum=0.1, activation=nn.Identity()),",
            "Conv(2, 4, 1, stride=2, pads=(0, 0, 0, 0), groups=1, activation=nn.Identity()),",
            "activation=nn.SiLU(),",
            "MaxPool(3, stride=2, pads=(0, 1, 0, 1)),",
            "Dense(196, 3, activation=nn.ReLU()),",
            "BatchNorm1d(3, eps=1e-5, momentum=0.1, activation=nn.Identity()),",
            "self.head = Dense(3, 2, activation=nn.Identity())",
        ];
        let mut rest = &code[..];
        for line in lines {
            let at = rest.find(line).unwrap_or_else(|| panic!("{line} is not in\n{rest}"));
            rest = &rest[at + line.len()..];
        }
        assert!(!code.contains("class AvgPool"), "only what is used is defined");
    }

    #[test]
    fn hostile_class_names_stay_within_their_strings() {
        let hostile = "\"]\nimport os\u{0}'''\\";
        let code = exported("", &[hostile, "b"]).code;
        assert!(code.lines().all(|line| !line.starts_with("import os")), "{code}");
        assert!(code.contains(r#"CLASSES = ["\"]\nimport os\u0000'''\\","b"]"#), "{code}");
    }
}
