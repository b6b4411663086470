//! `eval`, and the record of who has read the test images.

use std::fs;

use crate::support::{Bench, expect_code, stderr, stdout};

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
fn readings_of_the_test_images_are_told_alike_in_card_page_and_text() {
    let bench = Bench::new();
    let run = "runs/growing-0001";
    let said = |file: &str| fs::read_to_string(bench.run().join(file)).unwrap();
    let tile = || {
        let page = said("report.html");
        let (_, after) = page.split_once("<dt>test</dt>").unwrap();
        let (_, after) = after.split_once("<dd>").unwrap();
        after.split_once("</dd>").unwrap().0.to_owned()
    };
    let low = ["--set", "gate.accuracy=0.0", "--set", "gate.allow-majority=true"];
    expect_code(&bench.command(&["train", "study.toml"]).args(low).output().unwrap(), 0);
    assert!(said("best/card.md").contains("They were read once so far."));
    assert!(tile().contains('%') && said("report.md").contains("| test images read | 1 time |"));
    // Another model, which misses its gate: the reading was not of it.
    expect_code(&bench.burgeon(&["resume", run, "--gate", "1.0", "--more-epochs", "6"]), 3);
    let card = said("best/card.md");
    assert!(card.contains("The test images were read once, not for this model."), "{card}");
    assert_eq!(tile(), "read once, not for this model");
    let text = said("report.md");
    assert!(text.contains("1 time, not for this model"), "{text}");
    // And now one of it.
    expect_code(&bench.burgeon(&["eval", run, "--split", "test"]), 0);
    expect_code(&bench.burgeon(&["report", run]), 0);
    assert!(said("best/card.md").contains("They were read 2 times so far."));
    assert!(tile().contains('%'), "{}", tile());
    let text = said("report.md");
    assert!(text.contains("2 times, 1 of them with burgeon eval"), "{text}");
    assert!(!text.contains("not for this model"), "{text}");
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
