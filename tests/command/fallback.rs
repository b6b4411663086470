//! The built-in digits in place of MNIST that is missing.

use std::fs;

use crate::support::{self, Bench, expect_code, stderr};

#[test]
fn missing_mnist_falls_back_loudly_where_the_study_says_so_and_fails_elsewhere() {
    let bench = Bench::new();
    let study = support::GROWING.replace("source = \"synthetic\"", "source = \"mnist\"");
    let nowhere = [
        "--mirror",
        "http://127.0.0.1:9/",
        "--set",
        "train.epochs=1",
        "--set",
        "gate.allow-majority=true",
        "--set",
        "gate.accuracy=0.0",
    ];
    fs::write(bench.study(), &study).unwrap();
    let run = |bench: &Bench| {
        let mut command = bench.command(&["train", "study.toml"]);
        command.args(nowhere).env("HOME", bench.path()).env("XDG_CACHE_HOME", bench.path());
        command.output().unwrap()
    };
    expect_code(&run(&bench), 1);
    assert!(!bench.runs().exists());
    fs::write(bench.study(), study.replace("[model]", "fallback = \"synthetic\"\n[model]"))
        .unwrap();
    let output = run(&bench);
    expect_code(&output, 0);
    assert!(stderr(&output).contains("BUILT-IN DIGITS"), "{}", stderr(&output));
    let events = fs::read_to_string(bench.run().join("events.jsonl")).unwrap();
    assert!(events.contains("data_fallback"));
    let provenance = fs::read_to_string(bench.run().join("provenance.json")).unwrap();
    assert!(provenance.contains("\"fallback\": \""), "{provenance}");
}
