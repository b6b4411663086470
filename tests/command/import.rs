//! `burgeon import`: PyTorch's weights become a run that goes on like any other.

use std::fs;

use serde_json::Value;

use crate::support::{Bench, expect_code, stderr, stdout};

const LENET: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/pytorch/lenet.safetensors");

/// The layers of `tests/fixtures/pytorch/make.py`'s LeNet, with `UNITS` in its last layer but one.
const STUDY: &str = r#"
name = "imported"
[data]
source = "synthetic"
train = 600
validation = 200
[model]
layers = [
  { conv = { filters = 2, kernel = 5 } },
  "max-pool",
  { conv = { filters = 5, kernel = 5, padding = "valid" } },
  "max-pool",
  { dense = { units = 40 } },
  { dense = { units = UNITS } },
]
[train]
epochs = 8
[gate]
accuracy = 0.3
[tune]
trials = 3
"#;

const RUN: &str = "runs/imported-0001";

fn bench(units: usize) -> Bench {
    Bench::with_study(&STUDY.replace("UNITS", &units.to_string()))
}

fn import(bench: &Bench, arguments: &[&str], code: i32) -> (String, String) {
    let first = ["import", LENET, "--study", "study.toml"];
    let output = bench.burgeon(&[&first[..], arguments].concat());
    expect_code(&output, code);
    (stdout(&output), stderr(&output))
}

#[test]
fn an_imported_run_is_evaluated_exported_continued_and_grown() {
    let bench = bench(28);
    let (told, _) = import(&bench, &["--mean", "0.485", "--std", "0.229"], 0);
    assert!(told.contains("conv2.weight [5, 2, 5, 5] → layers.2.weight"), "{told}");
    assert!(told.contains("fc3.bias [10] → head.bias"), "{told}");
    let first = fs::read(bench.path().join(RUN).join("best/model.safetensors")).unwrap();
    let output = bench.burgeon(&["eval", RUN, "--json"]);
    expect_code(&output, 0);
    let eval: Value = serde_json::from_str(&stdout(&output)).unwrap();
    let accuracy = format!("{:.2} % of 200", eval["accuracy"].as_f64().unwrap() * 100.0);
    assert!(told.contains(&accuracy), "{accuracy} is not in {told}");
    expect_code(&bench.burgeon(&["export", RUN, "--format", "onnx-int8"]), 0);
    let card = fs::read_to_string(bench.path().join(RUN).join("best/card.md")).unwrap();
    assert!(card.contains("whose weights another program trained"), "{card}");
    assert!(card.contains("0.485"), "{card}");
    // Continued by another study.
    let from = format!("[model]\nfrom = \"{RUN}\"\nlayers");
    let study = fs::read_to_string(bench.study()).unwrap().replace("imported", "next");
    fs::write(bench.path().join("next.toml"), study.replace("[model]\nlayers", &from)).unwrap();
    expect_code(&bench.burgeon(&["train", "next.toml"]), 0);
    // Grown in place: the first trial starts with the imported weights.
    let output = bench.burgeon(&["resume", RUN]);
    expect_code(&output, 0);
    let events = fs::read_to_string(bench.path().join(RUN).join("events.jsonl")).unwrap();
    assert!(events.contains("model_inherited"), "{events}");
    let best = fs::read(bench.path().join(RUN).join("best/model.safetensors")).unwrap();
    assert_ne!(best, first);
}

#[test]
fn what_does_not_fit_is_an_error_with_a_list_unless_a_part_is_asked_for() {
    let bench = bench(30);
    let (_, said) = import(&bench, &[], 2);
    for part in [
        "layers.5.weight [30, 40]: no dense layer of this shape",
        "fc2.weight [28, 40]: no layer of the study is left",
        "--partial",
    ] {
        assert!(said.contains(part), "{part} is not in {said}");
    }
    assert!(!bench.path().join(RUN).exists(), "nothing was begun");
    let (told, _) = import(&bench, &["--partial", "--json"], 0);
    let told: Value = serde_json::from_str(&told).unwrap();
    assert_eq!(told["run"], RUN);
    let names = |list: &str| -> Vec<String> {
        let names = told[list].as_array().unwrap().iter();
        names.map(|item| item["name"].as_str().unwrap().to_owned()).collect()
    };
    // The head takes the units of the layer before it, so it does not fit either.
    let missing = ["layers.5.weight", "layers.5.bias", "head.weight", "head.bias"];
    assert_eq!(names("missing"), missing);
    assert_eq!(names("unused").len(), 4);
    expect_code(&bench.burgeon(&["eval", RUN]), 0);
}

/// A file with the arrays of `LENET`, each number of which is changed.
fn changed(bench: &Bench, change: impl Fn(f32) -> f32) -> String {
    let mut file = fs::read(LENET).unwrap();
    let numbers = 8 + u64::from_le_bytes(file[..8].try_into().unwrap()) as usize;
    for number in file[numbers..].as_chunks_mut().0 {
        *number = change(f32::from_le_bytes(*number)).to_le_bytes();
    }
    let path = bench.path().join("changed.safetensors");
    fs::write(&path, file).unwrap();
    path.display().to_string()
}

#[test]
fn numbers_that_a_network_overflows_with_are_refused() {
    let bench = bench(28);
    let refused = |change: fn(f32) -> f32, expected: &str| {
        let output = bench.burgeon(&["import", &changed(&bench, change), "--study", "study.toml"]);
        expect_code(&output, 1);
        assert!(stderr(&output).contains(expected), "{}", stderr(&output));
        assert!(!bench.path().join("runs").exists(), "nothing was begun");
    };
    refused(|_| 3e38, "the network's answers to the validation images are not finite");
    refused(|_| f32::NAN, "has numbers that are not finite");
}

#[test]
fn files_that_are_none_and_studies_that_start_otherwise_are_refused() {
    let bench = bench(28);
    let broken = bench.path().join("broken.safetensors");
    fs::write(&broken, [255; 64]).unwrap();
    let output = bench.burgeon(&["import", "broken.safetensors", "--study", "study.toml"]);
    expect_code(&output, 1);
    assert!(
        stderr(&output).contains("broken.safetensors cannot be imported"),
        "{}",
        stderr(&output)
    );
    let from = format!("[model]\nfrom = \"{}\"\nlayers", bench.path().display());
    let study = fs::read_to_string(bench.study()).unwrap();
    fs::write(bench.study(), study.replace("[model]\nlayers", &from)).unwrap();
    let (_, said) = import(&bench, &[], 2);
    assert!(said.contains("another model to start with"), "{said}");
    let output = bench.burgeon(&["import", LENET, "--study", "study.toml", "--mean", "0.5"]);
    expect_code(&output, 2);
}
