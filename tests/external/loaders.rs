//! Exported models say in the programs that they are for what the network says here: in ONNX Runtime, in
//! safetensors' own reader and, where it is installed, in PyTorch.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use burgeon::spec::{Amount, InputShape, Spec};
use burgeon::unstable::data::{
    DataRequest, Dataset, Download, Fallback, Images, Source, Split, load, mnist, synthetic,
};
use burgeon::unstable::model::{
    Classifier, DeviceChoice, KERAS_FILE, KERAS_PY, ModelFile, OnnxExport, OnnxInput, PYTORCH_FILE,
    SavedModel, to_keras, to_onnx, to_pytorch,
};
use serde_json::Value;

use crate::mnist_files::real_mnist;
use crate::onnx::{
    TOLERANCE, every_kind_of_layer, named_study, preparation, shipped_studies, trained,
};
use crate::programs::{every_program_of_keras_is_its_study, every_program_of_pytorch_is_its_study};
use crate::skipping::{Group, tests};
use crate::support::{Bench, expect_code, stdout};

/// Packages that the tests of ONNX and safetensors need.
const PACKAGES: &str = "import numpy, onnxruntime, safetensors";

pub fn group() -> Group {
    let missing = !has(PACKAGES);
    Group {
        name: "loaders",
        missing: missing.then(|| {
            format!(
                "no {} with numpy, onnxruntime and safetensors (python3 -m venv target/python, and pip install them)",
                python().display()
            )
        }),
        tests: tests![
            every_kind_of_layer_says_the_same_in_onnx_runtime,
            every_shipped_study_says_the_same_of_a_thousand_images_in_onnx_runtime,
            a_grown_run_is_exported_in_every_format,
            a_quantized_model_is_as_good_as_it_is_told_to_be
        ],
    }
}

/// The same in PyTorch, which takes gigabytes to install.
pub fn torch_group() -> Group {
    let missing = !has("import numpy, safetensors.torch, torch");
    Group {
        name: "pytorch",
        missing: missing.then(|| format!("no {} with torch and safetensors", python().display())),
        tests: tests![
            every_kind_of_layer_says_the_same_in_pytorch,
            every_shipped_study_says_the_same_in_pytorch,
            every_program_of_pytorch_is_its_study
        ],
    }
}

/// The same in Keras, with a backend of its own.
pub fn keras_group() -> Group {
    let imports = Command::new(keras_python()).args(["-c", "import keras, numpy"]).output();
    let missing = !imports.is_ok_and(|output| output.status.success());
    Group {
        name: "keras",
        missing: missing.then(|| format!("no {} with tensorflow-cpu", keras_python().display())),
        tests: tests![
            every_kind_of_layer_says_the_same_in_keras,
            every_shipped_study_says_the_same_in_keras,
            every_program_of_keras_is_its_study
        ],
    }
}

/// The Python that has Keras: `BURGEON_KERAS_PYTHON`, or the one that `.ci/long` makes.
pub fn keras_python() -> PathBuf {
    let made = || Path::new(env!("CARGO_MANIFEST_DIR")).join("target/keras/bin/python");
    std::env::var_os("BURGEON_KERAS_PYTHON").map_or_else(made, PathBuf::from)
}

/// The Python that has the packages: `BURGEON_PYTHON`, or the one that `.ci/run` makes.
pub fn python() -> PathBuf {
    let made = || Path::new(env!("CARGO_MANIFEST_DIR")).join("target/python/bin/python");
    std::env::var_os("BURGEON_PYTHON").map_or_else(made, PathBuf::from)
}

pub fn has(imports: &str) -> bool {
    let output = Command::new(python()).args(["-c", imports]).output();
    output.is_ok_and(|output| output.status.success())
}

const ONNX: [&str; 3] = ["model.onnx", "model-pixels.onnx", PYTORCH_FILE];
const PYTORCH: [&str; 1] = ["model.py"];
const KERAS: [&str; 1] = [KERAS_PY];

