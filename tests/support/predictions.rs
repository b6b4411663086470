//! What `predict` says of images, held against what `eval` says of them.

use std::fs;
use std::path::{Path, PathBuf};

use burgeon::model::Classifier;
use burgeon::spec::Amount;
use burgeon::unstable::data::{DataRequest, Download, Places, Source, load};
use image::GrayImage;

use crate::support::{Bench, SmallStudy, expect_code, stdout};

/// A study of 3,000 digits; `data` are the lines of `[data]` that say where they come from.
pub fn digits(data: &'static str) -> String {
    let study = SmallStudy {
        name: "digits",
        data,
        train: 3000,
        validation: 1000,
        units: 32,
        epochs: 1,
        gate: 0.0,
    };
    study.text()
}

/// One file an image.
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
pub fn predicted(bench: &Bench, run: &str, paths: &[PathBuf], options: &[&str]) -> Vec<String> {
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
pub fn assert_predict_equals_eval(
    bench: &Bench,
    run: &str,
    source: Source,
    path: Option<PathBuf>,
    count: usize,
) -> f64 {
    let request = DataRequest {
        source,
        path,
        validation: Some(Amount::Count(count)),
        places: Places::default_folders(std::env::var_os("BURGEON_DATA").map(Into::into), |_| None),
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
