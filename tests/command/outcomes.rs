//! Studies from their start to their verdict: growth, the gate, exit codes, the same bits.

use std::fs;

use crate::support::{self, Bench, expect_code, stderr, stdout};

#[test]
fn a_weak_network_fails_grows_and_passes() {
    let bench = Bench::new();
    let output = bench.burgeon(&["tune", "study.toml"]);
    expect_code(&output, 0);
    let said = stdout(&output);
    assert!(said.contains("is below the gate of"), "{said}");
    assert!(said.contains("grown from trial 1"), "{said}");
    assert!(said.contains("accepted: trial"), "{said}");
    let run = bench.run();
    let accuracy: f64 =
        fs::read_to_string(run.join("accuracy.txt")).unwrap().trim().parse().unwrap();
    assert!((0.75..=1.0).contains(&accuracy));
    for file in [
        "study.toml",
        "provenance.json",
        "events.jsonl",
        "trials/001/spec.toml",
        "trials/001/curve.csv",
        "best/model.bpk",
        "best/model.safetensors",
        "best/model.onnx",
        "best/pytorch.safetensors",
        "best/model.py",
        "best/figures.json",
        "best/spec.toml",
        "best/card.md",
    ] {
        assert!(run.join(file).is_file(), "{file} is missing");
    }
    assert_eq!(
        fs::read_to_string(bench.study()).unwrap(),
        support::GROWING,
        "the user's file was touched"
    );
}

#[test]
fn the_notification_is_told_what_came_of_the_study() {
    let bench = Bench::new();
    let notify = r#"notify.command=["sh", "-c", "echo $BURGEON_STUDY $BURGEON_OUTCOME > told"]"#;
    let sets = [
        "--set",
        notify,
        "--set",
        "gate.allow-majority=true",
        "--set",
        "gate.accuracy=0.0",
        "--set",
        "train.epochs=1",
    ];
    let output = bench.command(&["train", "study.toml"]).args(sets).output().unwrap();
    expect_code(&output, 0);
    assert_eq!(fs::read_to_string(bench.path().join("told")).unwrap(), "growing accepted\n");
}

#[test]
fn a_grown_trial_is_a_study_that_train_accepts() {
    let bench = Bench::new();
    // The first trial is nowhere near such a gate; whether the second passes does not matter.
    let settings = ["tune", "study.toml", "--set", "tune.trials=2", "--set", "gate.accuracy=0.9"];
    let grown = bench.burgeon(&settings);
    assert!(matches!(grown.status.code(), Some(0 | 3)), "{}", stderr(&grown));
    let spec = bench.run().join("trials/002/spec.toml");
    let output = bench.burgeon(&[
        "train",
        spec.to_str().unwrap(),
        "--set",
        "gate.allow-majority=true",
        "--set",
        "gate.accuracy=0.0",
    ]);
    expect_code(&output, 0);
}

#[test]
fn a_gate_that_stays_shut_is_exit_3_and_keeps_the_best_model() {
    let bench = Bench::new();
    let output = bench.burgeon(&["train", "study.toml", "--set", "gate.accuracy=1.0"]);
    expect_code(&output, 3);
    assert!(bench.run().join("best/model.safetensors").is_file());
    assert!(!bench.run().join("accuracy.txt").exists());
}

#[test]
fn the_same_study_gives_the_same_bits_for_any_number_of_threads() {
    let bench = Bench::new();
    let mut files = Vec::new();
    for threads in ["1", "2", "4"] {
        let runs = format!("runs-{threads}");
        expect_code(
            &bench.burgeon(&["tune", "study.toml", "--threads", threads, "--runs", &runs]),
            0,
        );
        files.push(
            fs::read(bench.path().join(&runs).join("growing-0001/best/model.safetensors")).unwrap(),
        );
    }
    assert!(files[0] == files[1] && files[1] == files[2]);
}

#[test]
fn the_instruction_set_is_recorded_and_another_one_is_warned_of() {
    let bench = Bench::new();
    let run = |arguments: &[&str], cpu: &str| {
        bench.command(arguments).env("BURGEON_CPU", cpu).output().unwrap()
    };
    let train = ["train", "study.toml", "--set", "train.epochs=1", "--set", "gate.accuracy=1.0"];
    expect_code(&run(&train, "portable"), 3);
    let provenance = fs::read_to_string(bench.run().join("provenance.json")).unwrap();
    assert!(provenance.contains("\"instruction_set\": \"portable\""), "{provenance}");
    // As if it had been killed before the epoch's end was recorded.
    let path = bench.run().join("events.jsonl");
    let events = fs::read_to_string(&path).unwrap();
    let cut: String = events
        .split_inclusive('\n')
        .take_while(|line| !line.contains("checkpoint_written") && !line.contains("epoch_finished"))
        .collect();
    assert!(cut.lines().next().unwrap().contains("\"instruction_set\":\"portable\""), "{cut}");

    fs::write(&path, &cut).unwrap();
    let same = run(&["resume", "runs/growing-0001"], "portable");
    expect_code(&same, 3);
    assert!(!stderr(&same).contains("instruction set"), "{}", stderr(&same));

    fs::write(&path, cut.replace("\"portable\"", "\"avx512\"")).unwrap();
    let warned = run(&["resume", "runs/growing-0001"], "portable");
    expect_code(&warned, 3);
    assert!(stderr(&warned).contains("instruction set avx512"), "{}", stderr(&warned));
    let resumed = fs::read_to_string(&path).unwrap();
    let resumed = resumed.lines().find(|line| line.contains("study_resumed")).unwrap();
    assert!(resumed.contains("\"instruction_set\":\"portable\""), "{resumed}");
}
