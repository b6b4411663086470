//! Data that is what it says: which folder is read, whether it is still the same, and whether anything can be learned
//! from it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use crate::small_sets::{self, image_file, in_turn, label_file, square};
use crate::support::{self, Bench, expect_code, stderr, stdout};

const STUDY: &str = r#"
name = "squares"
[data]
source = "idx"
path = "images"
validation = 40
[model]
layers = [{ dense = { units = 8 } }]
[train]
epochs = 2
batch-size = 16
learning-rate = 0.01
[gate]
accuracy = 0.6
[tune]
trials = 1
"#;

fn pixels(labels: &[u8], start: usize) -> Vec<u8> {
    let images = labels.iter().zip(start..);
    images.flat_map(|(&label, index)| square(usize::from(label), index)).collect()
}

/// Training and test images of these labels, as an IDX folder.
fn write_set(dir: &Path, train: &[u8], test: &[u8]) {
    let files = |labels, start| (image_file(6, 6, &pixels(labels, start)), label_file(labels));
    let ((train, train_labels), (test, test_labels)) = (files(train, 0), files(test, 20_000));
    small_sets::write_set(dir, &[train, train_labels, test, test_labels]);
}

/// A folder with a study and, beside it, its images.
fn bench() -> Bench {
    let bench = Bench::with_study(STUDY);
    write_set(&bench.path().join("images"), &in_turn(400, 4), &in_turn(80, 4));
    bench
}

fn run(bench: &Bench) -> PathBuf {
    bench.runs().join("squares-0001")
}

/// `burgeon ARGS…` somewhere else.
fn elsewhere(bench: &Bench, arguments: &[&str]) -> Output {
    let folder = bench.path().join("elsewhere");
    fs::create_dir_all(&folder).unwrap();
    bench.command(arguments).current_dir(folder).output().unwrap()
}

fn change_one_label(bench: &Bench) {
    let path = bench.path().join("images/train-labels-idx1-ubyte");
    let mut labels = fs::read(&path).unwrap();
    let last = labels.len() - 1;
    labels[last] ^= 1;
    fs::write(path, labels).unwrap();
}

#[test]
fn a_relative_path_is_taken_from_the_study_files_folder_and_recorded_from_the_root() {
    let bench = bench();
    // Another folder of the same name must not be taken for it.
    write_set(&bench.path().join("elsewhere/images"), &in_turn(60, 3), &in_turn(9, 3));
    let runs = bench.runs();
    let output = elsewhere(&bench, &["train", "../study.toml", "--runs", runs.to_str().unwrap()]);
    expect_code(&output, 0);
    let study = fs::read_to_string(run(&bench).join("study.toml")).unwrap();
    let line = study.lines().find(|line| line.starts_with("path = ")).unwrap();
    let path = PathBuf::from(line.trim_start_matches("path = ").trim_matches(['"', '\'']));
    assert!(path.is_absolute(), "{line}");
    let same = |a: &Path, b: &Path| fs::canonicalize(a).unwrap() == fs::canonicalize(b).unwrap();
    assert!(same(&path, &bench.path().join("images")), "{line}");
    let provenance = fs::read_to_string(run(&bench).join("provenance.json")).unwrap();
    let provenance: serde_json::Value = serde_json::from_str(&provenance).unwrap();
    assert!(same(Path::new(provenance["data"]["dir"].as_str().unwrap()), &path));

    let evaluated =
        elsewhere(&bench, &["eval", "../runs/squares-0001", "--split", "validation", "--json"]);
    expect_code(&evaluated, 0);
    let figures: serde_json::Value = serde_json::from_str(&stdout(&evaluated)).unwrap();
    assert_eq!(figures["data"], provenance["data"]);
    assert_eq!(figures["images"], 40);
    assert_eq!(figures["data"]["sha256"].as_object().unwrap().len(), 4);
}

