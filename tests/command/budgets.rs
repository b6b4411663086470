//! Seconds that a study file allows bind inside a trial, and what was learned by then counts.

use std::fs;
use std::path::Path;
use std::process::Output;

use crate::support::{Bench, expect_code, stdout};

/// A study that would take days, with a gate that its first epochs open.
const ENDLESS: &str = r#"
name = "growing"
[data]
source = "synthetic"
train = 320
validation = 200
[model]
layers = [{ conv = { filters = 8, kernel = 3 } }, { max-pool = { size = 4 } }]
[train]
epochs = 100000
batch-size = 32
learning-rate = 0.01
[gate]
accuracy = 0.3
"#;

/// The events of that name in a run, as JSON.
fn events(run: &Path, name: &str) -> Vec<serde_json::Value> {
    let text = fs::read_to_string(run.join("events.jsonl")).unwrap();
    let events = text.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    events.filter(|event| event["event"] == name).collect()
}

#[track_caller]
fn expect_out_of_time(bench: &Bench, output: &Output, why: &str) {
    let said = stdout(output);
    let line = said.lines().find(|line| line.contains("out of time"));
    assert!(line.is_some_and(|line| line.contains(why)), "{said}");
    let ends = events(&bench.run(), "trial_finished");
    assert_eq!(ends[0]["diagnosis"]["ending"], "out_of_time", "{ends:?}");
    assert!(ends[0]["diagnosis"]["out_of_time"].as_str().unwrap().contains(why), "{ends:?}");
    let lineage = bench.burgeon(&["lineage", "runs/growing-0001"]);
    assert!(stdout(&lineage).contains("out of time"), "{}", stdout(&lineage));
    let page = fs::read_to_string(bench.run().join("report.html")).unwrap();
    assert!(page.contains("out of time") && page.contains(why), "{page}");
}

#[test]
fn the_seconds_of_a_trial_end_it_and_its_best_epoch_opens_the_gate() {
    for command in ["train", "tune"] {
        let bench = Bench::with_study(ENDLESS);
        let output = bench.burgeon(&[command, "study.toml", "--set", "train.seconds=1.5"]);
        expect_code(&output, 0);
        expect_out_of_time(&bench, &output, "`train.seconds`");
        assert!(bench.run().join("best/model.safetensors").exists());
        let finished = &events(&bench.run(), "study_finished")[0];
        assert_eq!(
            (&finished["outcome"], &finished["best_trial"]),
            (&"accepted".into(), &1.into())
        );
    }
}

#[test]
fn the_seconds_of_a_study_end_the_trial_that_trains_then() {
    for command in ["train", "tune"] {
        let bench = Bench::with_study(&ENDLESS.replace("0.3", "1.0"));
        let output = bench.burgeon(&[command, "study.toml", "--set", "tune.seconds=1.5"]);
        expect_code(&output, 3);
        expect_out_of_time(&bench, &output, "`tune.seconds`");
        assert!(bench.run().join("best/model.safetensors").exists());
        assert_eq!(events(&bench.run(), "trial_started").len(), 1);
        if command == "tune" {
            assert!(stdout(&output).contains("no further trial"), "{}", stdout(&output));
        }
    }
}

#[test]
fn every_trial_has_the_seconds_of_a_trial() {
    let bench = Bench::with_study(&ENDLESS.replace("0.3", "1.0"));
    let sets = ["--set", "train.seconds=0.7", "--set", "tune.trials=2"];
    let output = bench.burgeon(&[&["tune", "study.toml"], &sets[..]].concat());
    expect_code(&output, 3);
    let ends = events(&bench.run(), "trial_finished");
    assert_eq!(ends.len(), 2);
    assert!(ends.iter().all(|end| end["diagnosis"]["ending"] == "out_of_time"), "{ends:?}");
}

#[test]
fn jobs_that_train_at_the_same_time_all_end_with_the_study() {
    let bench = Bench::with_study(&ENDLESS.replace("0.3", "1.0"));
    let sets = ["--set", "tune.seconds=2", "--set", "tune.policy=random", "--jobs", "2"];
    let output = bench.burgeon(&[&["tune", "study.toml"], &sets[..]].concat());
    expect_code(&output, 3);
    let started = events(&bench.run(), "trial_started").len();
    assert_eq!(events(&bench.run(), "trial_finished").len(), started);
}

#[test]
fn an_epoch_that_is_longer_than_the_time_is_evaluated_where_it_was_cut() {
    let long = ENDLESS
        .replace("train = 320", "train = 50000")
        .replace("batch-size = 32", "batch-size = 2");
    let bench = Bench::with_study(&long);
    let output = bench.burgeon(&["train", "study.toml", "--set", "train.seconds=1"]);
    expect_code(&output, 0);
    expect_out_of_time(&bench, &output, "`train.seconds`");
    assert!(stdout(&output).contains("its best epoch is kept"), "{}", stdout(&output));
    let epochs = events(&bench.run(), "epoch_finished");
    assert_eq!(epochs.len(), 1);
    let images = epochs[0]["images"].as_u64().unwrap();
    assert!((2..50_000).contains(&images), "{images}");
}

#[test]
fn a_trial_whose_first_evaluation_would_take_too_long_says_that_it_has_no_model() {
    let study = ENDLESS
        .replace("validation = 200", "validation = 50000")
        .replace("filters = 8, kernel = 3", "filters = 64, kernel = 7");
    let bench = Bench::with_study(&study);
    let output =
        bench.burgeon(&["train", "study.toml", "--threads", "1", "--set", "train.seconds=0.1"]);
    expect_code(&output, 3);
    assert!(stdout(&output).contains("no epoch could be evaluated"), "{}", stdout(&output));
    assert!(stdout(&output).contains("no trial finished an epoch"), "{}", stdout(&output));
    assert_eq!(events(&bench.run(), "epoch_finished").len(), 0);
    assert!(!bench.run().join("best").exists());
}

#[test]
fn a_study_that_is_out_of_time_is_so_for_whoever_goes_on() {
    let bench = Bench::with_study(&ENDLESS.replace("0.3", "1.0"));
    let study = ["tune", "study.toml", "--set", "tune.seconds=1.5", "--resume", "auto"];
    expect_code(&bench.burgeon(&study), 3);
    // As if it had been cut before it could record its end.
    let record = bench.run().join("events.jsonl");
    let text = fs::read_to_string(&record).unwrap();
    let cut = text.find("\"event\":\"trial_finished\"").unwrap();
    let cut = text[..cut].rfind('\n').unwrap();
    let epochs = events(&bench.run(), "epoch_finished").len();
    fs::write(&record, &text[..=cut]).unwrap();
    let output = bench.burgeon(&study);
    expect_code(&output, 3);
    expect_out_of_time(&bench, &output, "`tune.seconds`");
    assert_eq!(events(&bench.run(), "trial_started").len(), 1);
    let now = events(&bench.run(), "epoch_finished").len();
    assert!(now <= epochs + 1, "{now} epochs after {epochs}: the time was up already");
}

#[test]
fn seconds_that_are_no_time_are_refused() {
    for set in ["train.seconds=0", "train.seconds=-1", "train.seconds=nan", "tune.seconds=0"] {
        let output = Bench::with_study(ENDLESS).burgeon(&["train", "study.toml", "--set", set]);
        expect_code(&output, 2);
    }
}
