//! From a request to split data and the record of its origin.

use std::fs;
use std::path::Path;

use super::{gzipped, sha256, small_set, some_images};
use crate::mnist_files::NAMES;
use crate::small_sets::{in_turn, label_file, write_set};
use burgeon::spec::Amount;
use burgeon::unstable::data::{
    DataRequest, Download, Fallback, Origin, Places, Progress, Source, load,
};
use tempfile::TempDir;

fn idx_request(dir: &Path) -> DataRequest {
    DataRequest {
        source: Source::Idx,
        path: Some(dir.to_owned()),
        validation: Some(Amount::Count(5)),
        train: None,
        test: None,
        ..offline()
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
        places: Places::default(),
        framing: Default::default(),
        download: Download::Never,
        ..DataRequest::mnist(1)
    }
}

fn refusal(request: &DataRequest) -> String {
    load(request, &mut |_| {}).unwrap_err().chain()
}

#[test]
fn an_idx_folder_of_any_size_and_class_count_loads() {
    let dir = TempDir::new().unwrap();
    write_set(dir.path(), &small_set());
    let loaded = load(&idx_request(dir.path()), &mut |_| {}).unwrap();
    let data = loaded.dataset;
    assert_eq!((data.train.len(), data.validation.len(), data.test.len()), (15, 5, 10));
    assert_eq!(data.input_shape(), [1, 6, 5]);
    assert_eq!(data.classes, ["0", "1", "2", "3"]);
    let Origin::Idx { files, .. } = loaded.origin else { panic!("not from a folder") };
    assert_eq!(files[0].sha256, sha256(&small_set()[0]));
}

#[test]
fn names_like_those_of_emnist_are_understood() {
    let dir = TempDir::new().unwrap();
    let names = [
        "letters-train-images-idx3-ubyte.gz",
        "letters-train-labels-idx1-ubyte.gz",
        "letters-test-images-idx3-ubyte.gz",
        "letters-test-labels-idx1-ubyte.gz",
    ];
    for (name, content) in names.iter().zip(small_set()) {
        fs::write(dir.path().join(name), gzipped(&content)).unwrap();
    }
    assert!(load(&idx_request(dir.path()), &mut |_| {}).is_ok());
    fs::write(dir.path().join("digits-train-images-idx3-ubyte.gz"), b"").unwrap();
    assert!(refusal(&idx_request(dir.path())).contains("keep each data set in its own folder"));
}

#[test]
fn what_is_wrong_with_an_idx_folder_is_told() {
    let dir = TempDir::new().unwrap();
    write_set(dir.path(), &small_set());
    let broken = |name: &str, content: Option<Vec<u8>>| {
        let path = dir.path().join(name);
        let original = fs::read(&path).unwrap();
        match content {
            Some(content) => fs::write(&path, content).unwrap(),
            None => fs::remove_file(&path).unwrap(),
        }
        let error = refusal(&idx_request(dir.path()));
        fs::write(&path, original).unwrap();
        error
    };
    assert!(broken(NAMES[2], None).contains("has no t10k-images-idx3-ubyte"));
    assert!(broken(NAMES[1], Some(label_file(&in_turn(19, 4)))).contains("it has 19 labels, but"));
    assert!(broken(NAMES[2], Some(some_images(10, 5, 6))).contains("5×6 pixels, but those of"));
    let nowhere = dir.path().join("nowhere");
    assert!(refusal(&idx_request(&nowhere)).contains("does not exist"));
}

#[test]
fn without_mnist_and_fallback_the_error_tells_where_it_was_looked_for() {
    let dir = TempDir::new().unwrap();
    let places = Places { local: Some(dir.path().to_owned()), ..Places::default() };
    let error = refusal(&DataRequest { places, ..offline() });
    assert!(
        error.contains(&dir.path().display().to_string()) && error.contains("switched off"),
        "{error}"
    );
}

#[test]
fn without_mnist_the_fallback_is_loud_and_on_record() {
    let mut reasons = Vec::new();
    let mut drawn = (0, 0);
    let mut listen = |progress: Progress<'_>| match progress {
        Progress::FellBack { reason } => reasons.push(reason.to_owned()),
        Progress::Drawing { done, total } => drawn = (done, total),
        _ => {}
    };
    let loaded =
        load(&DataRequest { fallback: Fallback::Synthetic, ..offline() }, &mut listen).unwrap();
    assert_eq!(drawn, (170, 170));
    assert_eq!(reasons.len(), 1);
    assert_eq!(loaded.origin.fallback_reason(), Some(reasons[0].as_str()));
    let asked_for =
        load(&DataRequest { source: Source::Synthetic, ..offline() }, &mut |_| {}).unwrap();
    assert_eq!(asked_for.origin.fallback_reason(), None);
    assert_eq!(asked_for.dataset.train.image(3), loaded.dataset.train.image(3));
}

#[test]
fn wrong_files_in_a_named_folder_are_an_error_and_elsewhere_passed_over() {
    let dir = TempDir::new().unwrap();
    write_set(dir.path(), &small_set());
    let fallback = DataRequest { fallback: Fallback::Synthetic, ..offline() };
    let named = Places { named: Some(dir.path().to_owned()), ..Places::default() };
    let error = refusal(&DataRequest { places: named, ..fallback.clone() });
    assert!(error.contains("not the published"), "{error}");
    let local = Places { local: Some(dir.path().to_owned()), ..Places::default() };
    let loaded = load(&DataRequest { places: local, ..fallback.clone() }, &mut |_| {}).unwrap();
    assert!(loaded.origin.fallback_reason().unwrap().contains("not the published"));
    let nowhere = Places { named: Some(dir.path().join("nowhere")), ..Places::default() };
    assert!(refusal(&DataRequest { places: nowhere, ..fallback }).contains("cannot read"));
}

#[test]
fn too_large_a_validation_split_is_refused_for_every_source() {
    let validation = Some(Amount::Count(60_000));
    let synthetic = DataRequest { source: Source::Synthetic, validation, ..offline() };
    assert!(refusal(&synthetic).contains("use at most 59999"));
    let dir = TempDir::new().unwrap();
    write_set(dir.path(), &small_set());
    assert!(
        refusal(&DataRequest { validation, ..idx_request(dir.path()) }).contains("use at most 19")
    );
}
