//! `burgeon runs`: what is there, whoever left it.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::Value;

use crate::support::{Bench, expect_code, stderr, stdout};

fn listed(bench: &Bench, arguments: &[&str]) -> Value {
    let output = bench.burgeon(&[&["runs", "--json"][..], arguments].concat());
    expect_code(&output, 0);
    serde_json::from_str(&stdout(&output)).unwrap()
}

fn states(bench: &Bench) -> Vec<(String, String)> {
    let listing = listed(bench, &["--sort", "name"]);
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let runs = listing["runs"].as_array().unwrap().iter();
    runs.map(|run| (text(&run["run"]), text(&run["state"]))).collect()
}

/// Starts a study that takes long, and waits until it trains.
fn start(bench: &Bench, number: u32) -> std::process::Child {
    let slow = ["tune", "study.toml", "--set", "train.epochs=1000"];
    let trainer = bench.command(&slow).stdout(Stdio::null()).spawn().unwrap();
    let events = bench.runs().join(format!("growing-{number:04}/events.jsonl"));
    while !fs::read_to_string(&events).unwrap_or_default().contains("epoch_finished") {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    trainer
}

#[test]
fn runs_are_listed_in_every_state_while_they_go_on() {
    let bench = Bench::new();
    expect_code(&bench.burgeon(&["tune", "study.toml"]), 0);
    expect_code(&bench.burgeon(&["train", "study.toml", "--set", "gate.accuracy=1.0"]), 3);
    let late = ["train", "study.toml", "--set", "gate.accuracy=1.0", "--set", "train.epochs=1000"];
    let late = bench.command(&late).args(["--set", "train.seconds=0.5"]).output().unwrap();
    expect_code(&late, 3);
    let mut stopped = start(&bench, 4);
    // SAFETY: sends a signal to a child that has not been waited for.
    unsafe { libc::kill(stopped.id() as i32, libc::SIGTERM) };
    assert_eq!(stopped.wait().unwrap().code(), Some(143));
    let mut killed = start(&bench, 5);
    let mut running = start(&bench, 6);
    let state = |number: u32, state: &str| (format!("growing-{number:04}"), state.to_owned());
    let over = [(1, "accepted"), (2, "rejected"), (3, "out_of_time"), (4, "stopped")];
    let over = over.map(|(number, name)| state(number, name));
    let both_run = [state(5, "running"), state(6, "running")];
    assert_eq!(states(&bench), [&over[..], &both_run].concat());

    killed.kill().unwrap();
    killed.wait().unwrap();
    let one_was_killed = [state(5, "interrupted"), state(6, "running")];
    assert_eq!(states(&bench), [&over[..], &one_was_killed].concat());

    let run = &listed(&bench, &["growing-0006"])["runs"][0];
    assert_eq!(run["holder"]["pid"], running.id());
    assert_eq!((&run["position"]["trial"], &run["gate"]), (&1.into(), &0.75.into()));
    let accepted = &listed(&bench, &["growing-0001"])["runs"][0];
    let recorded = fs::read_to_string(bench.runs().join("growing-0001/accuracy.txt")).unwrap();
    assert_eq!(accepted["validation_accuracy"].to_string(), recorded.trim());
    assert!(accepted["bytes"].as_u64().unwrap() > 10_000 && accepted["test_accuracy"].is_f64());

    let table = bench.burgeon(&["runs", "--sort", "state"]);
    expect_code(&table, 0);
    let table = stdout(&table);
    let lines: Vec<&str> = table.lines().collect();
    assert!(lines[0].starts_with("run ") && lines[0].ends_with("size"), "{table}");
    assert!(lines[1].contains("growing-0006") && lines[1].contains("running: trial 1"), "{table}");
    assert!(table.contains("interrupted, can be resumed") && table.contains("75 %"), "{table}");
    running.kill().unwrap();
    running.wait().unwrap();
}

/// A finished run as a record tells it, with `middle` in the midst of its training.
fn leave_run(runs: &Path, name: impl AsRef<OsStr>, minute: usize, middle: &str) -> PathBuf {
    let run = runs.join(name.as_ref());
    fs::create_dir_all(&run).unwrap();
    fs::write(run.join("study.toml"), "name = \"made\"\n").unwrap();
    let at = |second: usize| {
        format!(
            "2026-02-{:02}T{:02}:{:02}:{second:02}Z",
            1 + minute / 1440,
            minute / 60 % 24,
            minute % 60
        )
    };
    let log = [
        format!(
            r#"{{"v":1,"event":"study_started","at":"{}","name":"made","command":"tune","run":"r","spec_hash":"a","data_hash":"b","seed":1,"device":"cpu","threads":1,"train_images":1,"validation_images":1,"test_images":1,"threshold":0.9,"trials":1}}"#,
            at(1)
        ),
        middle.to_owned(),
        format!(
            r#"{{"v":1,"event":"trial_finished","at":"{}","trial":1,"epochs":1,"validation_accuracy":0.5,"train_seconds":1.0,"images_per_second":1.0,"diagnosis":{{"diagnosis":"underfit","ending":"completed","evidence":"e"}}}}"#,
            at(2)
        ),
        format!(
            r#"{{"v":1,"event":"gate_decided","at":"{}","trial":1,"decision":"accept","threshold":0.9,"accuracy":0.95}}"#,
            at(3)
        ),
        format!(
            r#"{{"v":1,"event":"study_finished","at":"{}","outcome":"accepted","best_trial":1,"validation_accuracy":0.95,"test_accuracy":0.94,"parameters":1000,"trials":3,"seconds":4.0,"run":"r"}}"#,
            at(4)
        ),
    ];
    fs::write(run.join("events.jsonl"), log.join("\n") + "\n").unwrap();
    run
}

#[test]
fn of_a_thousand_runs_the_ends_are_read_and_not_what_is_between() {
    let bench = Bench::new();
    // Long enough for an end to be less than all, and damaged, so that a reader of all would complain.
    let middle = "damaged ".repeat(5_000);
    for number in 1..=1000 {
        leave_run(&bench.runs(), format!("made-{number:04}"), number, &middle);
    }
    let listing = listed(&bench, &[]);
    let runs = listing["runs"].as_array().unwrap();
    assert_eq!((runs.len(), &listing["problems"]), (1000, &Value::Array(Vec::new())));
    assert_eq!(runs[0]["run"], "made-1000", "the newest comes first");
    for run in runs {
        assert_eq!((&run["state"], &run["study"]), (&"accepted".into(), &"made".into()));
        assert_eq!((&run["validation_accuracy"], &run["trials"]), (&0.95.into(), &3.into()));
    }
    let by_name = listed(&bench, &["--sort", "name"]);
    assert_eq!(by_name["runs"][0]["run"], "made-0001");
    assert_eq!(stdout(&bench.burgeon(&["runs"])).lines().count(), 1001);
}

#[test]
fn what_cannot_be_read_and_what_is_no_run_is_told_and_hides_nothing() {
    let bench = Bench::new();
    let runs = bench.runs();
    leave_run(&runs, "good-0001", 1, r#"{"v":1,"event":"newer","at":"2026-01-01T00:00:00Z"}"#);
    // Not finished, so all of it has to be read.
    let damaged = leave_run(&runs, "damaged-0001", 2, "no event");
    let log = fs::read_to_string(damaged.join("events.jsonl")).unwrap();
    let unfinished: String = log.lines().take(3).map(|line| format!("{line}\n")).collect();
    fs::write(damaged.join("events.jsonl"), unfinished).unwrap();
    let device = leave_run(&runs, "device-0001", 3, "");
    fs::remove_file(device.join("events.jsonl")).unwrap();
    std::os::unix::fs::symlink("/dev/zero", device.join("events.jsonl")).unwrap();
    let begun = leave_run(&runs, "begun-0001", 4, "");
    fs::remove_file(begun.join("events.jsonl")).unwrap();
    fs::create_dir_all(runs.join("photos/cats")).unwrap();
    fs::write(runs.join("notes.txt"), "").unwrap();

    let output = bench.burgeon(&["runs", "--sort", "name"]);
    expect_code(&output, 0);
    let (table, said) = (stdout(&output), stderr(&output));
    assert_eq!(table.lines().count(), 3, "{table}");
    assert!(table.contains("good-0001") && table.contains("begun-0001"), "{table}");
    assert!(
        said.contains("damaged-0001 is left out") && said.contains("line 2 is damaged"),
        "{said}"
    );
    assert!(said.contains("device-0001 is left out") && said.contains("is not a file"), "{said}");
    assert!(said.contains("not runs: photos (it has no study.toml)"), "{said}");
    assert!(!said.contains("notes.txt"), "{said}");
    let problems = listed(&bench, &[])["problems"].as_array().unwrap().len();
    assert_eq!(problems, 3);
    let only = bench.burgeon(&["runs", "good-0001"]);
    assert_eq!((stdout(&only).lines().count(), stderr(&only)), (2, String::new()));
}

#[test]
fn hostile_names_do_nothing_to_the_terminal() {
    let bench = Bench::new();
    let line = |number| format!(r#"{{"v":1,"event":"{number}","at":"2026-01-01T00:00:00Z"}}"#);
    let evil = leave_run(&bench.runs(), "evil\u{1b}]0;owned\u{7}\u{202e}txt", 1, &line(1));
    let log = fs::read_to_string(evil.join("events.jsonl")).unwrap();
    let log = log.replace(r#""name":"made""#, r#""name":"\u001b[2J\nmade""#);
    fs::write(evil.join("events.jsonl"), log).unwrap();
    leave_run(&bench.runs(), OsStr::from_bytes(b"bytes-\xff\xfe"), 2, &line(2));
    leave_run(&bench.runs(), "x".repeat(250), 3, &line(3));
    fs::create_dir(bench.runs().join("foreign\u{1b}[31m")).unwrap();
    let broken = leave_run(&bench.runs(), "broken\u{1b}[32m", 4, "");
    fs::write(broken.join("events.jsonl"), "{}\n{}\n").unwrap();
    let output = bench.burgeon(&["runs"]);
    expect_code(&output, 0);
    let all = stdout(&output) + &stderr(&output);
    assert!(!all.chars().any(|found| found.is_control() && found != '\n'), "{all:?}");
    assert!(!all.contains('\u{202e}') && all.contains("evil\\u{1b}]0;owned"), "{all}");
    assert!(all.contains("\\u{1b}[2J\\nmade") && all.contains("foreign\\u{1b}[31m"), "{all}");
    assert_eq!(stdout(&output).lines().count(), 4, "{all}");
    assert!(all.lines().take(4).all(|line| line.chars().count() < 250), "{all}");
    assert_eq!(listed(&bench, &[])["runs"].as_array().unwrap().len(), 3);
}

#[test]
fn a_name_that_nothing_has_is_refused_with_the_nearest_and_an_empty_folder_is_no_fault() {
    let bench = Bench::new();
    let nothing = bench.burgeon(&["runs"]);
    expect_code(&nothing, 0);
    assert_eq!((stdout(&nothing), stderr(&nothing)), (String::new(), "no runs in runs\n".into()));
    assert_eq!(listed(&bench, &[])["runs"], Value::Array(Vec::new()));
    let line = r#"{"v":1,"event":"x","at":"2026-01-01T00:00:00Z"}"#;
    leave_run(&bench.runs(), "made-0001", 1, line);
    leave_run(&bench.runs(), "made-0002", 2, line);
    let wrong = bench.burgeon(&["runs", "made-0003"]);
    expect_code(&wrong, 1);
    assert!(stderr(&wrong).contains("did you mean made-000"), "{}", stderr(&wrong));
    assert_eq!(listed(&bench, &["made"])["runs"].as_array().unwrap().len(), 2, "a study's name");
    let by_path = listed(&bench, &["runs/made-0002/"]);
    assert_eq!(by_path["runs"][0]["run"], "made-0002");
    fs::write(bench.path().join("file"), "").unwrap();
    expect_code(&bench.burgeon(&["runs", "--runs", "file"]), 1);
}