/// Folders for `loaders.py`.
pub struct Cases {
    folder: tempfile::TempDir,
    python: PathBuf,
    /// Name, folder, and the largest logit.
    cases: Vec<(String, PathBuf, f32)>,
}

impl Cases {
    pub fn new() -> Self {
        Self::of(python())
    }

    /// Cases that another Python looks at.
    pub fn of(python: PathBuf) -> Self {
        Self { folder: tempfile::tempdir().unwrap(), python, cases: Vec::new() }
    }

    /// Adds a network with weights of its own and what it says of some images.
    fn add(&mut self, name: &str, spec: &Spec, images: &[Vec<u8>], files: &[&str]) {
        let weights = trained(spec);
        let preparation = preparation(spec.input());
        let pytorch = to_pytorch(spec, &weights, &preparation, PYTORCH_FILE).unwrap();
        let folder = self.begin(name);
        fs::write(folder.join(PYTORCH_FILE), pytorch.weights).unwrap();
        fs::write(folder.join("model.py"), pytorch.code).unwrap();
        let keras = to_keras(spec, &weights, &preparation, KERAS_FILE).unwrap();
        fs::write(folder.join(KERAS_FILE), keras.weights).unwrap();
        fs::write(folder.join(KERAS_PY), keras.code).unwrap();
        fs::write(folder.join("model.onnx"), to_onnx(spec, &weights, &preparation).unwrap())
            .unwrap();
        let pixels = OnnxExport {
            spec,
            weights: &weights,
            preparation: &preparation,
            input: OnnxInput::DecodedBytes,
            quantized: None,
        };
        fs::write(folder.join("model-pixels.onnx"), pixels.encode().unwrap()).unwrap();
        let file = ModelFile { weights, preparation };
        let device = DeviceChoice::Cpu.open().unwrap().device;
        let classifier = Classifier::new(spec, file, &device).unwrap();
        self.expect(name, folder, &classifier, images, files);
    }

    fn begin(&self, name: &str) -> PathBuf {
        let folder = self.folder.path().join(self.cases.len().to_string());
        fs::create_dir(&folder).unwrap();
        assert!(!name.is_empty());
        folder
    }

    /// Writes what a classifier says of images.
    fn expect(
        &mut self,
        name: &str,
        folder: PathBuf,
        classifier: &Classifier,
        images: &[Vec<u8>],
        files: &[&str],
    ) {
        let logits = classifier.logits(images).unwrap().concat();
        let largest = logits.iter().fold(1.0_f32, |most, logit| most.max(logit.abs()));
        let InputShape { channels, height, width, .. } = classifier.input();
        let case = serde_json::json!({
            "shape": [images.len(), channels, height, width], "files": files,
        });
        fs::write(folder.join("case.json"), case.to_string()).unwrap();
        fs::write(folder.join("images.bin"), images.concat()).unwrap();
        let bytes: Vec<u8> = logits.iter().flat_map(|logit| logit.to_le_bytes()).collect();
        fs::write(folder.join("logits.bin"), bytes).unwrap();
        self.cases.push((name.into(), folder, largest));
    }

    /// Adds the study of a program, which `originals.py` builds and compares with it.
    pub fn add_program(&mut self, name: &str, spec: &Spec, files: &[&str], original: Value) {
        self.add(name, spec, &patterns(spec.input(), 3), files);
        let (_, folder, _) = &self.cases[self.cases.len() - 1];
        let path = folder.join("case.json");
        let mut case: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        case["original"] = original;
        fs::write(path, case.to_string()).unwrap();
    }

    /// Has all programs built and run, and checks that nothing differs.
    pub fn check_programs(&self) {
        let (mut worst, mut compared, mut wrong) = (0.0_f64, 0, Vec::new());
        let told = self.run();
        assert_eq!(told.len(), 2 * self.cases.len(), "the exported program and its original");
        for (name, largest, told) in told {
            if told["parameters_are_equal"] == false {
                wrong.push(format!("{name}: {told}"));
            }
            if let Some(difference) = told["difference"].as_f64() {
                compared += 1;
                worst = worst.max(difference / f64::from(largest));
                if difference > 1e-4 * f64::from(largest) {
                    wrong.push(format!("{name}: {told}, largest {largest}"));
                }
            }
        }
        println!(
            "{compared} comparisons of logits, largest difference {worst:.1e} of the largest logit"
        );
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }

