//! Studies that start with a trained model, as the command runs them.

use std::fs;

use crate::support::{Bench, End, expect_code, stderr, stdout};

/// Continues from the run beside it.
const SECOND: &str = r#"
name = "second"
[data]
source = "synthetic"
train = 200
validation = 100
[model]
from = "runs/growing-0001"
[train]
epochs = 1
checkpoint = { every-steps = 2 }
[gate]
accuracy = 0.01
allow-majority = true
"#;

/// A folder with a run of a study, and [`SECOND`] as `second.toml`.
fn begun() -> Bench {
    let bench = Bench::new();
    let set = ["--set", "gate.accuracy=0.01", "--set", "gate.allow-majority=true"];
    expect_code(&bench.burgeon(&["train", "study.toml", set[0], set[1], set[2], set[3]]), 0);
    fs::write(bench.path().join("second.toml"), SECOND).unwrap();
    bench
}

#[test]
fn a_study_continues_from_a_run_beside_its_file_or_from_one_that_is_set() {
    let bench = begun();
    let output = bench.burgeon(&["train", "second.toml"]);
    expect_code(&output, 0);
    let said = stdout(&output);
    assert!(said.contains("model   ") && said.contains("10 classes kept, all of them"), "{said}");
    // A path in a study file starts from its folder, one that is set from the current folder.
    let folder = bench.path().join("studies");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("second.toml"), SECOND).unwrap();
    let output = bench.burgeon(&["check", "studies/second.toml"]);
    expect_code(&output, 2);
    assert!(stderr(&output).contains("studies/runs/growing-0001"), "{}", stderr(&output));
    let set = ["check", "studies/second.toml", "--set", "model.from=runs/growing-0001"];
    let output = bench.burgeon(&set);
    expect_code(&output, 0);
    assert!(stdout(&output).contains("conv 1 of 3×3"), "{}", stdout(&output));
    let set = ["model.from=runs/growing-0001/best", "model.measure-forgetting=true"];
    let arguments = ["train", "second.toml", "--set", set[0], "--set", set[1]];
    let output = bench.burgeon(&arguments);
    expect_code(&output, 2);
    assert!(stderr(&output).contains("not a run folder"), "{}", stderr(&output));
    let output = bench.burgeon(&["train", "second.toml", "--set", set[1]]);
    expect_code(&output, 0);
    assert!(stdout(&output).contains("(400 images of 10 shared classes)"), "{}", stdout(&output));
}

#[test]
fn a_crash_at_the_beginning_of_a_continued_study_is_survived() {
    let bench = begun();
    let command =
        |runs: &str| bench.command(&["train", "second.toml", "--resume", "auto", "--runs", runs]);
    expect_code(&command("whole").output().unwrap(), 0);
    let expected = End::of(&bench.path().join("whole/second-0001"));
    // The copy of the model, the study, the lock, the first events and the first checkpoints.
    for step in (1..60).step_by(3) {
        let kind = if step % 2 == 0 { "crash" } else { "torn" };
        let runs = format!("cut-{step}");
        let fault = format!("{kind}@{step}");
        let cut = command(&runs).env("BURGEON_FAULT", &fault).output().unwrap();
        assert!(!cut.status.success(), "{fault} was never reached");
        expect_code(&command(&runs).output().unwrap(), 0);
        let begun = fs::read_dir(bench.path().join(&runs)).unwrap();
        let run = begun.map(|entry| entry.unwrap().path()).max().unwrap();
        assert!(End::of(&run) == expected, "other bits after {fault}");
    }
}
