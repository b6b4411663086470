//! `burgeon export`, and the card that a run's model carries.

use std::fs;
use std::io::Read;

use serde_json::Value;

use crate::kills::leave_old_files_or_new_ones;
use crate::support::{Bench, expect_code, stderr, stdout};

const RUN: &str = "runs/growing-0001";

fn trained() -> Bench {
    let bench = Bench::new();
    expect_code(&bench.burgeon(&["tune", "study.toml"]), 0);
    bench
}

fn export(bench: &Bench, arguments: &[&str], code: i32) -> (String, String) {
    let output = bench.burgeon(&[&["export", RUN], arguments].concat());
    expect_code(&output, code);
    (stdout(&output), stderr(&output))
}

fn card(bench: &Bench) -> String {
    fs::read_to_string(bench.run().join("best/card.md")).unwrap()
}

#[test]
fn every_format_is_written_where_it_is_asked_for() {
    let bench = trained();
    let best = bench.run().join("best");
    // Made with the model.
    for file in ["model.onnx", "pytorch.safetensors", "model.py", "figures.json"] {
        assert!(best.join(file).is_file(), "{file} is missing");
    }
    // Into the run, where nothing is named.
    let (told, _) = export(&bench, &["--format", "onnx-pixels"], 0);
    assert_eq!(told.trim(), format!("{RUN}/best/model-pixels.onnx"));
    assert!(best.join("model-pixels.onnx").is_file());
    // Into a new folder, and into a file of any name, which the program then loads.
    export(&bench, &["--format", "onnx", "--output", "new/folder"], 0);
    let again = fs::read(bench.path().join("new/folder/model.onnx")).unwrap();
    assert_eq!(again, fs::read(best.join("model.onnx")).unwrap());
    export(&bench, &["--format", "safetensors", "--output", "my \"net\".safetensors"], 0);
    let code = fs::read_to_string(bench.path().join("model.py")).unwrap();
    assert!(code.contains("with_name(\"my \\\"net\\\".safetensors\")"), "{code}");
    // A name of another format is refused before anything is written.
    let (_, said) = export(&bench, &["--format", "onnx", "--output", "a.safetensors"], 2);
    assert!(said.contains("does not end in .onnx"), "{said}");
    assert!(!bench.path().join("a.safetensors").exists());
}

#[test]
fn a_network_is_written_for_keras_with_its_weights_and_with_what_measures_it() {
    let bench = trained();
    let (told, _) = export(&bench, &["--format", "keras", "--output", "out"], 0);
    assert_eq!(told, "out/keras.npz\nout/keras_model.py\n");
    let arrays = |file: &str| {
        let file = fs::File::open(bench.path().join(file)).unwrap();
        let mut archive = zip::ZipArchive::new(file).unwrap();
        let names: Vec<String> =
            archive.file_names().map(|name| name.unwrap().into_owned()).collect();
        let mut heads = Vec::new();
        for name in names {
            let mut bytes = Vec::new();
            archive.by_name(&name).unwrap().read_to_end(&mut bytes).unwrap();
            let head = String::from_utf8_lossy(&bytes[10..]).split('\n').next().unwrap().to_owned();
            heads.push((name.trim_end_matches(".npy").to_owned(), head, bytes.len()));
        }
        heads
    };
    let program = fs::read_to_string(bench.path().join("out/keras_model.py")).unwrap();
    for (name, head, _) in arrays("out/keras.npz") {
        assert!(head.contains("'<f4'"), "{name}: {head}");
        let layer = name.rsplit_once('.').unwrap().0;
        assert!(program.contains(&format!("name=\"{layer}\"")), "{layer}: {program}");
    }
    // With the images that the gate was judged on, as each library takes them.
    for (format, program, shape) in [
        ("keras", "keras_model.py", "(400, 28, 28, 1,)"),
        ("pytorch", "model.py", "(400, 1, 28, 28,)"),
    ] {
        let (told, _) =
            export(&bench, &["--format", format, "--evaluation", "--output", format], 0);
        assert_eq!(told.lines().count(), 4, "{told}");
        assert!(bench.path().join(format).join(program).is_file());
        let images = arrays(&format!("{format}/validation.npz"));
        assert!(images[0].1.contains("'|u1'") && images[0].1.contains(shape), "{images:?}");
        assert!(images[1].1.contains("'<u2'") && images[1].1.contains("(400,)"), "{images:?}");
        let evaluate = fs::read_to_string(bench.path().join(format).join("evaluate.py")).unwrap();
        assert!(evaluate.contains(&format!("from {} import", program.trim_end_matches(".py"))));
    }
    // No program measures an ONNX file, and a model folder alone knows no images.
    let (_, said) = export(&bench, &["--format", "onnx", "--evaluation"], 2);
    assert!(said.contains("Keras or PyTorch"), "{said}");
    let best =
        bench.burgeon(&["export", "runs/growing-0001/best", "--format", "keras", "--evaluation"]);
    expect_code(&best, 2);
    assert!(stderr(&best).contains("give a run folder"), "{}", stderr(&best));
}

