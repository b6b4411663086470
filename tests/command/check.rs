//! What is wrong with a study, an option or a run folder is found before anything starts.

use std::fs;

use crate::support::{self, Bench, expect_code, stderr, stdout};

#[test]
fn a_wrong_study_is_exit_2_with_file_line_and_column_and_starts_nothing() {
    let bench = Bench::with_study(&support::GROWING.replace("size = 4", "size = 40"));
    for command in ["tune", "train", "check"] {
        let output = bench.burgeon(&[command, "study.toml"]);
        expect_code(&output, 2);
        assert!(stderr(&output).contains("study.toml:10:25"), "{}", stderr(&output));
    }
    assert!(!bench.runs().exists());
    expect_code(&bench.burgeon(&["tune", "nowhere.toml"]), 2);
    expect_code(&bench.burgeon(&["tune", "--epochs", "3"]), 2);
    expect_code(&bench.burgeon(&["check", "study.toml", "--set", "train.epochs=0"]), 2);
}

#[test]
fn a_device_that_was_not_built_in_is_exit_2_and_says_how_to_get_it() {
    let bench = Bench::new();
    if !cfg!(feature = "cuda") {
        let output = bench.burgeon(&["train", "study.toml", "--device", "cuda"]);
        expect_code(&output, 2);
        assert!(stderr(&output).contains("--features cuda"), "{}", stderr(&output));
    }
    let output = bench.burgeon(&["train", "study.toml", "--device", "tpu"]);
    expect_code(&output, 2);
    assert!(stderr(&output).contains("cuda:N"), "{}", stderr(&output));
}

#[test]
fn a_study_file_without_an_end_is_refused() {
    if cfg!(unix) {
        let output = Bench::new().burgeon(&["check", "/dev/zero"]);
        expect_code(&output, 2);
        assert!(stderr(&output).contains("longer than 1 MiB"), "{}", stderr(&output));
    }
}

#[test]
fn check_prints_the_layer_table_of_the_built_in_study() {
    let output = Bench::new().burgeon(&["check"]);
    expect_code(&output, 0);
    let said = stdout(&output);
    assert!(said.contains("16×5×5") && said.contains("61,706"), "{said}");
}

#[test]
fn check_refuses_a_gate_that_a_constant_answer_passes_where_it_can_tell() {
    let bench = Bench::new();
    let gate = |accuracy: &str, more: &[&str]| {
        let set = format!("gate.accuracy={accuracy}");
        bench.burgeon(&[&["check", "study.toml", "--set", &set][..], more].concat())
    };
    let refused = gate("0.05", &[]);
    expect_code(&refused, 2);
    for part in ["a model that always predicts 0 would pass", "10.00 %"] {
        assert!(stderr(&refused).contains(part), "{part} is not in {}", stderr(&refused));
    }
    // As `train` does.
    let train = bench.burgeon(&["train", "study.toml", "--set", "gate.accuracy=0.05"]);
    assert_eq!(stderr(&refused), stderr(&train));
    expect_code(&gate("0.05", &["--set", "gate.allow-majority=true"]), 0);
    let opened = gate("0.5", &[]);
    expect_code(&opened, 0);
    assert!(
        stdout(&opened).contains("always predicts 0 is right on 10.0 %"),
        "{}",
        stdout(&opened)
    );
    // Without images it says that it could not tell, and passes.
    let text = fs::read_to_string(bench.study()).unwrap();
    fs::write(bench.study(), text.replace("\"synthetic\"", "\"mnist\"")).unwrap();
    let mut absent = bench.command(&["check", "study.toml", "--set", "gate.accuracy=0.05"]);
    let absent = absent.env("HOME", bench.path()).env_remove("XDG_CACHE_HOME").output().unwrap();
    expect_code(&absent, 0);
    assert!(
        stdout(&absent).contains("not compared with always predicting one class"),
        "{}",
        stdout(&absent)
    );
}

#[test]
fn a_folder_without_a_run_is_refused() {
    let bench = Bench::new();
    fs::create_dir(bench.path().join("empty")).unwrap();
    for command in [&["eval", "empty"][..], &["predict", "empty", "x.png"], &["resume", "empty"]] {
        let output = bench.burgeon(command);
        expect_code(&output, 1);
        assert!(stderr(&output).contains("a run"), "{}", stderr(&output));
    }
}

#[test]
fn a_name_that_could_be_an_option_is_refused_by_every_command() {
    let bench = Bench::new();
    for name in ["-x", "--help", "_x", ".x", "a/b", "", "x y"] {
        let named = support::GROWING.replace("name = \"growing\"", &format!("name = {name:?}"));
        fs::write(bench.study(), named).unwrap();
        for command in ["check", "train", "tune"] {
            let output = bench.burgeon(&[command, "study.toml"]);
            expect_code(&output, 2);
            assert!(stderr(&output).contains("is not a valid study name"), "{}", stderr(&output));
        }
    }
    assert!(!bench.runs().exists());
}

#[test]
fn the_committed_schema_is_the_one_that_the_types_give() {
    let output = Bench::new().burgeon(&["schema"]);
    expect_code(&output, 0);
    let committed =
        fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/models/study.schema.json"))
            .unwrap();
    assert_eq!(
        stdout(&output),
        committed,
        "write it anew: burgeon schema > models/study.schema.json"
    );
}