#[test]
fn a_path_set_on_the_command_line_is_taken_from_the_current_folder() {
    let bench = bench();
    write_set(&bench.path().join("elsewhere/others"), &in_turn(90, 3), &in_turn(9, 3));
    let output =
        elsewhere(&bench, &["check", "../study.toml", "--json", "--set", "data.path=others"]);
    expect_code(&output, 0);
    expect_code(&elsewhere(&bench, &["check", "../study.toml", "--set", "data.path=images"]), 1);
}

#[test]
fn one_changed_label_is_told_as_changed_data_by_eval_resume_and_auto_resume() {
    let bench = bench();
    expect_code(&bench.burgeon(&["train", "study.toml"]), 0);
    // As if it had been stopped before its end.
    let events = run(&bench).join("events.jsonl");
    let record = fs::read_to_string(&events).unwrap();
    let kept: Vec<&str> =
        record.lines().filter(|line| !line.contains("\"study_finished\"")).collect();
    fs::write(&events, kept.join("\n") + "\n").unwrap();
    change_one_label(&bench);
    for arguments in [
        &["eval", "runs/squares-0001"][..],
        &["resume", "runs/squares-0001"],
        &["train", "study.toml", "--resume", "auto"],
    ] {
        let output = bench.burgeon(arguments);
        expect_code(&output, 2);
        let said = stderr(&output);
        assert!(said.contains("train-labels: sha256 "), "{arguments:?}: {said}");
        assert!(said.contains(" recorded, ") && said.contains(" now"), "{said}");
        assert!(!said.contains("study file changed"), "{said}");
    }
}

#[test]
fn labels_that_make_another_class_are_told_as_changed_data_too() {
    let bench = bench();
    expect_code(&bench.burgeon(&["train", "study.toml"]), 0);
    write_set(&bench.path().join("images"), &in_turn(400, 3), &in_turn(80, 3));
    let output = bench.burgeon(&["resume", "runs/squares-0001"]);
    expect_code(&output, 2);
    let said = stderr(&output);
    assert!(said.contains("train-labels: sha256 "), "{said}");
}

#[test]
fn a_run_of_another_split_is_refused_by_name() {
    let bench = bench();
    expect_code(&bench.burgeon(&["train", "study.toml"]), 0);
    // As version 0.1.0 left it.
    let path = run(&bench).join("provenance.json");
    let mut provenance: serde_json::Value =
        serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    let data = provenance["data"].as_object_mut().unwrap();
    assert!(data.remove("split").is_some() && data.remove("dir").is_some());
    fs::write(&path, provenance.to_string()).unwrap();
    for arguments in [
        &["resume", "runs/squares-0001"][..],
        &["eval", "runs/squares-0001", "--split", "validation"],
    ] {
        let output = bench.burgeon(arguments);
        expect_code(&output, 2);
        let said = stderr(&output);
        assert!(said.contains("chose different validation images"), "{said}");
    }
    expect_code(&bench.burgeon(&["eval", "runs/squares-0001", "--split", "test"]), 0);
}

#[test]
fn a_resumed_run_finds_its_images_from_anywhere() {
    let bench = bench();
    expect_code(&bench.burgeon(&["train", "study.toml"]), 0);
    write_set(&bench.path().join("elsewhere/images"), &in_turn(60, 3), &in_turn(9, 3));
    expect_code(&elsewhere(&bench, &["resume", "../runs/squares-0001"]), 0);
}

