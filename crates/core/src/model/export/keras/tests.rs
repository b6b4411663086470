//! Tests of `model::keras`.

use std::io::Cursor;

use super::*;
use crate::data::Normalization;
use crate::model::preparation::Subject;
use crate::spec::{InputShape, StudyDocument};

fn exported(layers: &str, classes: &[&str]) -> (KerasModel, Weights) {
    let text = format!("[model]\nlayers = [{layers}]\n");
    let input = InputShape { classes: classes.len(), ..InputShape::MNIST };
    let spec = StudyDocument::new("a.toml", text).validate(input).unwrap();
    let classes = classes.iter().map(|&class| class.to_owned()).collect();
    let normalization = Normalization::of_all(0.13, 0.31);
    let preparation = Preparation::grey(input, normalization, classes, Subject::Whole);
    let weights = Weights::initial(&spec, 1);
    (to_keras(&spec, &weights, &preparation, KERAS_FILE).unwrap(), weights)
}

/// The shape and numbers of an array in an archive.
fn array(archive: &[u8], name: &str) -> (String, Vec<f32>) {
    use std::io::Read;
    let mut archive = zip::ZipArchive::new(Cursor::new(archive)).unwrap();
    let mut bytes = Vec::new();
    archive.by_name(&format!("{name}.npy")).unwrap().read_to_end(&mut bytes).unwrap();
    let length = u16::from_le_bytes([bytes[8], bytes[9]]) as usize;
    assert_eq!((10 + length) % 64, 0, "numbers are aligned");
    let header = String::from_utf8(bytes[10..10 + length].to_vec()).unwrap();
    let shape = header.split("'shape': ").nth(1).unwrap().split(", }").next().unwrap().to_owned();
    let (numbers, _) = bytes[10 + length..].as_chunks::<4>();
    (shape, numbers.iter().map(|number| f32::from_le_bytes(*number)).collect())
}

#[test]
fn arrays_have_keras_layouts() {
    let layers = "{ conv = { filters = 3, kernel = 2, padding = \"valid\" } }, { max-pool = { size = 9 } }, \
                  { conv = { filters = 6, kernel = 1, groups = 3 } }, { dense = { units = 4 } }";
    let (exported, weights) = exported(layers, &["a", "b"]);
    let (shape, kernel) = array(&exported.weights, "layers_0.0");
    assert_eq!(shape, "(2, 2, 1, 3,)");
    let original = weights.get("layers.0.weight").unwrap();
    // Row 1, column 0, filter 2.
    assert_eq!(kernel[2 * 3 + 2], original.values[2 * 4 + 2]);
    let (shape, kernel) = array(&exported.weights, "layers_2.0");
    assert_eq!(shape, "(1, 1, 3, 2,)", "filters of each channel");
    assert_eq!(kernel, weights.get("layers.2.weight").unwrap().values);
    let (shape, kernel) = array(&exported.weights, "layers_3.0");
    assert_eq!(shape, "(54, 4,)");
    let original = weights.get("layers.3.weight").unwrap();
    // Pixel 7, channel 4: pixel by pixel there, channel by channel here.
    assert_eq!(kernel[(7 * 6 + 4) * 4..][..4], original.values[(4 * 9 + 7) * 4..][..4]);
    assert_eq!(array(&exported.weights, "head.1").0, "(2,)");
}

#[test]
fn the_program_holds_the_layers_in_order() {
    let layers = "{ conv = { filters = 2, kernel = 3, padding = { explicit = 1 }, activation = \"leaky-relu\" } }, \
        { residual = { layers = [{ conv = { filters = 4, kernel = 3, stride = 2, activation = \"none\" } }, \"batch-norm\"] } }, \
        { max-pool = { size = 3, stride = 2, padding = 1 } }, { avg-pool = { size = 3, stride = 2, padding = \"same\" } }, \
        { dense = { units = 3 } }, { batch-norm = { activation = \"gelu\" } }";
    let code = exported(layers, &["a", "b"]).0.code;
    let lines = [
        "images = x = keras.Input(shape=(28, 28, 1))",
        "x = layers.ZeroPadding2D(1)(x)",
        "x = layers.Conv2D(2, 3, activation=leaky_relu, name=\"layers_0\")(x)",
        "shortcut_1 = x",
        "x = layers.Conv2D(4, 3, strides=2, padding=\"same\", name=\"layers_1_residual_0\")(x)",
        "x = layers.BatchNormalization(momentum=0.9, epsilon=1e-5, name=\"layers_1_residual_1\")(x)",
        "shortcut_1 = layers.Conv2D(4, 1, strides=2, padding=\"same\", name=\"layers_1_projection\")(shortcut_1)",
        "name=\"layers_1_projection_norm\")(shortcut_1)",
        "x = layers.Add(name=\"layers_1\")([x, shortcut_1])",
        "x = layers.Activation(\"relu\")(x)",
        "x = LowPadding(((1, 1), (1, 1)))(x)",
        "x = layers.MaxPooling2D(3, strides=2, name=\"layers_2\")(x)",
        "x = layers.ZeroPadding2D(((1, 1), (1, 1)))(x)",
        "x = layers.AveragePooling2D(3, strides=2, name=\"layers_3\")(x)",
        "x = layers.Flatten()(x)",
        "x = layers.Dense(3, activation=\"relu\", name=\"layers_4\")(x)",
        "x = layers.Activation(\"gelu\")(x)",
        "x = layers.Dense(2, name=\"head\")(x)",
        "return keras.Model(images, x)",
    ];
    let mut rest = &code[..];
    for line in lines {
        let at = rest.find(line).unwrap_or_else(|| panic!("{line} is not in\n{rest}"));
        rest = &rest[at + line.len()..];
    }
}

#[test]
fn hostile_class_names_stay_within_their_strings() {
    let hostile = "\"]\nimport os\u{0}'''\\";
    let code = exported("", &[hostile, "b"]).0.code;
    assert!(code.lines().all(|line| !line.starts_with("import os")), "{code}");
    assert!(code.contains("return keras.Sequential(["), "{code}");
}
