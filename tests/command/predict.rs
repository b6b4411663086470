//! What `predict` and the library's `Classifier` say is what was trained.

use std::fs;
use std::path::{Path, PathBuf};

use burgeon::unstable::data::{Images, Source, Split, mnist, synthetic};
use burgeon::unstable::model::{Classifier, InputError, ModelFile, OpenError, Subject};
use image::GrayImage;

use crate::mnist_files::real_mnist;
use crate::predictions::{assert_predict_equals_eval, digits, predicted};
use crate::small_sets::{image_file, label_file, write_set};
use crate::support::{Bench, expect_code, stderr, stdout};

/// Writes an IDX data set of 28×28 images.
fn write_idx(folder: &Path, train: (&[Vec<u8>], &[u8]), test: (&[Vec<u8>], &[u8])) {
    let files = |set: (&[Vec<u8>], &[u8])| (image_file(28, 28, &set.0.concat()), label_file(set.1));
    let ((train, train_labels), (test, test_labels)) = (files(train), files(test));
    write_set(folder, &[train, train_labels, test, test_labels]);
}

/// A white square of 7×7 in one of the four quadrants of 28×28; its class is the quadrant.
fn squares(count: usize, seed: usize) -> (Vec<Vec<u8>>, Vec<u8>) {
    let images = (0..count).map(|index| {
        let class = index % 4;
        let jitter = |factor: usize| (index * factor + seed) * 31 % 8;
        let (left, top) = (class % 2 * 14 + jitter(5) % 8, class / 2 * 14 + jitter(11) % 8);
        let mut image = vec![0; 28 * 28];
        for y in top..(top + 7).min(28) {
            image[y * 28 + left..y * 28 + (left + 7).min(28)].fill(255);
        }
        image
    });
    (images.collect(), (0..count).map(|index| (index % 4) as u8).collect())
}

fn collected(images: &Images, count: usize, change: impl Fn(u8) -> u8) -> (Vec<Vec<u8>>, Vec<u8>) {
    let pixels = (0..count).map(|at| images.image(at).iter().map(|&byte| change(byte)).collect());
    (pixels.collect(), (0..count).map(|at| images.label(at) as u8).collect())
}

const QUADRANTS: &str = r#"
name = "squares"
[data]
source = "idx"
path = "data"
validation = 200
[model]
layers = [{ dense = { units = 32 } }]
[train]
epochs = 8
"#;

#[test]
fn squares_in_quadrants_are_told_apart_by_predict_as_by_eval() {
    let bench = Bench::new();
    let (train, test) = (squares(1000, 1), squares(200, 7));
    write_idx(&bench.path().join("data"), (&train.0, &train.1), (&test.0, &test.1));
    fs::write(bench.study(), QUADRANTS).unwrap();
    expect_code(&bench.burgeon(&["train", "study.toml"]), 0);
    let run = "runs/squares-0001";
    let path = Some(bench.path().join("data"));
    let accuracy = assert_predict_equals_eval(&bench, run, Source::Idx, path, 200);
    assert!(accuracy > 0.99, "{accuracy}");

    // Larger pictures are scaled, not cropped.
    let mut large = Vec::new();
    for (at, image) in test.0.iter().take(8).enumerate() {
        let small = GrayImage::from_raw(28, 28, image.clone()).unwrap();
        let path = bench.path().join(format!("large-{at}.png"));
        let filter = image::imageops::FilterType::Nearest;
        image::imageops::resize(&small, 140, 140, filter).save(&path).unwrap();
        large.push(path);
    }
    let named = predicted(&bench, run, &large, &[]);
    let labels: Vec<String> = test.1.iter().take(8).map(u8::to_string).collect();
    assert_eq!(named, labels);

    let card = fs::read_to_string(bench.path().join(run).join("best/card.md")).unwrap();
    for part in ["\"subject\": \"whole\"", "\"fit\": \"stretch\"", "4: 0, 1, 2, 3", "[out, in]"] {
        assert!(card.contains(part), "{part} is not in\n{card}");
    }
    // The classifier also opens the model's own folder, wherever it lies.
    let elsewhere = bench.path().join("elsewhere");
    fs::rename(bench.path().join(run).join("best"), &elsewhere).unwrap();
    let classifier = Classifier::open(&elsewhere).unwrap();
    assert_eq!(classifier.preparation().subject, Subject::Whole);
    let error = Classifier::open(bench.path().join(run)).unwrap_err();
    assert!(matches!(error, OpenError::NoModel { .. }), "{error}");
}

