//! Weights that PyTorch saved say here what they say there.

use std::fs;
use std::path::PathBuf;

use burgeon::data::Normalization;
use burgeon::spec::{InputShape, Spec, StudyDocument};
use burgeon::unstable::model::{
    Classifier, DeviceChoice, ImportReport, ModelFile, Preparation, Subject, import_pytorch,
};

/// Where `make.py` puts its files; those of the usual size are made where PyTorch is.
fn folder() -> PathBuf {
    let committed = || concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/pytorch").into();
    std::env::var_os("BURGEON_PYTORCH_FIXTURES").map_or_else(committed, PathBuf::from)
}

#[derive(serde::Deserialize)]
struct Case {
    shape: [usize; 4],
    images: String,
    logits: Vec<f32>,
    mean: Vec<f32>,
    std: Vec<f32>,
}

struct Network {
    case: Case,
    file: Vec<u8>,
}

impl Network {
    fn read(name: &str) -> Self {
        let read = |ending| fs::read(folder().join(format!("{name}.{ending}"))).unwrap();
        let case = serde_json::from_slice(&read("json")).unwrap();
        Self { case, file: read("safetensors") }
    }

    /// Length of an axis of an array in the file: networks of any width are imported alike.
    fn length(&self, array: &str, axis: usize) -> usize {
        let file = safetensors::SafeTensors::deserialize(&self.file).unwrap();
        file.tensor(array).unwrap().shape()[axis]
    }

    fn spec(&self, layers: &str) -> Spec {
        let [images, channels, height, width] = self.case.shape;
        let classes = self.case.logits.len() / images;
        let input = InputShape { channels, height, width, classes };
        let text = format!("[model]\nlayers = [{layers}]\n");
        StudyDocument::new("imported.toml", text).validate(input).unwrap()
    }

    /// Imports the weights and compares what comes out with what PyTorch says.
    #[track_caller]
    fn check(&self, layers: &str) -> ImportReport {
        let spec = self.spec(layers);
        let (weights, report) = import_pytorch(&spec, &self.file).unwrap();
        assert!(report.is_complete(), "{:?} {:?}", report.missing, report.unused);
        let Case { shape, images, logits, mean, std } = &self.case;
        let mut normalization = Normalization::of_all(0.0, 1.0);
        normalization.mean[..mean.len()].copy_from_slice(mean);
        normalization.std[..std.len()].copy_from_slice(std);
        let classes = (0..spec.input().classes).map(|class| class.to_string()).collect();
        let grey = Preparation::grey(spec.input(), normalization, classes, Subject::Whole);
        let preparation = if shape[1] == 1 { grey } else { grey.coloured(normalization) };
        let device = DeviceChoice::Cpu.open().unwrap().device;
        let file = ModelFile { weights, preparation };
        let classifier = Classifier::new(&spec, file, &device).unwrap();
        let bytes = hex::decode(images).unwrap();
        let images: Vec<&[u8]> = bytes.chunks_exact(shape[1] * shape[2] * shape[3]).collect();
        let found = classifier.logits(&images).unwrap().concat();
        let largest = logits.iter().fold(1.0_f32, |most, logit| most.max(logit.abs()));
        assert!(logits.iter().any(|logit| (logit - logits[0]).abs() > 0.01), "they tell nothing");
        for (found, logit) in found.iter().zip(logits) {
            assert!((found - logit).abs() <= 1e-4 * largest, "{found} for {logit}, of {largest}");
        }
        report
    }
}

#[test]
fn lenet_says_what_it_says_in_pytorch() {
    let network = Network::read("lenet");
    let length = |array: &str| network.length(array, 0);
    let report = network.check(&format!(
        "{{ conv = {{ filters = {}, kernel = 5 }} }}, \"max-pool\", \
         {{ conv = {{ filters = {}, kernel = 5, padding = \"valid\" }} }}, \"max-pool\", \
         {{ dense = {{ units = {} }} }}, {{ dense = {{ units = {} }} }}",
        length("conv1.weight"),
        length("conv2.weight"),
        length("fc1.weight"),
        length("fc2.weight"),
    ));
    assert_eq!(report.taken.len(), 10);
}