    /// What `loaders.py` says of each file, with the name and the largest logit of its case.
    fn run(&self) -> Vec<(String, f32, Value)> {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/external/loaders.py");
        let folders = self.cases.iter().map(|(_, folder, _)| folder);
        let output = Command::new(&self.python).arg(script).args(folders).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{said}");
        let lines = String::from_utf8_lossy(&output.stdout).into_owned();
        let told = lines.lines().map(|line| {
            let told: Value = serde_json::from_str(line).unwrap();
            let path = PathBuf::from(told["file"].as_str().unwrap());
            let case = self.cases.iter().find(|(_, folder, _)| path.starts_with(folder)).unwrap();
            (case.0.clone(), case.2, told)
        });
        told.collect()
    }

    /// Has all of them run, and checks that nothing differs.
    #[track_caller]
    fn check(&self, files: usize) {
        let told = self.run();
        assert_eq!(told.len(), files * self.cases.len());
        let mut worst = 0.0_f64;
        for (name, largest, told) in told {
            if let Some(difference) = told["difference"].as_f64() {
                let relative = difference / f64::from(largest);
                assert!(relative <= f64::from(TOLERANCE), "{name}: {told}, largest {largest}");
                assert_eq!(told["other_answers"], 0, "{name}: {told}");
                worst = worst.max(relative);
            } else {
                let arrays = told["arrays"].as_object().unwrap();
                assert!(arrays.contains_key("head.weight"), "{name}: {told}");
            }
        }
        println!("largest difference of a logit, of the largest one: {worst:.1e}");
    }
}

/// Images of any shape that are not symmetrical.
fn patterns(input: InputShape, count: usize) -> Vec<Vec<u8>> {
    let len = input.channels * input.height * input.width;
    (0..count).map(|image| (0..len).map(|at| (at * (7 + image) % 256) as u8).collect()).collect()
}

/// MNIST's test images, or the built-in digits where it is not here.
fn digits(count: usize) -> Vec<Vec<u8>> {
    let images: Images = match real_mnist().and_then(|dir| mnist::read(&dir).ok()) {
        Some(content) => content.test,
        None => synthetic::digits(Split::Test, count, 1, |_| {}),
    };
    (0..count).map(|at| images.image(at).to_vec()).collect()
}

fn kinds(files: &[&str]) {
    kinds_of(Cases::new(), files);
}

fn kinds_of(mut cases: Cases, files: &[&str]) {
    for (name, layers) in every_kind_of_layer() {
        for channels in [1, 3] {
            let input = InputShape { channels, height: 13, width: 10, classes: 4 };
            // A pool over the image itself works on any number of channels, a group not.
            let spec = named_study(&layers, input);
            cases.add(&name, &spec, &patterns(input, 3), files);
        }
    }
    cases.check(files.len());
}

fn studies(files: &[&str], count: usize) {
    studies_of(Cases::new(), files, count);
}

fn studies_of(mut cases: Cases, files: &[&str], count: usize) {
    let images = digits(count);
    for (name, spec) in shipped_studies() {
        cases.add(&name, &spec, &images, files);
    }
    assert!(cases.cases.len() >= 6, "{} studies", cases.cases.len());
    cases.check(files.len());
}

fn every_kind_of_layer_says_the_same_in_onnx_runtime() {
    kinds(&ONNX);
}

fn every_shipped_study_says_the_same_of_a_thousand_images_in_onnx_runtime() {
    studies(&ONNX, 1000);
}

fn every_kind_of_layer_says_the_same_in_pytorch() {
    kinds(&PYTORCH);
}

fn every_shipped_study_says_the_same_in_pytorch() {
    studies(&PYTORCH, 1000);
}

fn every_kind_of_layer_says_the_same_in_keras() {
    kinds_of(Cases::of(keras_python()), &KERAS);
}

