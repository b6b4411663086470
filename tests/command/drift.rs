//! `drift`: images like those that a model was accepted on, and others.

use std::fs;
use std::path::Path;

use crate::small_sets::{image_file, in_turn, label_file, square, write_set};
use crate::support::{Bench, expect_code, stderr, stdout};

const CLASSES: usize = 4;

const STUDY: &str = r#"
name = "growing"
[data]
source = "idx"
path = "images"
validation = 400
[model]
layers = [{ conv = { filters = 4, kernel = 3 } }, { max-pool = { size = 2 } }]
[train]
epochs = 2
batch-size = 32
learning-rate = 0.01
[gate]
accuracy = 0.9
[tune]
trials = 1
"#;

/// Images of the classes in turn, each `step` one of those from an index on, changed in some way, and their labels.
fn part(from: usize, count: usize, step: usize, change: impl Fn(u8) -> u8) -> [Vec<u8>; 2] {
    let labels = in_turn(count, CLASSES);
    let images = labels.iter().enumerate();
    let pixels = images.flat_map(|(at, &label)| {
        let label = usize::from(label);
        square(label, from + at * step + label % step).map(&change)
    });
    [image_file(6, 6, &pixels.collect::<Vec<u8>>()), label_file(&labels)]
}

fn write(dir: &Path, [train, test]: [usize; 2], step: usize, change: impl Fn(u8) -> u8) {
    let [images, labels] = part(0, train, step, &change);
    let [test_images, test_labels] = part(train * step, test, step, &change);
    write_set(dir, &[images, labels, test_images, test_labels]);
}

/// A trained model of squares, in a run.
fn trained() -> Bench {
    let bench = Bench::with_study(STUDY);
    write(&bench.path().join("images"), [1_600, 80], 1, |pixel| pixel);
    expect_code(&bench.burgeon(&["train", "study.toml"]), 0);
    bench
}

fn drift(bench: &Bench, data: &str, code: i32) -> serde_json::Value {
    let output = bench.burgeon(&["drift", "runs/growing-0001", data, "--json"]);
    expect_code(&output, code);
    serde_json::from_str(&stdout(&output)).unwrap()
}

#[test]
fn images_like_those_of_the_training_raise_no_alarm_and_inverted_ones_do() {
    let bench = trained();
    write(&bench.path().join("later"), [320, 80], 4, |pixel| pixel);
    let quiet = drift(&bench, "later", 0);
    assert_eq!(
        (&quiet["images"], &quiet["alarms"], &quiet["window"]),
        (&400.into(), &0.into(), &200.into())
    );
    assert_eq!(quiet["reference_images"], 400);
    assert_eq!(quiet["labels"]["images"], 400);

    write(&bench.path().join("inverted"), [320, 80], 4, |pixel| 255 - pixel);
    let loud = drift(&bench, "inverted", 5);
    assert_eq!((&loud["alarms"], &loud["windows"][1]["status"]), (&1.into(), &"alarm".into()));
    assert_eq!(loud["windows"][1]["faults"][0]["fault"], "inverted");

    let said = bench.burgeon(&["drift", "runs/growing-0001", "inverted"]);
    expect_code(&said, 5);
    let said = stdout(&said);
    assert!(said.contains("window 2: ALARM: 200 images are inverted"), "{said}");
    assert!(said.contains("the images no longer resemble those"), "{said}");
}

#[test]
fn a_folder_of_pictures_is_read_whatever_its_order_and_files_that_are_none_are_named() {
    let bench = trained();
    for class in 0..CLASSES {
        let folder = bench.path().join("pictures").join(class.to_string());
        fs::create_dir_all(&folder).unwrap();
        for index in 0..50 {
            // Spread over those of the training.
            let like = index * 32 + index * 5 % 8 * 4 + class;
            let pixels = square(class, like).to_vec();
            let picture = image::GrayImage::from_raw(6, 6, pixels).unwrap();
            picture.save(folder.join(format!("{index}.png"))).unwrap();
        }
    }
    let quiet = drift(&bench, "pictures", 0);
    assert_eq!((&quiet["images"], &quiet["unread"]), (&200.into(), &0.into()));
    assert!(quiet["labels"]["accuracy"].as_f64().unwrap() > 0.9, "{quiet}");

    fs::write(bench.path().join("pictures/0/0.png"), "no picture").unwrap();
    let output = bench.burgeon(&["drift", "runs/growing-0001", "pictures", "--window", "50"]);
    expect_code(&output, 0);
    assert!(stderr(&output).contains("0.png"), "{}", stderr(&output));
    assert!(stdout(&output).contains("1 files could not be read"), "{}", stdout(&output));
}

#[test]
fn what_cannot_be_compared_is_told() {
    let bench = trained();
    fs::create_dir_all(bench.path().join("few")).unwrap();
    let picture = image::GrayImage::from_raw(6, 6, square(0, 1).to_vec()).unwrap();
    picture.save(bench.path().join("few/one.png")).unwrap();
    let refused = |arguments: &[&str], what: &str| {
        let output =
            bench.command(&["drift", "runs/growing-0001"]).args(arguments).output().unwrap();
        expect_code(&output, 2);
        assert!(stderr(&output).contains(what), "{}", stderr(&output));
    };
    refused(&["few"], "1 images are too few to compare; at least 40 are needed");
    refused(&["images", "--window", "3"], "a window of 3 images; expected 20 to");
    refused(&["images", "--run-time", "1"], "expected 2 to 1e12");
    let missing = bench.burgeon(&["drift", "runs/growing-0001", "nothing-here"]);
    expect_code(&missing, 1);
}

#[test]
fn a_reference_beside_the_model_is_taken_and_a_damaged_one_refused() {
    let bench = trained();
    let best = bench.run().join("best");
    fs::write(best.join("reference.json"), "{}").unwrap();
    let output = bench.burgeon(&["drift", "runs/growing-0001/best", "images"]);
    expect_code(&output, 1);
    assert!(stderr(&output).contains("reference.json is not a reference"), "{}", stderr(&output));
}