#[test]
fn twins_and_hidden_files_are_passed_over_and_are_no_data_by_themselves() {
    let bench = bench();
    let images = bench.path().join("images");
    for name in
        ["._train-images-idx3-ubyte", ".train-labels-idx1-ubyte", "._t10k-labels-idx1-ubyte.gz"]
    {
        fs::write(images.join(name), b"Mac OS X").unwrap();
    }
    // Under other than MNIST's names, where any name that fits is taken.
    for name in ["train-images-idx3-ubyte", "train-labels-idx1-ubyte"] {
        fs::rename(images.join(name), images.join(format!("my-{name}"))).unwrap();
    }
    expect_code(&bench.burgeon(&["check", "study.toml"]), 0);

    let twins = bench.path().join("twins");
    fs::create_dir(&twins).unwrap();
    for name in [
        "train-images-idx3-ubyte",
        "train-labels-idx1-ubyte",
        "t10k-images-idx3-ubyte",
        "t10k-labels-idx1-ubyte",
    ] {
        fs::write(twins.join(format!("._{name}")), b"Mac OS X").unwrap();
    }
    let set = format!("data.path={}", twins.display());
    let output = bench.burgeon(&["train", "study.toml", "--set", &set]);
    expect_code(&output, 1);
    assert!(stderr(&output).contains("has no train-images-idx3-ubyte"), "{}", stderr(&output));
    let mnist =
        ["train", "study.toml", "--set", "data.source=mnist", "--set", "data.fallback=synthetic"];
    let output = bench.command(&mnist).args(["--data", "twins"]).output().unwrap();
    expect_code(&output, 1);
}

#[test]
fn a_named_folder_without_mnist_is_an_error_whatever_the_fallback() {
    let bench = Bench::new();
    let study = support::GROWING
        .replace("source = \"synthetic\"", "source = \"mnist\"\nfallback = \"synthetic\"");
    fs::write(bench.study(), &study).unwrap();
    fs::create_dir(bench.path().join("empty")).unwrap();
    let named: [(&[&str], Option<&str>); 3] =
        [(&["--data", "empty"], None), (&[], Some("empty")), (&["--set", "data.path=empty"], None)];
    for (arguments, variable) in named {
        let mut command = bench.command(&["train", "study.toml", "--json"]);
        command.args(arguments);
        if let Some(folder) = variable {
            command.env("BURGEON_DATA", folder);
        }
        let output = command.output().unwrap();
        expect_code(&output, 1);
        let said = stderr(&output);
        for wanted in ["empty", "train-images-idx3-ubyte", "MNIST/raw"] {
            assert!(said.contains(wanted), "{wanted}: {said}");
        }
    }
    assert!(!bench.runs().exists());
}

#[test]
fn idx_files_one_level_down_are_found() {
    let bench = bench();
    let below = bench.path().join("root/FashionMNIST/raw");
    fs::create_dir_all(below.parent().unwrap()).unwrap();
    fs::rename(bench.path().join("images"), &below).unwrap();
    expect_code(&bench.burgeon(&["check", "study.toml", "--set", "data.path=root"]), 0);
    write_set(&bench.path().join("root/mnist"), &in_turn(60, 3), &in_turn(9, 3));
    let output = bench.burgeon(&["check", "study.toml", "--set", "data.path=root"]);
    expect_code(&output, 1);
    assert!(
        stderr(&output).contains("keep each data set in its own folder"),
        "{}",
        stderr(&output)
    );
}

#[cfg(unix)]
#[test]
fn links_in_a_circle_end_in_an_error() {
    let bench = bench();
    let root = bench.path().join("circle");
    fs::create_dir(&root).unwrap();
    std::os::unix::fs::symlink(&root, root.join("raw")).unwrap();
    std::os::unix::fs::symlink("train-images-idx3-ubyte", root.join("train-images-idx3-ubyte"))
        .unwrap();
    let set = format!("data.path={}", root.display());
    expect_code(&bench.burgeon(&["check", "study.toml", "--set", &set]), 1);
}

#[test]
fn a_count_of_zero_is_exit_2_for_every_source() {
    let bench = bench();
    for key in ["data.train=0", "data.validation=0"] {
        for source in ["idx", "mnist", "synthetic"] {
            let mut study = STUDY.replace("\"idx\"", &format!("{source:?}"));
            if source == "synthetic" {
                study = study.replace("path = \"images\"\n", "");
            }
            fs::write(bench.study(), study).unwrap();
            let output = bench.burgeon(&["train", "study.toml", "--set", key]);
            expect_code(&output, 2);
        }
    }
}

