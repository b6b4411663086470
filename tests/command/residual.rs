//! A study with all that networks for photos have, from the check to the evaluated model.

use std::fs;
use std::process::Stdio;
use std::time::Duration;

use crate::support::{Bench, End, expect_code, stdout};

/// Padded pools, an identity and a projected block, a depthwise convolution, dropout and an average of
/// the weights; one trial of it is enough here.
const RESIDUAL: &str = r#"
name = "growing"
[data]
source = "synthetic"
train = 320
validation = 120
[model]
layers = [
  { conv = { filters = 4, kernel = 3, stride = 2, activation = "none" } },
  { batch-norm = { activation = "relu" } },
  { max-pool = { size = 3, stride = 2, padding = 1 } },
  { residual = { layers = [
    { conv = { filters = 4, kernel = 3, activation = "none" } }, { batch-norm = { activation = "relu" } },
    { conv = { filters = 4, kernel = 3, activation = "none" } }, "batch-norm",
  ] } },
  { residual = { layers = [
    { conv = { filters = 4, kernel = 3, groups = 4, stride = 2 } }, { dropout = { rate = 0.1 } },
    { conv = { filters = 8, kernel = 1, activation = "none" } }, "batch-norm",
  ] } },
  "global-avg-pool",
]
[train]
epochs = 16
batch-size = 32
learning-rate = 0.01
weight-average = 0.9
checkpoint = { every-steps = 3 }
[gate]
accuracy = 0.3
[tune]
trials = 1
"#;

fn bench() -> Bench {
    let bench = Bench::new();
    fs::write(bench.study(), RESIDUAL).unwrap();
    bench
}

#[test]
fn the_layer_table_shows_the_layers_of_blocks() {
    let bench = bench();
    let output = bench.burgeon(&["check", "study.toml"]);
    expect_code(&output, 0);
    let text = stdout(&output);
    let has = |line: &str| {
        text.lines()
            .any(|found| found.split_whitespace().collect::<Vec<_>>().join(" ").starts_with(line))
    };
    assert!(has("4 residual of 4 layers, relu 4×7×7"), "{text}");
    assert!(has("5.1 conv 4 of 3×3, stride 2, same, 4 groups, relu 4×4×4"), "{text}");
    assert!(has("5.p projection to 8, stride 2, batch-norm 8×4×4"), "{text}");
    let json = stdout(&bench.burgeon(&["check", "study.toml", "--json"]));
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["layers"][3]["layers"].as_array().unwrap().len(), 4);
    assert_eq!(json["layers"][4]["projection"]["output"], "8×4×4");
}

#[test]
fn a_residual_study_that_is_killed_ends_with_the_same_bits() {
    let whole = bench();
    expect_code(&whole.burgeon(&["tune", "study.toml"]), 0);
    assert!(whole.run().join("best/model.onnx").exists());
    let expected = End::of(&whole.run());
    let card = fs::read_to_string(whole.run().join("best/card.md")).unwrap();
    assert!(card.contains("| 4.1: conv"), "{card}");
    let cut = bench();
    let mut kills = [300, 900].into_iter();
    loop {
        let mut command = cut.command(&["tune", "study.toml", "--resume", "auto"]);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        if let Some(milliseconds) = kills.next() {
            std::thread::sleep(Duration::from_millis(milliseconds));
            // One that has ended by then is as good.
            let _ = child.kill();
        }
        let ended = child.wait_with_output().unwrap();
        // Killed, which has no code.
        if ended.status.code().is_some() {
            expect_code(&ended, 0);
            break;
        }
    }
    assert!(End::of(&cut.run()) == expected, "other bits");
    let evaluated = whole.burgeon(&["eval", whole.run().to_str().unwrap()]);
    expect_code(&evaluated, 0);
}
