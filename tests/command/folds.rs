//! Cross-validation by the real binary.

use std::fs;
use std::process::Stdio;
use std::time::{Duration, Instant};

use burgeon::unstable::sys::{CounterRng, Purpose, counter_seed};

use crate::support::{Bench, End, expect_code, stderr, stdout};

/// A network that is too small, on few images, judged by what five networks get right.
pub const FOLDED: &str = r#"
name = "growing"
[data]
source = "synthetic"
train = 150
[model]
layers = [{ conv = { filters = 2, kernel = 3, stride = 2 } }, { max-pool = { size = 4 } }]
[train]
epochs = 6
batch-size = 16
learning-rate = 0.004
checkpoint = { every-steps = 3 }
[gate]
accuracy = 0.45
folds = 5
[tune]
trials = 4
keep = "all"
"#;

fn folded() -> Bench {
    Bench::with_study(FOLDED)
}

#[test]
fn a_study_of_few_images_is_judged_by_all_of_them() {
    let bench = folded();
    let tuned = bench.burgeon(&["tune", "study.toml"]);
    expect_code(&tuned, 0);
    let said = stdout(&tuned);
    assert!(said.contains("120 training, 30 validation"), "{said}");
    for line in ["  fold 1/5  validation ", "  fold 5/5  validation ", "  |  "] {
        assert!(said.contains(line), "{line}: {said}");
    }
    assert!(said.contains("cross-validated over 5 folds: "), "{said}");
    assert!(said.contains("cross-validated accuracy "), "{said}");
    assert!(!stderr(&tuned).contains("say little"), "{}", stderr(&tuned));
    let events = fs::read_to_string(bench.run().join("events.jsonl")).unwrap();
    let events: Vec<serde_json::Value> =
        events.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of = |name: &str| events.iter().filter(|event| event["event"] == name).collect::<Vec<_>>();
    let result = of("study_finished")[0];
    let best = &result["best_trial"];
    let folds: Vec<_> =
        of("fold_finished").into_iter().filter(|fold| fold["trial"] == *best).collect();
    assert_eq!(folds.len(), 5);
    let sum = |key: &str| folds.iter().map(|fold| fold[key].as_u64().unwrap()).sum::<u64>();
    assert_eq!(sum("images"), 150, "every image is held out once");
    let accuracy = sum("correct") as f64 / 150.0;
    assert_eq!(result["validation_accuracy"].as_f64(), Some(accuracy));
    let written = fs::read_to_string(bench.run().join("accuracy.txt")).unwrap();
    assert!((written.trim().parse::<f64>().unwrap() - accuracy).abs() < 1e-9);
    let percent = format!("{:.2} %", accuracy * 100.0);
    for file in ["report.html", "report.md", "best/card.md"] {
        let text = fs::read_to_string(bench.run().join(file)).unwrap();
        assert!(text.contains("cross-validated"), "{file}: {text}");
        assert!(text.contains(&percent) || text.contains(&percent.replace('%', "\\%")), "{file}");
    }
    let lineage = stdout(&bench.burgeon(&["lineage", "runs/growing-0001"]));
    assert!(lineage.contains("cross-validated over 5 folds: "), "{lineage}");
    // The validation split is the first fold.
    let evaluated = bench.burgeon(&["eval", "runs/growing-0001", "--json"]);
    expect_code(&evaluated, 0);
    let evaluated: serde_json::Value = serde_json::from_str(&stdout(&evaluated)).unwrap();
    assert_eq!(evaluated["images"], 30);
    let first = folds[0]["correct"].as_u64().unwrap() as f64 / 30.0;
    assert!((evaluated["accuracy"].as_f64().unwrap() - first).abs() < 1e-9, "{evaluated}");
    let again = bench.burgeon(&["resume", "runs/growing-0001"]);
    expect_code(&again, 0);
    assert!(stdout(&again).contains("cross-validated over 5 folds"), "{}", stdout(&again));
}

