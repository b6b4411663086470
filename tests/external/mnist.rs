//! What only the published files can show.

use std::fs;
use std::io::Read;
use std::sync::atomic::Ordering;
use std::time::Duration;

use burgeon::spec::Amount;
use burgeon::unstable::data::fetch::{FetchLimits, fetch};
use burgeon::unstable::data::mnist::CONTENT_SHA256;
use burgeon::unstable::data::{
    DataRequest, Download, Fallback, Origin, Places, Source, load, mnist,
};
use tempfile::TempDir;

use crate::mnist_files::{NAMES, real_mnist};
use crate::predictions::{assert_predict_equals_eval, digits};
use crate::server::{send, serve};
use crate::skipping::{Group, tests};
use crate::support::{Bench, expect_code};

pub fn group() -> Group {
    Group {
        name: "mnist",
        missing: real_mnist()
            .is_none()
            .then(|| "no MNIST, neither in the folder BURGEON_DATA nor in data/".into()),
        tests: tests![
            mnist_has_its_known_figures,
            mnist_one_level_below_the_named_folder_is_found,
            a_folder_that_was_named_is_the_only_one_that_is_looked_into,
            the_crate_mnist_reads_the_same_from_the_real_files,
            the_published_files_pass_a_download,
            predict_equals_eval_on_mnist,
            a_run_finds_the_folder_again_that_was_named_over_the_studys_path
        ],
    }
}

/// MNIST, with no place to find it and no way to fetch it.
fn offline() -> DataRequest {
    DataRequest {
        source: Source::Mnist,
        path: None,
        fallback: Fallback::None,
        validation: Some(Amount::Count(50)),
        train: Some(100),
        test: Some(Amount::Count(20)),
        framing: Default::default(),
        places: Places::default(),
        download: Download::Never,
        ..DataRequest::mnist(1)
    }
}

fn mnist_has_its_known_figures() {
    let dir = real_mnist().unwrap();
    let places = Places { named: Some(dir), ..Places::default() };
    let (train, test, validation) = (None, None, None);
    let request = DataRequest { places, train, test, validation, ..offline() };
    let loaded = load(&request, &mut |_| {}).unwrap();
    let data = loaded.dataset;
    assert_eq!((data.train.len(), data.validation.len(), data.test.len()), (55_000, 5000, 10_000));
    assert!(
        (data.normalization.mean[0] - 0.1307).abs() < 5e-4
            && (data.normalization.std[0] - 0.3081).abs() < 5e-4
    );
    let Origin::Mnist { files, fetched_from, .. } = loaded.origin else { panic!("not MNIST") };
    assert_eq!((files.len(), fetched_from.len()), (4, 0));
}

fn mnist_one_level_below_the_named_folder_is_found() {
    let dir = real_mnist().unwrap();
    let root = TempDir::new().unwrap();
    let below = root.path().join("MNIST/raw");
    fs::create_dir_all(&below).unwrap();
    for entry in fs::read_dir(&dir).unwrap() {
        let entry = entry.unwrap();
        if entry.path().is_file() {
            fs::copy(entry.path(), below.join(entry.file_name())).unwrap();
        }
    }
    let places = Places { named: Some(root.path().to_owned()), ..Places::default() };
    let loaded = load(&DataRequest { places, ..offline() }, &mut |_| {}).unwrap();
    assert_eq!(loaded.origin.dir(), Some(below.as_path()));
    // Each class in proportion to what MNIST has of it, 9 to 11.2 %.
    let counts = loaded.dataset.train.class_counts(10);
    assert!(counts.iter().all(|count| (9..=11).contains(count)), "{counts:?}");
}

fn a_folder_that_was_named_is_the_only_one_that_is_looked_into() {
    let dir = real_mnist().unwrap();
    let empty = TempDir::new().unwrap();
    let places = Places {
        named: Some(empty.path().to_owned()),
        recorded: Some(dir.clone()),
        local: Some(dir.clone()),
        cache: Some(dir.clone()),
    };
    let request = DataRequest { places, fallback: Fallback::Synthetic, ..offline() };
    let error = load(&request, &mut |_| {}).unwrap_err().chain();
    assert!(error.contains("the folder that was given for it"), "{error}");
    let places = Places { named: None, ..request.places.clone() };
    assert!(load(&DataRequest { places, ..request }, &mut |_| {}).is_ok());
}

fn the_crate_mnist_reads_the_same_from_the_real_files() {
    let dir = real_mnist().unwrap();
    let ours = mnist::read(&dir).unwrap();
    let plain = TempDir::new().unwrap();
    for name in NAMES {
        let packed = fs::read(dir.join(format!("{name}.gz")));
        let content = match packed {
            Ok(packed) => {
                let mut content = Vec::new();
                flate2::read::GzDecoder::new(&packed[..]).read_to_end(&mut content).unwrap();
                content
            }
            Err(_) => fs::read(dir.join(name)).unwrap(),
        };
        fs::write(plain.path().join(name), content).unwrap();
    }
    let theirs = ::mnist::MnistBuilder::new()
        .base_path(plain.path().to_str().unwrap())
        .label_format_digit()
        .training_set_length(60_000)
        .validation_set_length(0)
        .test_set_length(10_000)
        .finalize();
    let labels = |theirs: Vec<u8>| theirs.into_iter().map(u16::from).collect::<Vec<_>>();
    assert!(ours.train.pixels() == theirs.trn_img && ours.train.labels() == labels(theirs.trn_lbl));
    assert!(ours.test.pixels() == theirs.tst_img && ours.test.labels() == labels(theirs.tst_lbl));
}

fn the_published_files_pass_a_download() {
    let mnist = real_mnist().unwrap();
    let server = serve(move |name, stream| {
        let packed = mnist.join(name);
        let plain = mnist.join(name.trim_end_matches(".gz"));
        send(stream, &fs::read(packed).or_else(|_| fs::read(plain))?)
    });
    let dir = TempDir::new().unwrap();
    let limits = FetchLimits { silence_time_max: Duration::from_secs(5), ..FetchLimits::default() };
    fetch(dir.path(), &[server.address], &CONTENT_SHA256, limits, &mut |_| {}).unwrap();
    assert_eq!(server.requests.load(Ordering::Relaxed), 4);
    let content = mnist::read(dir.path()).unwrap();
    assert_eq!((content.train.count(), content.test.count()), (60_000, 10_000));
}

fn predict_equals_eval_on_mnist() {
    let mnist = real_mnist().unwrap();
    let bench = Bench::with_study(&digits("source = \"mnist\""));
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

fn a_run_finds_the_folder_again_that_was_named_over_the_studys_path() {
    let study = digits("source = \"mnist\"\npath = \"nothere\"");
    let bench = Bench::with_study(&study);
    let dir = real_mnist().unwrap().canonicalize().unwrap();
    let mut train = bench.command(&["train", "study.toml", "--data"]);
    expect_code(&train.arg(&dir).output().unwrap(), 0);
    let run = "runs/digits-0001";
    let predict = ["predict", run, "--from-split", "validation", "--limit", "2"];
    for arguments in [&["eval", run][..], &["resume", run], &predict] {
        expect_code(&bench.burgeon(arguments), 0);
    }
}
