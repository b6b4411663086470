//! Exported ONNX files say in another program (tract) what the network says here.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use burgeon::data::Normalization;
use burgeon::spec::{InputShape, Spec, StudyDocument};
use burgeon::unstable::model::{
    Classifier, DeviceChoice, ModelFile, Preparation, Subject, WeightArray, Weights, to_onnx,
};

use crate::skipping::{Group, tests};

pub fn group() -> Group {
    let program = program();
    Group {
        name: "onnx",
        missing: (!program.is_file())
            .then(|| format!("no {} (cargo build -p onnx-check)", program.display())),
        tests: tests![
            every_kind_of_layer_and_activation_runs_in_tract,
            every_shipped_study_runs_in_tract
        ],
    }
}

/// Where `cargo build -p onnx-check` puts the program that runs ONNX files.
fn program() -> PathBuf {
    Path::new(env!("CARGO_BIN_EXE_burgeon")).with_file_name("onnx-check")
}

/// The largest difference of a logit that is allowed.
pub const TOLERANCE: f32 = 1e-4;
const IMAGES: usize = 3;

pub fn named_study(layers: &str, input: InputShape) -> Spec {
    let text = format!("[model]\nlayers = [{layers}]\n");
    StudyDocument::new("study.toml", text).validate(input).unwrap()
}

/// Weights in which no array is what it starts from, and none is symmetrical.
pub fn trained(spec: &Spec) -> Weights {
    let mut weights = Weights::default();
    for (name, array) in Weights::initial(spec, 1).iter() {
        let values = array.values.iter().enumerate().map(|(at, value)| {
            let swing = ((at * 37 % 101) as f32 / 101.0 - 0.4) * 0.2;
            if name.ends_with("running-variance") { 1.0 + swing.abs() * 5.0 } else { value + swing }
        });
        let values = values.collect();
        weights.insert(name, WeightArray { shape: array.shape.clone(), values });
    }
    weights
}

/// Networks with images and logits, each in a folder, for `onnx-check` to run.
struct Cases {
    folder: tempfile::TempDir,
    names: Vec<(PathBuf, String, f32)>,
}

impl Cases {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), names: Vec::new() }
    }

    fn add(&mut self, spec: &Spec, name: &str) {
        let InputShape { height, width, classes, .. } = spec.input();
        let preparation = preparation(spec.input());
        let weights = trained(spec);
        let onnx = to_onnx(spec, &weights, &preparation).unwrap();
        let images: Vec<Vec<u8>> = (0..IMAGES)
            .map(|image| (0..height * width).map(|at| (at * (7 + image) % 256) as u8).collect())
            .collect();
        let pixels: Vec<f32> =
            images.iter().flatten().map(|&byte| f32::from(byte) / 255.0).collect();
        let device = DeviceChoice::Cpu.open().unwrap().device;
        let file = ModelFile { weights, preparation };
        let logits =
            Classifier::new(spec, file, &device).unwrap().logits(&images).unwrap().concat();
        assert_eq!(logits.len(), IMAGES * classes);
        // Relative to the largest logit, where that is more than one: rounding grows with the sums.
        let largest = logits.iter().fold(1.0_f32, |most, logit| most.max(logit.abs()));
        let spread = logits.iter().fold(0.0_f32, |most, logit| most.max((logit - logits[0]).abs()));
        assert!(spread > 100.0 * TOLERANCE, "{name}: logits of {spread} tell nothing");
        let folder = self.folder.path().join(self.names.len().to_string());
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("model.onnx"), onnx).unwrap();
        let case = serde_json::json!({
            "shape": [IMAGES, 1, height, width], "pixels": pixels, "logits": logits,
        });
        fs::write(folder.join("case.json"), case.to_string()).unwrap();
        self.names.push((folder, name.into(), largest));
    }

    /// Has them run by the program.
    #[track_caller]
    fn check(&self) {
        let folders = self.names.iter().map(|(folder, ..)| folder);
        let output = Command::new(program()).args(folders).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{:?}: {said}", self.names);
        let lines = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(lines.lines().count(), self.names.len());
        for (line, (_, name, largest)) in lines.lines().zip(&self.names) {
            let difference: f32 = line.split(' ').next().unwrap().parse().unwrap();
            assert!(difference <= TOLERANCE * largest, "{name}: {difference} of {largest}");
        }
    }
}

pub fn preparation(input: InputShape) -> Preparation {
    let classes = (0..input.classes).map(|class| class.to_string()).collect();
    let normalization = Normalization { mean: [0.13, 0.4, 0.5], std: [0.31, 0.2, 0.25] };
    let grey = Preparation::grey(input, normalization, classes, Subject::Whole);
    if input.channels == 1 { grey } else { grey.coloured(normalization) }
}

