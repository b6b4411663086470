//! With `--json`, standard output has the events and nothing else.

use std::fs;

use crate::support::{Bench, expect_code, stderr, stdout};

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