#[test]
fn predictions_on_the_runs_own_images_are_those_that_eval_counts() {
    let bench = Bench::new();
    let (train, test) = (squares(1000, 1), squares(200, 7));
    write_idx(&bench.path().join("data"), (&train.0, &train.1), (&test.0, &test.1));
    // Trained so briefly that some predictions are wrong.
    fs::write(bench.study(), QUADRANTS.replace("epochs = 8", "epochs = 1")).unwrap();
    let train = ["train", "study.toml", "--set", "gate.accuracy=1.0"];
    assert!(bench.burgeon(&train).status.code().is_some_and(|code| code == 0 || code == 3));
    let run = "runs/squares-0001";
    let lines = |arguments: &[&str]| -> Vec<serde_json::Value> {
        let mut predict = bench.command(&["predict", run, "--json"]);
        let output = predict.args(arguments).output().unwrap();
        expect_code(&output, 0);
        stdout(&output).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    let readings = || {
        let events = fs::read_to_string(bench.path().join(run).join("events.jsonl")).unwrap();
        let read = events.lines().filter(|line| line.contains("\"test_split_read\""));
        read.map(|line| serde_json::from_str(line).unwrap()).collect::<Vec<serde_json::Value>>()
    };
    for split in ["train", "validation", "test"] {
        let before = readings().len();
        let told = lines(&["--from-split", split]);
        let mut confusion = vec![vec![0; 4]; 4];
        for (index, line) in told.iter().enumerate() {
            assert_eq!((&line["index"], &line["split"]), (&index.into(), &split.into()));
            let class = |key: &str| line[key].as_str().unwrap().parse::<usize>().unwrap();
            confusion[class("label")][class("class")] += 1;
            let all = line["probabilities"].as_object().unwrap();
            let sum: f64 = all.values().map(|share| share.as_f64().unwrap()).sum();
            assert!((sum - 1.0).abs() < 1e-9, "{line}");
            assert_eq!(all[line["class"].as_str().unwrap()], line["probability"]);
        }
        let is_test = split == "test";
        assert_eq!(readings().len() - before, usize::from(is_test));
        let eval = bench.burgeon(&["eval", run, "--json", "--split", split]);
        expect_code(&eval, 0);
        let eval: serde_json::Value = serde_json::from_str(&stdout(&eval)).unwrap();
        assert_eq!(eval["confusion"], serde_json::json!(confusion), "{split}");
        if is_test {
            let [predicted, evaluated] = &readings()[..] else { panic!("two readings") };
            assert_eq!(predicted["command"], "predict");
            for key in ["images", "accuracy", "weights_hash", "data_hash"] {
                assert_eq!(predicted[key], evaluated[key]);
            }
        }
        assert_eq!(lines(&["--from-split", split, "--limit", "5"]), told[..5]);
    }
    assert_eq!(readings()[2]["images"], 5, "a reading of some");
    let card = fs::read_to_string(bench.path().join(run).join("best/card.md")).unwrap();
    assert!(card.contains("| 200 | | |"), "the figure on all images stays: {card}");

    let text = bench.burgeon(&["predict", run, "--from-split", "validation", "--limit", "1"]);
    assert!(stdout(&text).starts_with("validation 0: "), "{}", stdout(&text));
    for wrong in [&["predict", run][..], &["predict", run, "a.png", "--limit", "3"]] {
        expect_code(&bench.burgeon(wrong), 2);
    }
    expect_code(&bench.burgeon(&["predict", run, "a.png", "--from-split", "test"]), 2);
    // Other images are refused by name.
    let other = squares(1000, 2);
    write_idx(&bench.path().join("data"), (&other.0, &other.1), (&test.0, &test.1));
    let refused = bench.burgeon(&["predict", run, "--from-split", "test"]);
    expect_code(&refused, 2);
    assert!(stderr(&refused).contains("train-images: sha256"), "{}", stderr(&refused));
    assert_eq!(readings().len(), 3);
}

/// MNIST, or the built-in digits where it is not here.
fn some_digits() -> [Images; 2] {
    match real_mnist().and_then(|dir| mnist::read(&dir).ok()) {
        Some(content) => [content.train, content.test],
        None => [
            synthetic::digits(Split::Train, 6000, 1, |_| {}),
            synthetic::digits(Split::Test, 1000, 1, |_| {}),
        ],
    }
}

#[test]
fn predict_equals_eval_on_negatives_of_digits_in_an_idx_folder() {
    let bench = Bench::new();
    let [train, test] = some_digits();
    let negative = |images: &Images, count| collected(images, count, |byte| 255 - byte);
    let (train, test) = (negative(&train, 6000), negative(&test, 100));
    let folder = bench.path().join("data");
    write_idx(&folder, (&train.0, &train.1), (&test.0, &test.1));
    fs::write(bench.study(), digits("source = \"idx\"\npath = \"data\"")).unwrap();
    expect_code(&bench.burgeon(&["train", "study.toml"]), 0);
    let run = "runs/digits-0001";
    let accuracy = assert_predict_equals_eval(&bench, run, Source::Idx, Some(folder), 1000);
    assert!(accuracy > 0.6, "{accuracy}");
    let classifier = Classifier::open(bench.path().join(run)).unwrap();
    assert_eq!(classifier.preparation().background, 1.0);
}

#[test]
fn predict_equals_eval_on_the_built_in_digits() {
    let bench = Bench::with_study(&digits("source = \"synthetic\""));
    expect_code(&bench.burgeon(&["train", "study.toml"]), 0);
    let run = "runs/digits-0001";
    let accuracy = assert_predict_equals_eval(&bench, run, Source::Synthetic, None, 1000);
    assert!(accuracy > 0.6, "{accuracy}");
}

#[test]
fn centring_can_be_switched_off_in_the_study_and_on_the_command_line() {
    let study = digits("source = \"synthetic\"\ncentre-digits = false");
    let bench = Bench::with_study(&study);
    expect_code(&bench.burgeon(&["train", "study.toml"]), 0);
    fs::write(bench.study(), digits("source = \"synthetic\"")).unwrap();
    expect_code(&bench.burgeon(&["train", "study.toml"]), 0);
    let subject =
        |run: &str| Classifier::open(bench.path().join(run)).unwrap().preparation().subject;
    assert_eq!(subject("runs/digits-0001"), Subject::Whole);
    assert_eq!(subject("runs/digits-0002"), Subject::Digit);

    // A blank picture is none of a digit, and taken whole it is a picture like any other.
    let blank = bench.path().join("blank.png");
    GrayImage::from_pixel(50, 40, image::Luma([128])).save(&blank).unwrap();
    let refused = bench.burgeon(&["predict", "runs/digits-0002", "blank.png"]);
    expect_code(&refused, 1);
    assert!(stderr(&refused).contains("blank.png: the picture is blank"), "{}", stderr(&refused));
    expect_code(&bench.burgeon(&["predict", "runs/digits-0002", "blank.png", "--as-is"]), 0);
    expect_code(&bench.burgeon(&["predict", "runs/digits-0001", "blank.png"]), 0);
}

#[test]
fn a_file_that_fails_is_named_the_others_are_answered_and_the_exit_code_says_so() {
    let bench = Bench::with_study(&digits("source = \"synthetic\""));
    expect_code(&bench.burgeon(&["train", "study.toml"]), 0);
    let digit = synthetic::digits(Split::Test, 3, 5, |_| {});
    let image = GrayImage::from_raw(28, 28, digit.image(2).to_vec()).unwrap();
    let (good, half_jpeg, half_png) = (
        bench.path().join("good.png"),
        bench.path().join("half.jpg"),
        bench.path().join("half.png"),
    );
    for path in [&good, &half_jpeg, &half_png] {
        image.save(path).unwrap();
    }
    for path in [&half_jpeg, &half_png] {
        let bytes = fs::read(path).unwrap();
        fs::write(path, &bytes[..bytes.len() / 2]).unwrap();
    }
    let run = "runs/digits-0001";
    let output = bench.burgeon(&["predict", run, "half.jpg", "good.png", "half.png"]);
    expect_code(&output, 1);
    assert!(stdout(&output).starts_with("good.png: "), "{}", stdout(&output));
    assert_eq!(stdout(&output).lines().count(), 1);
    for name in
        ["half.jpg: the JPEG picture is truncated", "half.png: the PNG picture is truncated"]
    {
        assert!(stderr(&output).contains(name), "{}", stderr(&output));
    }
    expect_code(&bench.burgeon(&["predict", run, "half.jpg"]), 1);
    expect_code(&bench.burgeon(&["predict", run, "good.png"]), 0);
}

#[test]
fn a_model_of_version_0_1_0_opens_as_its_study_says() {
    let model = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds/model/best.safetensors");
    let file = ModelFile::from_safetensors(&fs::read(model).unwrap()).unwrap();
    let input = file.preparation.input();
    assert_eq!((input.height, input.width), (28, 28));
    // What it did not say of pictures is not guessed from the weights alone.
    assert_eq!(file.preparation.subject, Subject::Whole);
}

#[test]
fn four_threads_share_a_classifier_and_get_the_same_answers() {
    let bench = Bench::with_study(&digits("source = \"synthetic\""));
    expect_code(&bench.burgeon(&["train", "study.toml"]), 0);
    let classifier = Classifier::open(bench.path().join("runs/digits-0001")).unwrap();
    let (images, _) = collected(&synthetic::digits(Split::Test, 600, 5, |_| {}), 600, |byte| byte);
    let alone = classifier.classify(&images).unwrap();
    assert_eq!(alone.len(), 600);
    assert!(alone.iter().all(|row| (row.iter().sum::<f32>() - 1.0).abs() < 1e-4));
    let answers: Vec<_> = std::thread::scope(|scope| {
        let classify = || classifier.classify(&images).unwrap();
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(classify)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(answers.iter().all(|answer| *answer == alone));

    assert!(classifier.classify(&Vec::<Vec<u8>>::new()).unwrap().is_empty());
    let error = classifier.classify(&[vec![0; 784], vec![0; 3]]).unwrap_err();
    assert!(matches!(error, InputError::Size { index: 1, found: 3, .. }), "{error}");
    assert!(error.to_string().contains("28×28"), "{error}");
    assert!(classifier.classify_encoded(b"nonsense").is_err());
}

/// A picture in which the class shows as a tint, of a size of its own.
fn tinted(class: usize, number: u32) -> image::RgbImage {
    image::RgbImage::from_fn(24 + number % 9, 20 + number % 7, |x, y| {
        let noise = ((x * 31 + y * 17 + number * 13) % 90) as u8;
        let mut pixel = [noise; 3];
        pixel[class] = 150 + noise;
        image::Rgb(pixel)
    })
}

#[test]
fn folders_of_photos_are_tuned_by_name_and_predicted_as_they_are_evaluated() {
    let bench = Bench::new();
    let photos = bench.path().join("my photos");
    let classes = ["blue one", "green", "red"];
    let mut validation = Vec::new();
    for (split, count) in [("train", 40), ("val", 9), ("test", 9)] {
        for (class, name) in classes.iter().enumerate() {
            let folder = photos.join(split).join(name);
            fs::create_dir_all(&folder).unwrap();
            for number in 0..count {
                let ending = ["png", "jpg", "bmp", "webp"][number as usize % 4];
                let path = folder.join(format!("{number}.{ending}"));
                let picture = tinted(2 - class, number + count * 7);
                let (width, height) = picture.dimensions();
                // JPEGs are so large that they are decoded at a reduced size.
                let times = if ending == "jpg" { 5 } else { 1 };
                let nearest = image::imageops::FilterType::Nearest;
                image::imageops::resize(&picture, width * times, height * times, nearest)
                    .save(&path)
                    .unwrap();
                if split == "val" {
                    validation.push((path, class));
                }
            }
        }
    }
    let output = bench.burgeon(&["tune", "my photos", "--runs", "runs", "--set", "train.epochs=4"]);
    expect_code(&output, 0);
    let eval = bench.burgeon(&["eval", "runs/my-photos-0001", "--json"]);
    expect_code(&eval, 0);
    let eval: serde_json::Value = serde_json::from_str(&stdout(&eval)).unwrap();
    assert_eq!(eval["images"], 27);
    let paths: Vec<PathBuf> = validation.iter().map(|(path, _)| path.clone()).collect();
    let mut confusion = vec![vec![0; 3]; 3];
    for (name, (_, class)) in
        predicted(&bench, "runs/my-photos-0001", &paths, &[]).iter().zip(&validation)
    {
        confusion[*class][classes.iter().position(|class| class == name).unwrap()] += 1;
    }
    assert_eq!(eval["confusion"], serde_json::json!(confusion));
    // What `init` prints is the study that was tuned.
    let init = bench.burgeon(&["init", "my photos"]);
    expect_code(&init, 0);
    let told = String::from_utf8_lossy(&init.stderr);
    assert!(!told.contains("warning"), "{told}");
    fs::write(bench.path().join("photos.toml"), stdout(&init)).unwrap();
    let check = bench.burgeon(&["check", "photos.toml", "--json"]);
    expect_code(&check, 0);
    let data = bench.burgeon(&["data", "photos.toml", "--json", "--sheet", "sheet.png"]);
    expect_code(&data, 0);
    let data: serde_json::Value = serde_json::from_str(&stdout(&data)).unwrap();
    assert_eq!((&data["train"], &data["classes"][2]["class"]), (&120.into(), &"red".into()));
    assert!(image::open(bench.path().join("sheet.png")).unwrap().width() > 100);
}
