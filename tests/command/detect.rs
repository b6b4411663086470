//! `burgeon detect` as its users meet it: verdict first, JSON with keys that stay, exit codes.

use std::fs;

use serde_json::Value;

use crate::support::{Bench, expect_code, stderr, stdout};

const CNN: &str = "import tensorflow as tf\nK = tf.keras\n(x, y), _ = K.datasets.mnist.load_data()\n\
    m = K.Sequential([K.layers.Conv2D(8, 3), K.layers.Flatten(), K.layers.Dense(10)])\n\
    m.compile('adam', 'mse')\nm.fit(x, y)\n";

fn bench(files: &[(&str, &str)]) -> Bench {
    let bench = Bench::new();
    for (file, text) in files {
        let path = bench.path().join("checkout").join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    bench
}

#[test]
fn the_verdict_comes_first_and_the_evidence_beneath() {
    let bench = bench(&[("net.py", CNN), ("README.md", "torch")]);
    let output = bench.burgeon(&["detect", "checkout"]);
    expect_code(&output, 0);
    let text = stdout(&output);
    assert!(text.starts_with("Keras CNN in Python: "), "{text}");
    for expected in ["net.py:6", "mnist (net.py:3)", "net.py:4", "K.layers.Conv2D(8, 3)", "read 1"]
    {
        assert!(text.contains(expected), "{expected} is not in\n{text}");
    }
}

#[test]
fn unknown_is_said_with_what_was_looked_at_and_has_an_exit_code() {
    let bench = bench(&[("app.py", "print('keras')\n"), ("x.c", "")]);
    let output = bench.burgeon(&["detect", "checkout"]);
    expect_code(&output, 3);
    let text = stdout(&output);
    assert!(text.starts_with("unknown: "), "{text}");
    assert!(text.contains("looked at 2 files (1 .c, 1 .py), read 1"), "{text}");
}

#[test]
fn a_program_that_is_no_valid_python_is_named_with_its_line() {
    let cell =
        r#"{"cell_type": "code", "source": ["import torch\n", "net = torch.nn.Linear(1,\n"]}"#;
    let notebook =
        format!(r#"{{"nbformat": 4, "nbformat_minor": 5, "metadata": {{}}, "cells": [{cell}]}}"#);
    let bench = bench(&[("train.py", "import keras\n\nmodel = ((\n"), ("net.ipynb", &notebook)]);
    let output = bench.burgeon(&["detect", "checkout"]);
    expect_code(&output, 3);
    let text = stdout(&output);
    assert!(text.starts_with("unknown: nothing that could be read "), "{text}");
    assert!(text.contains("train.py: line 3 is not valid Python"), "{text}");
    assert!(text.contains("net.ipynb: line 2 of cell 1 is not valid Python"), "{text}");
}

#[test]
fn a_file_that_is_written_is_no_data_and_a_model_has_its_article() {
    let program = "import numpy as np\nfrom sklearn.ensemble import RandomForestClassifier\n\
        text = open('known.txt').read()\nm = RandomForestClassifier()\nm.fit(x, y)\n\
        open('accuracy.txt', 'w').write('1')\nopen('log.txt', mode='a').write('')\n";
    let bench = bench(&[("train.py", program)]);
    let output = bench.burgeon(&["detect", "checkout"]);
    expect_code(&output, 0);
    let text = stdout(&output);
    assert!(text.contains("it makes a model of trees with scikit-learn"), "{text}");
    assert!(text.contains("known.txt (train.py:3)"), "{text}");
    assert!(!text.contains("accuracy.txt") && !text.contains("log.txt"), "{text}");
}

#[test]
fn json_has_the_keys_that_others_rely_on() {
    let bench = bench(&[("net.py", CNN)]);
    let output = bench.burgeon(&["detect", "checkout", "--json"]);
    expect_code(&output, 0);
    let json: Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!((&json["v"], &json["verdict"]), (&1.into(), &"found".into()));
    let finding = &json["finding"];
    assert_eq!(finding["framework"], "keras");
    assert_eq!(finding["family"], "cnn");
    assert_eq!(finding["kind"], "program");
    assert_eq!(finding["gpu"], "none");
    assert_eq!(finding["entry"]["file"], "net.py");
    assert_eq!(finding["data"][0]["kind"], "set");
    assert_eq!(finding["data"][0]["name"], "mnist");
    assert_eq!(finding["evidence"][0]["line"], 4);
    assert_eq!(json["looked_at"]["read"], 1);
    assert_eq!(json["match"], Value::Null, "no rule is built in for Keras");
}

#[test]
fn rules_give_an_image_and_a_command_or_say_that_none_fits() {
    let rules = "[[rule]]\nframework = \"keras\"\nimage = \"keras:cpu\"\ncommand = [\"python\", \"{entry}\"]\n";
    let bench = bench(&[("a net.py", CNN)]);
    fs::write(bench.path().join("rules.toml"), rules).unwrap();
    let output = bench.burgeon(&["detect", "checkout", "--rules", "rules.toml"]);
    expect_code(&output, 0);
    let text = stdout(&output);
    assert!(text.contains("keras:cpu") && text.contains("python 'a net.py'"), "{text}");
    fs::write(bench.path().join("rules.toml"), rules.replace("keras\"", "burn\"")).unwrap();
    let output = bench.burgeon(&["detect", "checkout", "--rules", "rules.toml"]);
    expect_code(&output, 3);
    assert!(stdout(&output).contains("no rule fits"), "{}", stdout(&output));
    fs::write(bench.path().join("rules.toml"), "[[rules]]").unwrap();
    let output = bench.burgeon(&["detect", "checkout", "--rules", "rules.toml"]);
    expect_code(&output, 2);
    assert!(stderr(&output).contains("rules.toml"), "{}", stderr(&output));
}

#[test]
fn a_study_with_an_error_is_told_with_its_line() {
    let study = "[data]\nsource = \"mnist\"\n[model]\nlayers = [{ conv = { filtres = 3 } }]\n";
    let bench = bench(&[("study.toml", study)]);
    let output = bench.burgeon(&["detect", "checkout"]);
    expect_code(&output, 3);
    let text = stdout(&output);
    assert!(
        text.contains("study.toml: it looks like a burgeon study, but has an error in line 4"),
        "{text}"
    );
}

#[test]
fn a_missing_folder_is_an_error() {
    let bench = Bench::new();
    let output = bench.burgeon(&["detect", "nowhere"]);
    expect_code(&output, 1);
    assert!(stderr(&output).contains("cannot look into the folder nowhere"), "{}", stderr(&output));
}

/// A program with a block that adds its input, pictures in a folder, and what no study has.
const RESIDUAL: &str = r#"
import keras
from keras import layers

flips = keras.Sequential([layers.RandomFlip("horizontal"), layers.RandomHue(0.1)])
images = keras.Input((16, 16, 3))
x = layers.Conv2D(8, 3, padding="same", activation="relu")(images)
y = layers.Conv2D(8, 3, padding="same", activation="relu")(x)
y = layers.Conv2D(8, 3, padding="same")(y)
x = layers.ReLU()(layers.add([x, y]))
x = layers.GlobalAveragePooling2D()(x)
model = keras.Model(images, layers.Dense(3, activation="softmax")(x))
data = keras.utils.image_dataset_from_directory("photos", image_size=(16, 16), batch_size=8)
data = data.map(lambda x, y: (flips(x), y))
model.compile(optimizer="adadelta", loss="sparse_categorical_crossentropy")
model.fit(data, epochs=4)
"#;

#[test]
fn a_program_becomes_a_study_and_what_is_lost_is_said() {
    let bench = bench(&[("net.py", RESIDUAL)]);
    let output = bench.burgeon(&["detect", "--study", "checkout", "--output", "made/study.toml"]);
    expect_code(&output, 0);
    assert_eq!(stdout(&output).trim(), "made/study.toml");
    let said = stderr(&output);
    for lost in ["net.py:15: adadelta: this optimizer has no counterpart", "net.py:5: RandomHue"] {
        assert!(said.contains(&format!("not carried over: {lost}")), "{lost}: {said}");
    }
    assert_eq!(said.matches("adadelta").count(), 1, "{said}");
    let study = fs::read_to_string(bench.path().join("made/study.toml")).unwrap();
    for line in [
        "# - net.py:15: adadelta",
        "path = \"photos\"",
        "residual = {",
        "flip = true",
        "epochs = 4",
    ] {
        assert!(study.contains(line), "{line}: {study}");
    }
    // burgeon reads what it wrote, and the program itself is as it was.
    fs::create_dir_all(bench.path().join("made/photos")).unwrap();
    let checked = bench.burgeon(&["detect", "made"]);
    assert!(stdout(&checked).starts_with("burgeon study"), "{}", stdout(&checked));
    assert_eq!(fs::read_to_string(bench.path().join("checkout/net.py")).unwrap(), RESIDUAL);
}

#[test]
fn a_study_of_a_named_program_is_json_for_programs() {
    let bench =
        bench(&[("net.py", RESIDUAL), ("other.py", "print('keras')\n"), ("lib/deep.py", RESIDUAL)]);
    let of = |entry: &str| {
        let output = bench.burgeon(&["--json", "detect", "--study", "checkout", "--entry", entry]);
        let json: Value = serde_json::from_str(stdout(&output).trim()).unwrap();
        (output.status.code(), json)
    };
    let (code, study) = of("lib/deep.py");
    assert_eq!(
        (code, &study["verdict"], &study["file"]),
        (Some(0), &"study".into(), &"lib/deep.py".into())
    );
    assert_eq!(
        (&study["framework"], &study["input"]),
        (&"keras".into(), &serde_json::json!([3, 16, 16]))
    );
    // As many parameters as the program has, layer by layer.
    let sum = |key: &str| -> u64 {
        study[key].as_array().unwrap().iter().map(|row| row["parameters"].as_u64().unwrap()).sum()
    };
    assert_eq!(sum("layers"), 224 + 584 + 584 + 27);
    assert_eq!(
        (study["study_parameters"].as_u64(), sum("study_layers")),
        (Some(sum("layers")), sum("layers"))
    );
    let (code, refused) = of("other.py");
    assert_eq!((code, &refused["verdict"]), (Some(3), &"refused".into()), "{refused}");
    assert!(refused["why"].as_str().unwrap().contains("other.py"), "{refused}");
    // Nothing outside of the folder is read.
    let (code, outside) = of("../net.py");
    assert!(code != Some(0), "{outside}");
}

#[test]
fn a_network_for_something_else_than_images_is_refused_in_plain_words() {
    let text = "import keras\nfrom keras.layers import *\nm = keras.Sequential([Embedding(99, 9), LSTM(4), Dense(2)])\nm.fit(x, y)\n";
    let bench = bench(&[("net.py", text)]);
    let output = bench.burgeon(&["detect", "--study", "checkout/net.py"]);
    expect_code(&output, 3);
    let said = stderr(&output);
    assert!(
        said.contains("net.py:3: Embedding, LSTM: the network is for sequences, not for images"),
        "{said}"
    );
    assert_eq!(stdout(&output), "");
}