/// Trains on these labels and returns what came of it.
fn trained(train: &[u8], test: &[u8], settings: &[&str]) -> (Bench, Output) {
    let bench = bench();
    write_set(&bench.path().join("images"), train, test);
    let settings: Vec<&str> = settings.iter().flat_map(|set| ["--set", set]).collect();
    let output = bench.command(&["train", "study.toml"]).args(settings).output().unwrap();
    (bench, output)
}

#[test]
fn labels_that_nothing_can_be_learned_from_are_refused_before_training() {
    let cases: [(&[u8], &[u8], &str); 4] = [
        (&[0; 200], &[0; 20], "every label is 0"),
        (&[3; 200], &in_turn(40, 10), "every label is 3"),
        (
            &in_turn(200, 3),
            &in_turn(40, 4),
            "the label of image 3 is 3, but the training labels are 0 to 2",
        ),
        // Class 1 has no training image at all, the largest class has.
        (
            &[0, 2].repeat(100),
            &in_turn(40, 3),
            "no training image is of class 1, though test images are",
        ),
    ];
    for (train, test, reason) in cases {
        let (bench, output) = trained(train, test, &[]);
        expect_code(&output, 1);
        assert!(stderr(&output).contains(reason), "{reason}: {}", stderr(&output));
        assert!(!bench.runs().exists());
    }
}

#[test]
fn what_is_odd_is_told_recorded_and_shown() {
    // One image of class 3, which stays with the training images.
    let mut train = in_turn(399, 3);
    train.push(3);
    let (bench, output) = trained(&train, &in_turn(40, 4), &[]);
    let said = stderr(&output);
    assert!(said.contains("no validation image is of class 3"), "{said}");
    assert!(matches!(output.status.code(), Some(0 | 3)), "{said}");
    let read = |name: &str| fs::read_to_string(run(&bench).join(name)).unwrap();
    assert!(read("events.jsonl").contains("\"finding\":\"not_measured\""));
    assert!(read("report.html").contains("no validation image is of class 3"));
    assert!(read("report.md").contains("no validation image is of class 3"));
}

#[test]
fn a_gate_that_a_constant_answer_passes_must_be_confirmed() {
    let mut train = vec![0; 396];
    train.extend([1; 4]);
    train.rotate_left(37);
    let test = [0, 0, 0, 1].repeat(10);
    let (bench, output) = trained(&train, &test, &["data.validation=100", "gate.accuracy=0.98"]);
    expect_code(&output, 2);
    let said = stderr(&output);
    assert!(said.contains("always predicts 0 would pass: 99.00 %"), "{said}");
    assert!(said.contains("allow-majority") && !bench.runs().exists(), "{said}");
    let confirmed = ["data.validation=100", "gate.accuracy=0.98", "gate.allow-majority=true"];
    expect_code(&trained(&train, &test, &confirmed).1, 0);
}