#[test]
fn a_quantized_model_is_measured_and_told_in_the_card() {
    let bench = trained();
    let (told, _) = export(&bench, &["--format", "onnx-int8", "--json"], 0);
    let told: Value = serde_json::from_str(&told).unwrap();
    assert_eq!(told["quantized"]["validation_images"], 400);
    let accuracy = |key: &str| told["quantized"][key].as_f64().unwrap();
    let (float, int8) =
        (accuracy("validation_accuracy"), accuracy("quantized_validation_accuracy"));
    assert!((float - int8).abs() < 0.02, "{told}");
    let row = format!("| validation, `model-int8.onnx` | {:.2} % |", int8 * 100.0);
    assert!(card(&bench).contains(&row), "{row} is not in\n{}", card(&bench));
    // A model folder alone knows no images to calibrate on.
    let output = bench.burgeon(&["export", "runs/growing-0001/best", "--format", "onnx-int8"]);
    expect_code(&output, 2);
    assert!(stderr(&output).contains("give a run folder"), "{}", stderr(&output));
}

#[test]
fn the_card_has_what_hubs_read_and_the_test_figure_of_the_finished_study() {
    let bench = trained();
    let text = card(&bench);
    let (head, body) = text.strip_prefix("---\n").unwrap().split_once("\n---\n").unwrap();
    for part in [
        "license: unknown",
        "pipeline_tag: image-classification",
        "- onnx",
        "- type: accuracy",
        "split: test",
    ] {
        assert!(head.contains(part), "{part} is not in\n{head}");
    }
    for part in [
        "# growing",
        "| validation |",
        "| test |",
        "They were read once so far.",
        "| class | precision | recall | F1 | support |",
        "| licence | that of burgeon, which draws them: MIT or Apache-2.0 |",
        "| training images | 1,200 |",
        "expected calibration error",
        "instruction set",
        "burgeon predict",
        "onnxruntime.InferenceSession",
        "from model import CLASSES, load",
        "## Provenance",
    ] {
        assert!(body.contains(part), "{part} is not in\n{body}");
    }
    // Reading the test images once more is told as well.
    expect_code(&bench.burgeon(&["eval", RUN, "--split", "test"]), 0);
    assert!(card(&bench).contains("They were read 2 times so far."), "{}", card(&bench));
}

#[test]
fn an_export_that_is_killed_leaves_the_old_file_or_the_new_one() {
    let bench = trained();
    let arguments = ["export", RUN, "--format", "safetensors", "--output", "out"];
    let files = ["pytorch.safetensors", "model.py"];
    let target = bench.path().join("out");
    leave_old_files_or_new_ones(&bench, &arguments, &target, &files, "BURGEON_EXPORT_KILLS");
}
