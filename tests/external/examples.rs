//! The examples, as their readers run them.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::skipping::{Group, tests};
use crate::support::{Bench, expect_code, stdout};

/// Those that show a program how something is done. The others are experiments.
const SHORT: [&str; 11] = [
    "build_a_spec",
    "classify",
    "errors_by_kind",
    "hundred_studies",
    "own_data",
    "own_loop",
    "own_policy",
    "own_trainer",
    "spec_and_tune",
    "stop_and_resume",
    "train_a_study",
];

/// Few enough to be read at once.
const LINES_MAX: usize = 40;

pub fn group() -> Group {
    let missing = SHORT.iter().find(|name| !program(name).is_file());
    Group {
        name: "examples",
        missing: missing.map(|name| format!("{name} is not built (cargo build --examples)")),
        tests: tests![examples_are_short, examples_do_what_they_say],
    }
}

/// Where `cargo test` and `cargo build --examples` put an example.
fn program(name: &str) -> PathBuf {
    Path::new(env!("CARGO_BIN_EXE_burgeon")).with_file_name("examples").join(name)
}

fn examples_are_short() {
    for name in SHORT {
        let path = format!("{}/examples/{name}.rs", env!("CARGO_MANIFEST_DIR"));
        let lines = std::fs::read_to_string(&path).unwrap().lines().count();
        assert!(lines <= LINES_MAX, "{path} has {lines} lines");
    }
}

fn examples_do_what_they_say() {
    let bench = Bench::new();
    let run = |name: &str, arguments: &[&str]| {
        let mut command = Command::new(program(name));
        let output = command.args(arguments).current_dir(bench.path()).output().unwrap();
        expect_code(&output, 0);
        stdout(&output)
    };
    #[track_caller]
    fn assert_says(said: &str, wanted: &str) {
        assert!(said.contains(wanted), "{wanted:?} is not in {said:?}");
    }
    assert_says(&run("build_a_spec", &[]), "name = \"in-code\"");
    assert_says(&run("errors_by_kind", &[]), "MissingData: provide the images");
    assert_says(&run("hundred_studies", &[]), "100 studies");
    assert_says(&run("own_data", &[]), "Accepted");
    assert_says(&run("own_loop", &[]), "in 30 steps");
    assert_says(&run("own_policy", &[]), "trial 3: ");
    assert_says(&run("own_trainer", &[]), "outcome: Accepted");
    assert_says(&run("spec_and_tune", &[]), "reaches the gate of 94.00 %");
    assert_says(&run("stop_and_resume", &[]), "Accepted after 3 epochs");
    assert_says(&run("train_a_study", &["study.toml"]), "Accepted: see runs/growing-0001");

    let picture = bench.path().join("one.png");
    let paper = image::GrayImage::from_fn(60, 90, |x, y| {
        image::Luma([if (26..34).contains(&x) && (10..80).contains(&y) { 20 } else { 250 }])
    });
    paper.save(picture).unwrap();
    let said = run("classify", &["runs/growing-0001", "one.png"]);
    assert_says(&said, "4 threads classified 8 images each");
    assert_says(&said, "one.png: ");
}
