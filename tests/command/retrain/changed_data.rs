//! Retraining because the data of the version in production has changed, or by hand.

use std::io::{BufRead, BufReader};

use super::*;

/// So many pictures of each of two classes, from this number on.
fn draw(folder: &Path, first: u32, count: u32) {
    for (class, base) in [("dark", 40), ("light", 160)] {
        fs::create_dir_all(folder.join(class)).unwrap();
        for number in first..first + count {
            let pixel = |x, y| image::Luma([(base + (x * 31 + y * 17 + number * 7) % 60) as u8]);
            let picture = image::GrayImage::from_fn(8, 8, pixel);
            picture.save(folder.join(class).join(format!("{number}.png"))).unwrap();
        }
    }
}

/// A registry with a version in production that was trained on these pictures, of which `settings` are changed.
fn registry_of_pictures(settings: &[(&str, &str)]) -> (Bench, PathBuf) {
    let study = "name = \"light\"\ndata = { source = \"folder\", path = \"pictures\" }\nmodel = { layers = [] }\n\
                 train = { epochs = 4, learning-rate = 0.01 }\ngate = { accuracy = 0.6 }\ntune = { trials = 1 }\n";
    let bench = Bench::with_study(study);
    let pictures = bench.path().join("pictures");
    draw(&pictures, 0, 100);
    expect_code(&bench.burgeon(&["train", "study.toml"]), 0);
    expect_code(&bench.burgeon(&["registry", "add", "runs/light-0001"]), 0);
    let path = bench.path().join("registry/registry.toml");
    let mut text = fs::read_to_string(&path).unwrap();
    for (from, to) in settings {
        assert!(text.contains(from), "{from}: {text}");
        text = text.replace(from, to);
    }
    fs::write(&path, text + "[retrain]\ncooldown-minutes = 0\n").unwrap();
    expect_code(&bench.burgeon(&["registry", "promote", "production", "1"]), 0);
    (bench, pictures)
}

#[test]
fn changed_data_that_led_to_a_refusal_is_not_trained_on_again() {
    // The new version is as good as the old one, which is not better.
    let (bench, pictures) =
        registry_of_pictures(&[("require = \"not-worse\"", "require = \"better\"")]);
    draw(&pictures, 100, 30);
    let mut watch = bench
        .command(&["retrain", "--watch", "1", "--json"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(watch.stdout.take().unwrap()).lines();
    let states = lines.map(|line| {
        let told: Value = serde_json::from_str(&line.unwrap()).unwrap();
        told["state"].as_object().unwrap().keys().next().unwrap().clone()
    });
    let told: Vec<String> = states.skip_while(|state| *state != "decided").take(2).collect();
    watch.kill().unwrap();
    watch.wait().unwrap();
    assert_eq!(told, ["decided", "waiting"]);
    let last = records(&bench.path().join("registry")).pop().unwrap();
    assert_eq!(
        (&last["action"], &last["retraining"]["cause"]),
        (&json!("refused"), &json!("data"))
    );
}

#[test]
fn changed_data_and_a_hand_begin_one_and_the_same_data_does_not() {
    let (bench, pictures) = registry_of_pictures(&[("margin = 0.01", "margin = 0.3")]);
    let waits = |count: usize| {
        let output = retrained(&bench);
        expect_code(&output, 0);
        assert!(stdout(&output).contains("no retraining is due"), "{}", stdout(&output));
        assert_eq!(promotions(&bench.path().join("registry")).len(), count);
    };
    waits(0);
    // Another time, and the same content.
    let first = pictures.join("dark/0.png");
    fs::write(&first, fs::read(&first).unwrap()).unwrap();
    waits(0);
    draw(&pictures, 100, 30);
    expect_code(&retrained(&bench), 0);
    waits(1);
    expect_code(&bench.burgeon(&["retrain", "--now"]), 0);
    waits(2);
    let causes: Vec<Value> = promotions(&bench.path().join("registry"))
        .into_iter()
        .map(|record| record["retraining"]["cause"].clone())
        .collect();
    assert_eq!(causes, ["data", "hand"]);
}