fn every_shipped_study_says_the_same_in_keras() {
    studies_of(Cases::of(keras_python()), &KERAS, 100);
}

/// The built-in digits of a study in these tests.
fn drawn(train: usize, validation: usize) -> Dataset {
    let request = DataRequest {
        source: Source::Synthetic,
        fallback: Fallback::None,
        validation: Some(Amount::Count(validation)),
        train: Some(train),
        download: Download::Never,
        ..DataRequest::mnist(42)
    };
    load(&request, &mut |_| {}).unwrap().dataset
}

fn a_grown_run_is_exported_in_every_format() {
    let bench = Bench::new();
    expect_code(&bench.burgeon(&["tune", "study.toml"]), 0);
    let mut cases = Cases::new();
    let folder = cases.begin("grown");
    for format in ["onnx", "onnx-pixels", "safetensors"] {
        let arguments = ["export", "runs/growing-0001", "--format", format, "--output"];
        let output = bench.command(&arguments).arg(&folder).output().unwrap();
        expect_code(&output, 0);
    }
    let classifier = Classifier::open(bench.run()).unwrap();
    cases.expect("grown", folder, &classifier, &digits(1000), &ONNX);
    cases.check(ONNX.len());
}

const RESIDUAL: &str = r#"
name = "residual"
[data]
source = "synthetic"
train = 3000
validation = 1000
[model]
layers = [
  { conv = { filters = 16, kernel = 3, activation = "none" } },
  { batch-norm = { activation = "relu" } },
  "max-pool",
  { residual = { layers = [{ conv = { filters = 32, kernel = 3, stride = 2, activation = "none" } }, "batch-norm"] } },
  { dense = { units = 64 } },
]
[train]
epochs = 2
[gate]
accuracy = 0.5
"#;

fn a_quantized_model_is_as_good_as_it_is_told_to_be() {
    let bench = Bench::with_study(RESIDUAL);
    expect_code(&bench.burgeon(&["train", "study.toml"]), 0);
    let run = "runs/residual-0001";
    let output = bench.burgeon(&["export", run, "--format", "onnx-int8", "--json"]);
    expect_code(&output, 0);
    let told: Value = serde_json::from_str(&stdout(&output)).unwrap();
    let quantized = &told["quantized"];
    let figure = |key: &str| quantized[key].as_f64().unwrap();
    let (float, int8) = (figure("validation_accuracy"), figure("quantized_validation_accuracy"));
    assert!((float - int8) * 100.0 <= 0.3, "{quantized}");
    assert!(figure("size") <= 0.3, "{quantized}");
    let best = bench.path().join(run).join("best");
    let card = fs::read_to_string(best.join("card.md")).unwrap();
    assert!(card.contains(&format!("| validation, `model-int8.onnx` | {:.2} % |", int8 * 100.0)));

    let data = drawn(3000, 1000);
    let images: Vec<Vec<u8>> = (0..1000).map(|at| data.validation.image(at).to_vec()).collect();
    let labels: Vec<u8> = (0..1000).map(|at| data.validation.label(at) as u8).collect();
    let mut cases = Cases::new();
    let folder = cases.begin("quantized");
    fs::copy(best.join("model-int8.onnx"), folder.join("model-int8.onnx")).unwrap();
    fs::write(folder.join("labels.bin"), labels).unwrap();
    let model = SavedModel::open(&best).unwrap();
    let device = DeviceChoice::Cpu.open().unwrap().device;
    let classifier = model.classifier(&device).unwrap();
    cases.expect("quantized", folder, &classifier, &images, &["model-int8.onnx"]);
    let [(_, _, told)] = &cases.run()[..] else { panic!("one file") };
    let found = told["accuracy"].as_f64().unwrap();
    println!("float {float}, told {int8}, ONNX Runtime {found}, size {}", figure("size"));
    assert!((found - int8).abs() * 100.0 <= 0.3, "{told}, told {int8}");
    assert!((found - float).abs() * 100.0 <= 0.3, "{told}, float {float}");
}
