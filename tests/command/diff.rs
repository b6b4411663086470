//! `burgeon diff`: two runs side by side.

use std::fs;

use serde_json::Value;

use crate::support::{Bench, expect_code, stderr, stdout};

/// Two trainings of the same study, the second of one epoch more.
fn bench() -> Bench {
    let bench = Bench::new();
    for epochs in ["train.epochs=1", "train.epochs=2"] {
        let train = ["train", "study.toml", "--set", "gate.accuracy=1.0", "--set", epochs];
        expect_code(&bench.burgeon(&train), 3);
    }
    bench
}

const RUNS: [&str; 2] = ["runs/growing-0001", "runs/growing-0002"];

#[test]
fn two_runs_are_told_apart_by_study_curve_and_figures() {
    let bench = bench();
    let output = bench.burgeon(&["diff", RUNS[0], RUNS[1]]);
    expect_code(&output, 0);
    let text = stdout(&output);
    for expected in [
        "study at its start: \n  [train]\n    - epochs = 1\n    + epochs = 2\n",
        "study of the best trial: differs likewise",
        "data: the same",
        "95 % interval",
        "FLOPs per image",
        "└─",
    ] {
        assert!(text.contains(expected), "{expected:?} is not in {text}");
    }
    assert!(text.lines().all(|line| line.chars().count() <= 140), "{text}");
    // By name in the folder of runs.
    let by_name = bench.burgeon(&["diff", "growing-0001", "growing-0002", "--json"]);
    expect_code(&by_name, 0);
    let json: Value = serde_json::from_str(&stdout(&by_name)).unwrap();
    assert_eq!(json["study"][0]["lines"][1], "+ epochs = 2");
    assert_eq!(json["data"]["same_validation_images"], true);
    assert_eq!(json["runs"][0]["curve"].as_array().unwrap().len(), 1);
    let accuracy = |side: usize| json["runs"][side]["validation_accuracy"].as_f64().unwrap();
    assert_eq!(json["difference"].as_f64().unwrap(), accuracy(1) - accuracy(0));
}

#[test]
fn what_is_measured_lies_within_what_the_records_bound() {
    let bench = bench();
    let verdict = |arguments: &[&str]| -> Value {
        let output =
            bench.burgeon(&[&["diff", RUNS[0], RUNS[1], "--json"][..], arguments].concat());
        expect_code(&output, 0);
        serde_json::from_str::<Value>(&stdout(&output)).unwrap()["significance"].clone()
    };
    let (recorded, measured) = (verdict(&[]), verdict(&["--evaluate"]));
    let p = |verdict: &Value, name: &str| verdict[name].as_f64();
    let found = p(&measured, "p_least").or(p(&measured, "p_most")).unwrap();
    assert!(p(&recorded, "p_least").unwrap_or(0.0) <= found, "{recorded} {measured}");
    assert!(found <= p(&recorded, "p_most").unwrap_or(1.0), "{recorded} {measured}");
    assert_ne!(measured["verdict"], "undecided");
}

#[test]
fn runs_on_other_images_are_compared_but_not_judged() {
    let bench = bench();
    let other = ["train", "study.toml", "--set", "gate.accuracy=1.0", "--seed", "7"];
    expect_code(&bench.burgeon(&other), 3);
    let output = bench.burgeon(&["diff", RUNS[0], "runs/growing-0003"]);
    expect_code(&output, 0);
    let text = stdout(&output);
    assert!(text.contains("they were not judged on the same images"), "{text}");
    let refused = bench.burgeon(&["diff", RUNS[0], "runs/growing-0003", "--evaluate"]);
    expect_code(&refused, 1);
    assert!(stderr(&refused).contains("leave out --evaluate"), "{}", stderr(&refused));
}

#[test]
fn what_is_no_run_is_refused_by_name_and_hostile_text_stays_text() {
    let bench = bench();
    let refused = bench.burgeon(&["diff", RUNS[0], "nowhere"]);
    expect_code(&refused, 1);
    assert!(stderr(&refused).contains("nowhere is not a run folder"), "{}", stderr(&refused));
    let study = bench.runs().join("growing-0002/study.toml");
    let text = fs::read_to_string(&study).unwrap();
    fs::write(&study, text.replace("epochs = 2", "epochs = 2 # \u{1b}[2J\u{202e}")).unwrap();
    let output = bench.burgeon(&["diff", RUNS[0], RUNS[1]]);
    expect_code(&output, 0);
    let text = stdout(&output);
    assert!(text.contains("epochs = 2 # \\u{1b}[2J\\u{202e}"), "{text}");
    assert!(!text.chars().any(|found| found.is_control() && found != '\n'), "{text:?}");
}