/// Layers of every kind and activation, each with a name.
pub fn every_kind_of_layer() -> Vec<(String, String)> {
    let mut layers = vec![
        ("softmax classifier", String::new()),
        ("same", "{ conv = { filters = 3, kernel = 3, padding = \"same\" } }".into()),
        ("even kernel", "{ conv = { filters = 3, kernel = 4, padding = \"same\" } }".into()),
        ("valid and strided", "{ conv = { filters = 3, kernel = 3, padding = \"valid\", stride = 2 } }".into()),
        ("strided same", "{ conv = { filters = 3, kernel = 3, padding = \"same\", stride = 2 } }".into()),
        ("explicit", "{ conv = { filters = 3, kernel = 3, padding = { explicit = 2 } } }".into()),
        ("max-pool", "{ conv = { filters = 3, kernel = 3 } }, { max-pool = { size = 2 } }".into()),
        ("overlapping max-pool", "{ max-pool = { size = 3, stride = 2 } }".into()),
        ("avg-pool", "{ avg-pool = { size = 2 } }".into()),
        ("overlapping avg-pool", "{ avg-pool = { size = 3, stride = 1 } }".into()),
        ("batch-norm", "{ conv = { filters = 3, kernel = 3, activation = \"none\" } }, { batch-norm = { activation = \"relu\" } }, { max-pool = { size = 2 } }".into()),
        ("flat batch-norm", "{ dense = { units = 6, activation = \"none\" } }, \"batch-norm\"".into()),
        ("padded max-pool", "{ conv = { filters = 3, kernel = 3, activation = \"none\" } }, { max-pool = { size = 3, stride = 2, padding = 1 } }".into()),
        ("same max-pool", "{ max-pool = { size = 3, stride = 2, padding = \"same\" } }".into()),
        ("padded avg-pool", "{ conv = { filters = 3, kernel = 3 } }, { avg-pool = { size = 3, stride = 2, padding = 1 } }".into()),
        ("same avg-pool", "{ avg-pool = { size = 2, stride = 1, padding = \"same\" } }".into()),
        ("groups", "{ conv = { filters = 6, kernel = 3 } }, { conv = { filters = 12, kernel = 3, groups = 3, stride = 2 } }".into()),
        ("depthwise and a pool", "{ conv = { filters = 4, kernel = 3 } }, { conv = { filters = 4, kernel = 3, groups = 4 } }, \"max-pool\"".into()),
        ("residual", "{ conv = { filters = 4, kernel = 3 } }, { residual = { layers = [{ conv = { filters = 6, kernel = 3 } }, { conv = { filters = 4, kernel = 3, activation = \"none\" } }] } }".into()),
        ("projection", "{ conv = { filters = 4, kernel = 3 } }, { residual = { layers = [{ conv = { filters = 6, kernel = 3, stride = 2, activation = \"none\" } }, { batch-norm = { activation = \"relu\" } }, { dropout = { rate = 0.5 } }, { conv = { filters = 6, kernel = 3, activation = \"none\" } }, \"batch-norm\"] } }, \"global-avg-pool\"".into()),
        ("plain projection and a nested block", "{ residual = { layers = [{ conv = { filters = 4, kernel = 3 } }, { residual = { layers = [{ conv = { filters = 4, kernel = 1 } }, { max-pool = { size = 3, stride = 1, padding = 1 } }], activation = \"gelu\" } }, { max-pool = { padding = \"same\" } }, { avg-pool = { size = 3, stride = 1, padding = \"same\" } }], activation = \"none\" } }".into()),
        ("dropout", "{ dropout = { rate = 0.5 } }, { dense = { units = 6 } }".into()),
        ("global-avg-pool", "{ conv = { filters = 5, kernel = 3 } }, \"global-avg-pool\", { dense = { units = 6 } }".into()),
    ];
    for activation in ["relu", "leaky-relu", "gelu", "silu", "tanh", "sigmoid", "none"] {
        layers.push((activation, format!("{{ conv = {{ filters = 2, kernel = 3, activation = \"{activation}\" }} }}, {{ batch-norm = {{ activation = \"{activation}\" }} }}, {{ dense = {{ units = 5, activation = \"{activation}\" }} }}")));
    }
    layers.into_iter().map(|(name, layers)| (name.to_owned(), layers)).collect()
}

fn every_kind_of_layer_and_activation_runs_in_tract() {
    let input = InputShape { channels: 1, height: 13, width: 10, classes: 4 };
    let mut cases = Cases::new();
    for (name, layers) in every_kind_of_layer() {
        cases.add(&named_study(&layers, input), &name);
    }
    cases.check();
}

/// The studies in `models/`, by path.
pub fn shipped_studies() -> Vec<(String, Spec)> {
    let models = concat!(env!("CARGO_MANIFEST_DIR"), "/models");
    let mut studies = Vec::new();
    for entry in fs::read_dir(models).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            let name = path.display().to_string();
            let study = StudyDocument::new(&name, fs::read_to_string(&path).unwrap());
            studies.push((name, study.validate(InputShape::MNIST).unwrap()));
        }
    }
    studies
}

fn every_shipped_study_runs_in_tract() {
    let mut cases = Cases::new();
    for (name, spec) in shipped_studies() {
        cases.add(&spec, &name);
    }
    assert!(cases.names.len() >= 6, "{} studies", cases.names.len());
    cases.check();
}
