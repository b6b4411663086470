//! Tests of `model::pytorch`.

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
