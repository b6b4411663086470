//! The command line as its users meet it.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::fs;

use support::{Bench, expect_code, stderr, stdout};

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
    let sets = ["--set", notify, "--set", "gate.accuracy=0.0", "--set", "train.epochs=1"];
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
    let output = bench.burgeon(&["train", spec.to_str().unwrap(), "--set", "gate.accuracy=0.0"]);
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
fn json_puts_events_and_nothing_else_on_stdout() {
    let bench = Bench::new();
    let output = bench.burgeon(&["tune", "study.toml", "--json"]);
    expect_code(&output, 0);
    let said = stdout(&output);
    let events: Vec<serde_json::Value> =
        said.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(events[0]["event"], "study_started");
    assert!(events.iter().all(|event| event["v"] == 1 && event["at"].is_string()));
    let last = &events[events.len() - 1];
    assert_eq!((&last["event"], &last["outcome"]), (&"study_finished".into(), &"accepted".into()));
    assert!(last["test_accuracy"].is_f64());
    assert_eq!(said, fs::read_to_string(bench.run().join("events.jsonl")).unwrap());
    assert!(stderr(&output).contains("accepted"));
}

#[test]
fn a_wrong_study_is_exit_2_with_file_line_and_column_and_starts_nothing() {
    let bench = Bench::new();
    fs::write(bench.study(), support::GROWING.replace("size = 4", "size = 40")).unwrap();
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
fn check_prints_the_layer_table_of_the_built_in_study() {
    let output = Bench::new().burgeon(&["check"]);
    expect_code(&output, 0);
    let said = stdout(&output);
    assert!(said.contains("16×5×5") && said.contains("61,706"), "{said}");
}

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

#[test]
fn eval_and_predict_use_the_best_model() {
    let bench = Bench::new();
    expect_code(&bench.burgeon(&["tune", "study.toml"]), 0);
    let eval = bench.burgeon(&["eval", "runs/growing-0001", "--split", "validation", "--json"]);
    expect_code(&eval, 0);
    let figures: serde_json::Value = serde_json::from_str(&stdout(&eval)).unwrap();
    let accuracy: f64 =
        fs::read_to_string(bench.run().join("accuracy.txt")).unwrap().trim().parse().unwrap();
    assert_eq!(figures["accuracy"], accuracy);
    assert_eq!(figures["confusion"].as_array().unwrap().len(), 10);
    expect_code(&bench.burgeon(&["eval", "runs/growing-0001"]), 0);

    let picture = bench.path().join("one.png");
    let paper = image::GrayImage::from_fn(60, 90, |x, y| {
        image::Luma([if (26..34).contains(&x) && (10..80).contains(&y) { 20 } else { 250 }])
    });
    paper.save(&picture).unwrap();
    let predict = bench.burgeon(&["predict", "runs/growing-0001", "one.png", "missing.png"]);
    expect_code(&predict, 1);
    assert!(stdout(&predict).starts_with("one.png: "), "{}", stdout(&predict));
    assert!(stderr(&predict).contains("missing.png"), "{}", stderr(&predict));
    expect_code(
        &bench.burgeon(&["predict", "runs/growing-0001", "one.png", "--invert", "always"]),
        0,
    );
}

#[test]
fn a_folder_without_a_run_is_refused() {
    let bench = Bench::new();
    fs::create_dir(bench.path().join("empty")).unwrap();
    for command in [&["eval", "empty"][..], &["predict", "empty", "x.png"], &["resume", "empty"]] {
        let output = bench.burgeon(command);
        expect_code(&output, 1);
        assert!(stderr(&output).contains("not a run"), "{}", stderr(&output));
    }
}

#[test]
fn options_also_come_from_the_environment() {
    let bench = Bench::new();
    let output = bench
        .command(&["train", "study.toml"])
        .env("BURGEON_RUNS", "elsewhere")
        .env("BURGEON_SEED", "7")
        .env("BURGEON_SET", "train.epochs=1;gate.accuracy=0.0")
        .env("BURGEON_THREADS", "1")
        .output()
        .unwrap();
    expect_code(&output, 0);
    let study = fs::read_to_string(bench.path().join("elsewhere/growing-0001/study.toml")).unwrap();
    assert!(study.contains("seed = 7") && study.contains("epochs = 1"), "{study}");
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

#[test]
fn completions_are_printed_for_every_shell() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let output = Bench::new().burgeon(&["completions", shell]);
        expect_code(&output, 0);
        assert!(stdout(&output).contains("burgeon"));
    }
}