#[test]
fn an_extension_cannot_open_the_gate_to_a_constant_answer() {
    let mut train = vec![0; 396];
    train.extend([1; 4]);
    train.rotate_left(37);
    let test = [0, 0, 0, 1].repeat(10);
    // A network that learns nothing in one step of hardly any length.
    let weak = ["train.epochs=1", "train.batch-size=300", "train.learning-rate=0.00000001"];
    let settings = |others: &[&'static str]| [&weak[..], others].concat();
    let settings_of = settings(&["data.validation=100", "gate.accuracy=0.995"]);
    let (bench, output) = trained(&train, &test, &settings_of);
    expect_code(&output, 3);
    let events = || fs::read_to_string(run(&bench).join("events.jsonl")).unwrap();
    let before = events();
    for (gate, why) in [("0.3", "always predicts 0 would pass"), ("1.5", "from 0 to 1")] {
        let output = bench.burgeon(&["resume", "runs/squares-0001", "--gate", gate]);
        expect_code(&output, 2);
        assert!(stderr(&output).contains(why), "{}", stderr(&output));
        assert_eq!(stdout(&output), "", "nothing is resumed");
    }
    assert_eq!(events(), before);
    let confirmed = ["data.validation=100", "gate.accuracy=0.995", "gate.allow-majority=true"];
    let (bench, output) = trained(&train, &test, &settings(&confirmed));
    expect_code(&output, 3);
    bench.burgeon(&["resume", "runs/squares-0001", "--gate", "0.005"]);
    let events = fs::read_to_string(run(&bench).join("events.jsonl")).unwrap();
    assert!(events.contains("study_extended"), "{events}");
}

#[test]
fn a_folder_for_mnist_is_told_to_be_none_for_other_sources_once() {
    let bench = bench();
    let images = bench.path().join("images").display().to_string();
    let told = |output: &Output, by: &str, read: &str| {
        let said = stderr(output);
        assert_eq!(said.matches("/nonexistent").count(), 1, "{said}");
        for part in [by, "`source = \"mnist\"` alone", read] {
            assert!(said.contains(part), "{part}: {said}");
        }
    };
    let option = bench.burgeon(&["train", "study.toml", "--data", "/nonexistent"]);
    expect_code(&option, 0);
    told(&option, "--data names", &format!("`source = \"idx\"`, so {images} is read"));
    let mut eval = bench.command(&["eval", "runs/squares-0001"]);
    let variable = eval.env("BURGEON_DATA", "/nonexistent").output().unwrap();
    expect_code(&variable, 0);
    told(&variable, "BURGEON_DATA names", &images);
    // A folder of images is looked at and then read again.
    let mut check = bench.command(&["train", "images", "--set", "train.epochs=1"]);
    told(&check.env("BURGEON_DATA", "/nonexistent").output().unwrap(), "BURGEON_DATA", &images);
    let quiet = bench.burgeon(&["eval", "runs/squares-0001"]);
    assert!(!stderr(&quiet).contains("warning"), "{}", stderr(&quiet));
}

#[cfg(unix)]
#[test]
fn a_folder_that_cannot_be_recorded_is_refused_at_the_start() {
    use std::os::unix::ffi::OsStrExt;
    let bench = Bench::with_study(&STUDY.replace("\"idx\"", "\"mnist\""));
    let name = std::ffi::OsStr::from_bytes(b"mn\xe9");
    fs::create_dir(bench.path().join(name)).unwrap();
    let mut train = bench.command(&["train", "study.toml", "--data"]);
    let output = train.arg(name).output().unwrap();
    expect_code(&output, 1);
    let said = stderr(&output);
    assert!(said.contains("mn") && said.contains("is not UTF-8"), "{said}");
    assert!(!bench.runs().exists());
}

#[cfg(unix)]
#[test]
fn what_is_wrong_with_class_folders_is_the_same_for_every_command() {
    use std::os::unix::ffi::OsStrExt;
    let bench =
        Bench::with_study("[data]\nsource = \"folder\"\npath = \"photos\"\n[model]\nlayers = []\n");
    let picture = |folder: &Path, at: u8| {
        fs::create_dir_all(folder).unwrap();
        let pixels = image::GrayImage::from_pixel(4, 4, image::Luma([at]));
        pixels.save(folder.join(format!("{at}.png"))).unwrap();
    };
    let photos = bench.path().join("photos");
    let all_say = |part: &str| {
        for arguments in [&["train", "study.toml"][..], &["tune", "photos"], &["data", "photos"]] {
            let output = bench.burgeon(arguments);
            expect_code(&output, 1);
            assert!(stderr(&output).contains(part), "{arguments:?}: {}", stderr(&output));
        }
    };
    picture(&photos.join("cat"), 1);
    all_say("its images are of 1 class, but a classifier needs at least 2");
    picture(&photos.join(std::ffi::OsStr::from_bytes(b"d\xf6g")), 2);
    all_say("the name of a class folder must be UTF-8");
}

#[test]
fn a_floor_under_the_recall_keeps_a_constant_answer_out() {
    let mut train = vec![0; 396];
    train.extend([1; 4]);
    let test = [0, 0, 0, 1].repeat(10);
    // A network that learns nothing in one step of hardly any length.
    let settings = [
        "data.validation=100",
        "gate.least-recall=0.5",
        "train.epochs=1",
        "train.batch-size=300",
        "train.learning-rate=0.00000001",
    ];
    let (bench, output) = trained(&train, &test, &settings);
    expect_code(&output, 3);
    let said = stdout(&output) + &stderr(&output);
    assert!(
        said.contains("least recall") && said.contains("is below the gate of 50.00 %"),
        "{said}"
    );
    let events = fs::read_to_string(run(&bench).join("events.jsonl")).unwrap();
    assert!(events.contains("\"measure\":\"least_recall\""), "{events}");
    assert!(events.contains("\"recalls\":[{"), "{events}");
    // And one that learns passes the same gate.
    let settings = ["data.validation=100", "gate.least-recall=0.5", "train.epochs=40"];
    expect_code(&trained(&train, &test, &settings).1, 0);
}

#[test]
fn a_recall_that_cannot_be_measured_is_refused_by_name() {
    let mut train = in_turn(399, 3);
    train.push(3);
    let (bench, output) = trained(&train, &in_turn(40, 4), &["gate.least-recall=0.5"]);
    expect_code(&output, 2);
    let said = stderr(&output);
    assert!(
        said.contains("gate.least-recall") && said.contains("no validation image is of class 3"),
        "{said}"
    );
    assert!(!bench.runs().exists());
}

#[test]
fn a_missing_folder_is_told_with_what_sets_another() {
    let bench = Bench::new();
    for source in ["idx", "folder", "cifar", "csv", "npz"] {
        let study = STUDY.replace("\"idx\"", &format!("{source:?}"));
        fs::write(bench.path().join("study.toml"), study).unwrap();
        let output = bench.burgeon(&["check", "study.toml"]);
        expect_code(&output, 1);
        let told = stderr(&output);
        assert!(
            told.contains("images does not exist; set `path` in [data], or `--set data.path=PATH`"),
            "{source}: {told}"
        );
    }
}

#[test]
fn data_shows_what_can_be_read_and_then_names_what_cannot() {
    let bench = Bench::new();
    for class in 0..2_u8 {
        let folder = bench.path().join(format!("photos/class{class}"));
        fs::create_dir_all(&folder).unwrap();
        for at in 0..20_u8 {
            let colour = image::Rgb([at * 10, class * 200, 9]);
            image::RgbImage::from_pixel(8, 8, colour)
                .save(folder.join(format!("{at}.png")))
                .unwrap();
        }
    }
    fs::write(bench.path().join("photos/class1/empty.jpg"), "").unwrap();
    let output = bench.burgeon(&["data", "photos"]);
    expect_code(&output, 1);
    let (text, errors) = (stdout(&output), stderr(&output));
    assert!(text.contains("class1") && text.contains("empty.jpg: the file is empty"), "{text}");
    assert!(errors.contains("1 of its files cannot be read"), "{errors}");
    assert!(errors.contains("skip-unreadable"), "{errors}");
    let json = bench.burgeon(&["data", "photos", "--json"]);
    expect_code(&json, 1);
    let value: serde_json::Value = serde_json::from_str(&stdout(&json)).unwrap();
    assert_eq!(value["classes"][0]["class"], "class0");
    fs::remove_file(bench.path().join("photos/class1/empty.jpg")).unwrap();
    expect_code(&bench.burgeon(&["data", "photos"]), 0);
}
