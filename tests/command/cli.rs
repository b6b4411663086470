//! The command line as its users meet it.

use std::fs;
use std::process::Output;

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
        assert!(stderr(&output).contains("a run"), "{}", stderr(&output));
    }
}

#[test]
fn options_also_come_from_the_environment() {
    let bench = Bench::new();
    let output = bench
        .command(&["train", "study.toml"])
        .env("BURGEON_RUNS", "elsewhere")
        .env("BURGEON_SEED", "7")
        .env("BURGEON_SET", "train.epochs=1;gate.accuracy=0.0;gate.allow-majority=true")
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

/// What `check` says of the study under one variable.
fn check_with(bench: &Bench, variable: &str, value: impl AsRef<std::ffi::OsStr>) -> Output {
    bench.command(&["check", "study.toml"]).env(variable, value).output().unwrap()
}

#[test]
fn a_variable_that_is_set_to_nothing_is_not_set() {
    let bench = Bench::new();
    for name in [
        "SEED",
        "DATA",
        "SET",
        "JSON",
        "QUIET",
        "NO_COLOR",
        "DEVICE",
        "THREADS",
        "RUNS",
        "MNIST_MIRRORS",
    ] {
        let name = format!("BURGEON_{name}");
        expect_code(&check_with(&bench, &name, ""), 0);
    }
    let names = ["BURGEON_RESUME", "BURGEON_JOBS", "BURGEON_PROFILE", "BURGEON_SEED"];
    let mut train = bench.command(&[
        "train",
        "study.toml",
        "--set",
        "gate.accuracy=0.0",
        "--set",
        "gate.allow-majority=true",
    ]);
    expect_code(&train.envs(names.map(|name| (name, ""))).output().unwrap(), 0);
    let mut eval = bench.command(&["eval", "runs/growing-0001"]);
    expect_code(&eval.env("BURGEON_SPLIT", "").output().unwrap(), 0);
}

#[test]
fn a_switch_in_the_environment_is_on_or_off_in_the_usual_words() {
    let bench = Bench::new();
    let is_json = |value| {
        let output = check_with(&bench, "BURGEON_JSON", value);
        expect_code(&output, 0);
        stdout(&output).starts_with('{')
    };
    for on in ["1", "true", "yes", "on", "TRUE", "Yes", "oN"] {
        assert!(is_json(on), "{on}");
    }
    for off in ["0", "false", "no", "off", "FALSE", "No", "Off"] {
        assert!(!is_json(off), "{off}");
    }
}

#[test]
fn a_list_in_the_environment_may_end_with_its_delimiter() {
    let bench = Bench::new();
    for list in ["train.epochs=3;", ";train.epochs=3", "train.epochs=3; ;"] {
        let output = check_with(&bench, "BURGEON_SET", list);
        expect_code(&output, 0);
        assert!(stdout(&output).contains("3 epochs"), "{list}: {}", stdout(&output));
    }
    expect_code(&check_with(&bench, "BURGEON_SET", ";"), 0);
    expect_code(&check_with(&bench, "BURGEON_MNIST_MIRRORS", ","), 0);
}

#[test]
fn a_wrong_variable_is_named_and_the_command_line_wins_over_it() {
    use std::os::unix::ffi::OsStrExt;
    let bench = Bench::new();
    let latin = std::ffi::OsStr::from_bytes(b"\xff");
    for (name, value) in [
        ("BURGEON_SEED", "many".as_ref()),
        ("BURGEON_JSON", "perhaps".as_ref()),
        ("BURGEON_QUIET", "2".as_ref()),
        ("BURGEON_THREADS", "0".as_ref()),
        ("BURGEON_DEVICE", "tpu".as_ref()),
        ("BURGEON_SET", "train.epochs=3;epochs".as_ref()),
        ("BURGEON_SEED", latin),
        ("BURGEON_SET", latin),
    ] {
        let output = check_with(&bench, name, value);
        expect_code(&output, 2);
        let said = stderr(&output);
        let first = said.lines().next().unwrap();
        assert!(first.contains(name) && !first.contains("--"), "{name}: {said}");
    }
    let mut check = bench.command(&["check", "study.toml", "--seed", "7"]);
    expect_code(&check.env("BURGEON_SEED", "many").output().unwrap(), 0);
    // What is wrong on the command line is still told as such, and help tells of the variables.
    let output =
        bench.command(&["check", "--seed", "x"]).env("BURGEON_SEED", "1").output().unwrap();
    expect_code(&output, 2);
    assert!(stderr(&output).contains("--seed"), "{}", stderr(&output));
    let help = bench.command(&["eval", "--help"]).env("BURGEON_SEED", "many").output().unwrap();
    expect_code(&help, 0);
    assert!(stdout(&help).contains("[env: BURGEON_SPLIT"), "{}", stdout(&help));
}

#[test]
fn names_that_are_not_utf8_are_names() {
    use std::os::unix::ffi::OsStrExt;
    let bench = Bench::new();
    let latin = |text: &'static [u8]| std::ffi::OsStr::from_bytes(text);
    fs::rename(bench.study(), bench.path().join(latin(b"\xe9tude.toml"))).unwrap();
    let output = bench
        .command(&["train"])
        .arg(latin(b"\xe9tude.toml"))
        .arg("--runs")
        .arg(latin(b"\xff"))
        .args([
            "--set",
            "gate.accuracy=0.0",
            "--set",
            "gate.allow-majority=true",
            "--set",
            "train.epochs=1",
        ])
        .output()
        .unwrap();
    expect_code(&output, 0);
    let run = bench.path().join(latin(b"\xff")).join("growing-0001");
    let provenance = fs::read_to_string(run.join("provenance.json")).unwrap();
    assert!(provenance.contains("\u{fffd}tude.toml"), "{provenance}");
    fs::rename(&run, bench.path().join(latin(b"r\xfcn"))).unwrap();
    let picture = latin(b"\xe9.png");
    let paper = image::GrayImage::from_fn(28, 28, |x, y| {
        image::Luma([if (12..16).contains(&x) && (4..24).contains(&y) { 20 } else { 250 }])
    });
    paper.save(bench.path().join("a.png")).unwrap();
    fs::rename(bench.path().join("a.png"), bench.path().join(picture)).unwrap();
    for (command, files) in [
        ("resume", &[][..]),
        ("eval", &[]),
        ("predict", &[picture]),
        ("lineage", &[]),
        ("report", &[]),
    ] {
        let output = bench.command(&[command]).arg(latin(b"r\xfcn")).args(files).output().unwrap();
        expect_code(&output, 0);
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
fn events_that_standard_output_loses_are_a_failure_that_is_told() {
    let bench = Bench::new();
    let full = fs::File::options().write(true).open("/dev/full").unwrap();
    let sets = [
        "--json",
        "--set",
        "gate.accuracy=0.0",
        "--set",
        "gate.allow-majority=true",
        "--set",
        "train.epochs=1",
    ];
    let mut train = bench.command(&["train", "study.toml"]);
    let output = train.args(sets).stdout(full).output().unwrap();
    expect_code(&output, 1);
    let said = stderr(&output);
    assert!(said.contains("standard output") && said.contains("No space left"), "{said}");
    assert!(said.contains("growing-0001/events.jsonl"), "{said}");
    let events = fs::read_to_string(bench.run().join("events.jsonl")).unwrap();
    assert!(events.contains("study_finished"));
}

#[test]
fn eval_reads_validation_images_and_says_so_and_the_test_images_are_read_for_the_record() {
    let bench = Bench::new();
    let run = "runs/growing-0001";
    // A rejected run, whose test images nobody has read.
    expect_code(&bench.burgeon(&["train", "study.toml", "--set", "gate.accuracy=1.0"]), 3);
    let events = || fs::read_to_string(bench.run().join("events.jsonl")).unwrap();
    let before = events();
    let eval = |arguments: &[&str]| {
        let output = bench.command(&["eval", run, "--json"]).args(arguments).output().unwrap();
        expect_code(&output, 0);
        serde_json::from_str::<serde_json::Value>(&stdout(&output)).unwrap()
    };
    assert_eq!(eval(&[])["split"], "validation");
    assert_eq!(eval(&["--split", "train"])["split"], "train");
    assert_eq!(events(), before, "nothing to record");

    let figures = eval(&["--split", "test"]);
    let after = events();
    let line = after.strip_prefix(&before).unwrap();
    let event: serde_json::Value = serde_json::from_str(line).unwrap();
    assert_eq!((&event["event"], &event["command"]), (&"test_split_read".into(), &"eval".into()));
    assert_eq!((&event["images"], &event["accuracy"]), (&figures["images"], &figures["accuracy"]));
    expect_code(&bench.burgeon(&["report", run]), 0);
    let report = fs::read_to_string(bench.run().join("report.md")).unwrap();
    assert!(report.contains("1 time, 1 of them with burgeon eval"), "{report}");
    // It changes nothing of what the study came to.
    expect_code(&bench.burgeon(&["resume", run]), 3);
}

#[test]
fn the_test_images_stay_unread_where_that_cannot_be_recorded() {
    let bench = Bench::new();
    expect_code(&bench.burgeon(&["train", "study.toml", "--set", "gate.accuracy=1.0"]), 3);
    let lock = fs::File::open(bench.run().join("lock")).unwrap();
    lock.lock().unwrap();
    let output = bench.burgeon(&["eval", "runs/growing-0001", "--split", "test"]);
    expect_code(&output, 4);
    assert_eq!(stdout(&output), "");
    assert!(stderr(&output).contains("cannot be recorded"), "{}", stderr(&output));
    expect_code(&bench.burgeon(&["eval", "runs/growing-0001"]), 0);
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
