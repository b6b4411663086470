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
