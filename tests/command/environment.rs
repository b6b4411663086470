//! Options from environment variables.

use std::fs;
use std::process::Output;

use crate::support::{Bench, expect_code, stderr, stdout};

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
fn booleans_and_settings_from_the_environment_are_read_and_named_as_what_they_are() {
    let bench = Bench::new();
    let with = |name: &str, value: &str, arguments: &[&str]| {
        bench.command(arguments).env(name, value).output().unwrap()
    };
    for value in ["1", "true", "yes", "on", "0", "false", "no", "off"] {
        for name in ["BURGEON_AS_IS", "BURGEON_PROFILE", "BURGEON_EVALUATE", "BURGEON_QUIET"] {
            let output = with(name, value, &["predict", "nowhere", "a.png"]);
            expect_code(&output, 1);
            assert!(!stderr(&output).contains(name), "{name}={value}: {}", stderr(&output));
        }
    }
    for (value, why) in [("bogus.key=1", "bogus"), ("train.epochs=x", "train.epochs")] {
        let output = with("BURGEON_SET", value, &["check", "study.toml"]);
        expect_code(&output, 2);
        let said = stderr(&output);
        assert!(said.contains("BURGEON_SET") && said.contains(why), "{said}");
        assert!(!said.contains("--set"), "{said}");
        let typed = stderr(&bench.burgeon(&["check", "study.toml", "--set", value]));
        assert!(typed.contains("--set") && !typed.contains("BURGEON_SET"), "{typed}");
    }
}