/// torchvision's ResNet-18 as layers of a study.
fn resnet(width: usize) -> String {
    let block = |width: usize, stride: usize| {
        format!(
            "{{ residual = {{ layers = [ \
             {{ conv = {{ filters = {width}, kernel = 3, stride = {stride}, padding = {{ explicit = 1 }}, activation = \"none\" }} }}, \
             {{ batch-norm = {{ activation = \"relu\" }} }}, \
             {{ conv = {{ filters = {width}, kernel = 3, padding = {{ explicit = 1 }}, activation = \"none\" }} }}, \
             \"batch-norm\"] }} }}"
        )
    };
    let mut layers = vec![format!(
        "{{ conv = {{ filters = {width}, kernel = 7, stride = 2, padding = {{ explicit = 3 }}, activation = \"none\" }} }}, \
         {{ batch-norm = {{ activation = \"relu\" }} }}, {{ max-pool = {{ size = 3, stride = 2, padding = 1 }} }}"
    )];
    for stage in 0..4 {
        let stride = if stage == 0 { 1 } else { 2 };
        layers.extend([block(width << stage, stride), block(width << stage, 1)]);
    }
    layers.push("\"global-avg-pool\"".into());
    layers.join(", ")
}

#[test]
fn torchvisions_resnet_18_says_what_it_says_in_pytorch() {
    let network = Network::read("resnet18");
    let report = network.check(&resnet(network.length("conv1.weight", 0)));
    assert_eq!(report.ignored.len(), 20, "one counter for each batch-norm");
    assert_eq!(report.implied.len(), 20, "a bias of 0 for each convolution");
}

#[test]
fn torchvisions_vgg_11_says_what_it_says_in_pytorch() {
    let network = Network::read("vgg11");
    let mut layers = Vec::new();
    for (place, pools) in [
        (0, true),
        (3, true),
        (6, false),
        (8, true),
        (11, false),
        (13, true),
        (16, false),
        (18, true),
    ] {
        let filters = network.length(&format!("features.{place}.weight"), 0);
        // Not "same", which wants an image that is no smaller than the kernel.
        layers.push(format!(
            "{{ conv = {{ filters = {filters}, kernel = 3, padding = {{ explicit = 1 }} }} }}"
        ));
        if pools {
            layers.push("\"max-pool\"".into());
        }
    }
    for place in [0, 3] {
        let units = network.length(&format!("classifier.{place}.weight"), 0);
        layers
            .push(format!("{{ dense = {{ units = {units} }} }}, {{ dropout = {{ rate = 0.5 }} }}"));
    }
    let report = network.check(&layers.join(", "));
    assert_eq!(report.taken.len(), 22);
}

#[test]
fn another_network_is_told_array_by_array() {
    let network = Network::read("vgg11");
    let (_, report) = import_pytorch(&network.spec(&resnet(1)), &network.file).unwrap();
    assert!(!report.is_complete());
    let listed = report.taken.len() + report.unused.len();
    assert_eq!(listed, 22, "nothing is dropped without a word");
    assert!(report.missing.iter().any(|missing| missing.name == "layers.1.gamma"));
}

#[test]
fn damaged_files_are_refused_or_listed_and_never_panic() {
    let network = Network::read("resnet18");
    let spec = network.spec(&resnet(1));
    let header = 8 + u64::from_le_bytes(network.file[..8].try_into().unwrap()) as usize;
    let mut refused = 0;
    for at in 0..300_usize {
        let mut file = network.file.clone();
        match at % 3 {
            // Any byte of the header, any byte of the numbers, any length.
            0 => file[at * 7919 % header] ^= 1 << (at % 8),
            1 => file[header + at * 7919 % (network.file.len() - header)] ^= 0x7f,
            _ => file.truncate(at * 7919 % network.file.len()),
        }
        match import_pytorch(&spec, &file) {
            Ok((weights, _)) => weights.check(&spec).unwrap(),
            Err(error) => {
                refused += 1;
                assert!(!error.to_string().is_empty());
            }
        }
    }
    assert!(refused >= 100, "{refused} refused");
}