#[test]
fn a_study_killed_between_and_within_folds_ends_with_the_same_bits() {
    let whole = folded();
    let begun = Instant::now();
    expect_code(&whole.burgeon(&["tune", "study.toml"]), 0);
    let millis = begun.elapsed().as_millis() as u32;
    let expected = End::of(&whole.run());
    let mut rng = CounterRng::new(counter_seed(3, 0, Purpose::Policy, 0, 0));
    let mut cut = 0;
    for cuts in [1, 3, 6] {
        let bench = folded();
        for _ in 0..cuts {
            let mut command = bench.command(&["tune", "study.toml", "--resume", "auto"]);
            let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
            std::thread::sleep(Duration::from_millis(u64::from(
                millis / 4 + rng.below(millis / 2),
            )));
            child.kill().unwrap();
            cut += usize::from(child.wait().unwrap().code().is_none());
        }
        expect_code(&bench.burgeon(&["tune", "study.toml", "--resume", "auto"]), 0);
        assert!(End::of(&bench.run()) == expected, "other bits after {cuts} kills");
    }
    assert!(cut > 0, "no process was killed while it worked");
}

#[test]
fn two_trials_at_a_time_share_their_ancestors_folds() {
    let study = || {
        let bench = folded();
        let text = fs::read_to_string(bench.study()).unwrap().replace("0.45", "0.97");
        fs::write(bench.study(), text).unwrap();
        bench
    };
    let end = |bench: &Bench| {
        let trials = ["--set", "tune.trials=3"];
        let tuned = bench.burgeon(&[&["tune", "study.toml", "--jobs", "2"], &trials[..]].concat());
        assert!(matches!(tuned.status.code(), Some(0 | 3)), "{}", stderr(&tuned));
        End::of(&bench.run())
    };
    let (one, other) = (study(), study());
    assert_eq!(end(&one), end(&other));
}

#[test]
fn a_time_limit_is_heeded_between_and_within_folds() {
    let bench = folded();
    let endless =
        ["--set", "train.epochs=400", "--set", "train.seconds=2", "--set", "tune.trials=1"];
    let tuned = bench.burgeon(&[&["tune", "study.toml"], &endless[..]].concat());
    expect_code(&tuned, 3);
    let said = stdout(&tuned);
    assert!(said.contains("out of time: the 2 s of `train.seconds` are used up"), "{said}");
    assert!(said.contains("all must be, to pass") || said.contains("below the gate"), "{said}");
}

#[test]
fn folds_and_a_validation_split_exclude_each_other() {
    let bench = folded();
    let checked = bench.burgeon(&["check", "study.toml", "--set", "data.validation=20"]);
    expect_code(&checked, 2);
    assert!(stderr(&checked).contains("has no effect beside `gate.folds`"), "{}", stderr(&checked));
    for folds in ["1", "21"] {
        let set = format!("gate.folds={folds}");
        let checked = bench.burgeon(&["check", "study.toml", "--set", &set]);
        expect_code(&checked, 2);
        assert!(
            stderr(&checked).contains("use a whole number from 2 to 20"),
            "{}",
            stderr(&checked)
        );
    }
    let checked = bench.burgeon(&["check", "study.toml"]);
    expect_code(&checked, 0);
    assert!(
        stdout(&checked).contains("45.0 %, cross-validated over 5 folds"),
        "{}",
        stdout(&checked)
    );
}

#[test]
fn a_gate_on_few_validation_images_is_warned_of() {
    let bench = folded();
    let text = fs::read_to_string(bench.study()).unwrap();
    fs::write(
        bench.study(),
        text.replace("folds = 5\n", "").replace("train = 150", "train = 150\nvalidation = 40"),
    )
    .unwrap();
    for command in [&["check", "study.toml"][..], &["tune", "study.toml", "--set", "tune.trials=1"]]
    {
        let output = bench.burgeon(command);
        let said = stderr(&output);
        assert_eq!(said.matches("40 validation images say little").count(), 1, "{said}");
        assert!(said.contains("`folds = 5` in [gate]") && said.contains("from "), "{said}");
    }
    let sure = bench.burgeon(&["check", "study.toml", "--set", "gate.confidence=0.8"]);
    assert!(!stderr(&sure).contains("say little"), "{}", stderr(&sure));
}
