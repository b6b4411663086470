//! What `predict` and the library's `Classifier` say is what was trained.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::fs;
use std::path::{Path, PathBuf};

use burgeon::unstable::data::{
    DataRequest, Download, Images, Places, Source, Split, load, mnist, synthetic,
};
use burgeon::unstable::model::{Classifier, InputError, ModelFile, OpenError, Subject};
use image::GrayImage;
use support::{Bench, expect_code, stderr, stdout};

/// Writes an IDX data set of `[count, height, width]` images.
fn write_idx(folder: &Path, train: (&[Vec<u8>], &[u8]), test: (&[Vec<u8>], &[u8]), side: u32) {
    fs::create_dir_all(folder).unwrap();
    for (name, (images, labels)) in [("train", train), ("t10k", test)] {
        let mut file = vec![0, 0, 8, 3];
        for dim in [images.len() as u32, side, side] {
            file.extend(dim.to_be_bytes());
        }
        file.extend(images.iter().flatten());
        fs::write(folder.join(format!("{name}-images-idx3-ubyte")), file).unwrap();
        let mut file = vec![0, 0, 8, 1];
        file.extend((labels.len() as u32).to_be_bytes());
        file.extend(labels);
        fs::write(folder.join(format!("{name}-labels-idx1-ubyte")), file).unwrap();
    }
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

fn save_pngs(folder: &Path, images: &[Vec<u8>]) -> Vec<PathBuf> {
    fs::create_dir_all(folder).unwrap();
    let paths = images.iter().enumerate().map(|(at, image)| {
        let path = folder.join(format!("{at:04}.png"));
        GrayImage::from_raw(28, 28, image.clone()).unwrap().save(&path).unwrap();
        path
    });
    paths.collect()
}

/// The classes that `predict` names, in the order of the files.
fn predicted(bench: &Bench, run: &str, paths: &[PathBuf], options: &[&str]) -> Vec<String> {
    let mut command = bench.command(&["predict", run, "--json"]);
    let output = command.args(options).args(paths).output().unwrap();
    expect_code(&output, 0);
    let lines = stdout(&output);
    let named = lines.lines().map(|line| {
        let value: serde_json::Value = serde_json::from_str(line).unwrap();
        value["class"].as_str().unwrap().to_owned()
    });
    named.collect()
}

/// Saves a run's own validation images as PNG and demands that `predict` says of them what `eval` does; returns the
/// accuracy.
#[track_caller]
fn assert_predict_equals_eval(
    bench: &Bench,
    run: &str,
    source: Source,
    path: Option<PathBuf>,
    count: usize,
) -> f64 {
    let request = DataRequest {
        source,
        path,
        validation: Some(burgeon::spec::Amount::Count(count)),
        places: Places::usual(std::env::var_os("BURGEON_DATA").map(Into::into), |_| None),
        download: Download::Never,
        ..DataRequest::synthetic(42)
    };
    let validation = load(&request, &mut |_| {}).unwrap().dataset.validation;
    let images: Vec<Vec<u8>> = (0..count).map(|at| validation.image(at).to_vec()).collect();
    let labels: Vec<u16> = (0..count).map(|at| validation.label(at)).collect();
    let eval = bench.burgeon(&["eval", run, "--split", "validation", "--json"]);
    expect_code(&eval, 0);
    let eval: serde_json::Value = serde_json::from_str(&stdout(&eval)).unwrap();
    assert_eq!(eval["images"], images.len());
    let paths = save_pngs(&bench.path().join("pngs"), &images);
    let named = predicted(bench, run, &paths, &[]);
    let classes = eval["classes"].as_array().unwrap().len();
    let mut confusion = vec![vec![0; classes]; classes];
    for (label, name) in labels.iter().zip(&named) {
        confusion[usize::from(*label)][name.parse::<usize>().unwrap()] += 1;
    }
    assert_eq!(eval["confusion"], serde_json::json!(confusion));
    // Image for image, also against the library from memory.
    let classifier = Classifier::open(bench.path().join(run)).unwrap();
    for (row, name) in classifier.classify(&images).unwrap().iter().zip(&named) {
        let best = (0..row.len()).max_by(|&a, &b| row[a].total_cmp(&row[b])).unwrap();
        assert_eq!(classifier.classes()[best], *name);
    }
    eval["accuracy"].as_f64().unwrap()
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
    write_idx(&bench.path().join("data"), (&train.0, &train.1), (&test.0, &test.1), 28);
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

const DIGITS: &str = r#"
name = "digits"
[data]
source = "SOURCE"
train = 3000
validation = 1000
[model]
layers = [{ dense = { units = 32 } }]
[train]
epochs = 1
[gate]
accuracy = 0.0
allow-majority = true
"#;

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

fn real_mnist() -> Option<PathBuf> {
    std::env::var_os("BURGEON_DATA").map(PathBuf::from)
}

#[test]
fn predict_equals_eval_on_negatives_of_digits_in_an_idx_folder() {
    let bench = Bench::new();
    let [train, test] = some_digits();
    let negative = |images: &Images, count| collected(images, count, |byte| 255 - byte);
    let (train, test) = (negative(&train, 6000), negative(&test, 100));
    let folder = bench.path().join("data");
    write_idx(&folder, (&train.0, &train.1), (&test.0, &test.1), 28);
    fs::write(bench.study(), DIGITS.replace("\"SOURCE\"", "\"idx\"\npath = \"data\"")).unwrap();
    expect_code(&bench.burgeon(&["train", "study.toml"]), 0);
    let run = "runs/digits-0001";
    let accuracy = assert_predict_equals_eval(&bench, run, Source::Idx, Some(folder), 1000);
    assert!(accuracy > 0.6, "{accuracy}");
    let classifier = Classifier::open(bench.path().join(run)).unwrap();
    assert_eq!(classifier.preparation().background, 1.0);
}

#[test]
fn predict_equals_eval_on_the_built_in_digits() {
    let bench = Bench::new();
    fs::write(bench.study(), DIGITS.replace("SOURCE", "synthetic")).unwrap();
    expect_code(&bench.burgeon(&["train", "study.toml"]), 0);
    let run = "runs/digits-0001";
    let accuracy = assert_predict_equals_eval(&bench, run, Source::Synthetic, None, 1000);
    assert!(accuracy > 0.6, "{accuracy}");
}

#[test]
fn predict_equals_eval_on_mnist() {
    let Some(mnist) = real_mnist() else {
        eprintln!("skipped: BURGEON_DATA names no folder with MNIST");
        return;
    };
    let bench = Bench::new();
    fs::write(bench.study(), DIGITS.replace("SOURCE", "mnist")).unwrap();
    for arguments in [&["train", "study.toml"][..], &["eval", "runs/digits-0001"]] {
        let output = bench.command(arguments).env("BURGEON_DATA", &mnist).output().unwrap();
        expect_code(&output, 0);
    }
    let linked = bench.path().join("data");
    std::os::unix::fs::symlink(&mnist, linked).unwrap();
    let accuracy =
        assert_predict_equals_eval(&bench, "runs/digits-0001", Source::Mnist, None, 1000);
    assert!(accuracy > 0.7, "{accuracy}");
}

#[test]
fn centring_can_be_switched_off_in_the_study_and_on_the_command_line() {
    let bench = Bench::new();
    let study = DIGITS.replace("\"SOURCE\"", "\"synthetic\"\ncentre-digits = false");
    fs::write(bench.study(), study).unwrap();
    expect_code(&bench.burgeon(&["train", "study.toml"]), 0);
    fs::write(bench.study(), DIGITS.replace("SOURCE", "synthetic")).unwrap();
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
    let bench = Bench::new();
    fs::write(bench.study(), DIGITS.replace("SOURCE", "synthetic")).unwrap();
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
        ["half.jpg: the JPEG picture is cut short", "half.png: the PNG picture is cut short"]
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
    let bench = Bench::new();
    fs::write(bench.study(), DIGITS.replace("SOURCE", "synthetic")).unwrap();
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
                tinted(2 - class, number + count * 7).save(&path).unwrap();
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
    fs::write(bench.path().join("photos.toml"), stdout(&init)).unwrap();
    let check = bench.burgeon(&["check", "photos.toml", "--json"]);
    expect_code(&check, 0);
    let data = bench.burgeon(&["data", "photos.toml", "--json", "--sheet", "sheet.png"]);
    expect_code(&data, 0);
    let data: serde_json::Value = serde_json::from_str(&stdout(&data)).unwrap();
    assert_eq!((&data["train"], &data["classes"][2]["class"]), (&120.into(), &"red".into()));
    assert!(image::open(bench.path().join("sheet.png")).unwrap().width() > 100);
}
