//! Programs that people wrote for Keras and PyTorch, in those libraries themselves: as many parameters in each layer as
//! burgeon read there, the same logits with the same weights, and the same again from the programs that are exported.

use std::fs;
use std::path::{Path, PathBuf};

use burgeon::unstable::detect::{Limits, carry_over};

use crate::loaders::{Cases, keras_python};

/// The programs of a library.
fn programs(library: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("crates/detect/tests/programs");
    let entries = fs::read_dir(folder.join(library)).unwrap();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let entry = |path: PathBuf| match path.is_dir() {
        true => ["train.py", "main.py"]
            .map(|name| path.join(name))
            .into_iter()
            .find(|path| path.exists())
            .unwrap(),
        false => path,
    };
    paths.into_iter().map(entry).collect()
}

/// What makes a study's network say something else than the program's with the same weights.
const OTHERWISE: [&str; 4] = [
    "parameters are added",
    "as many weights again",
    "was taken, which is close to it",
    "flattens before it",
];

fn every_program(library: &str, mut cases: Cases, files: &[&str], least: usize) {
    let mut carried = 0;
    for path in programs(library) {
        let Ok(study) = carry_over(&path, &Limits::default()) else { continue };
        carried += 1;
        let program = &study.program;
        let otherwise =
            program.lost.iter().any(|lost| OTHERWISE.iter().any(|words| lost.why.contains(words)));
        // TensorFlow convolves no channels that come first on a processor.
        let is_same = !otherwise && !path.ends_with("08_channels_first.py");
        let layers: Vec<_> = program
            .layers
            .iter()
            .map(|layer| serde_json::json!([layer.name, layer.parameters, layer.fixed, layer.line]))
            .collect();
        let original = serde_json::json!({
            "library": library, "program": path, "same": is_same, "layers": layers,
        });
        cases.add_program(&path.display().to_string(), &study.spec, files, original);
    }
    assert!(carried >= least, "only {carried} programs became studies");
    cases.check_programs();
}

pub fn every_program_of_keras_is_its_study() {
    every_program("keras", Cases::of(keras_python()), &["keras_model.py"], 27);
}

pub fn every_program_of_pytorch_is_its_study() {
    every_program("pytorch", Cases::new(), &["model.py"], 13);
}
