//! Detects the kind of data set in a folder or file from its content.

use std::path::Path;

use super::framed::{has_cifar_files, has_class_folders, has_csv_files};
use super::{DataError, folder};
use crate::spec::{DataSpec, Source};

/// `[data]` for a folder or file: its source and its path.
///
/// # Errors
/// If its format is not known; the error names the known ones.
pub(crate) fn detect(path: &Path) -> Result<DataSpec, DataError> {
    let of = |source| DataSpec { source, path: Some(path.into()), ..DataSpec::default() };
    if path.is_file() {
        let extension = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
        return match extension.as_str() {
            "npz" => Ok(of(Source::Npz)),
            "csv" => Ok(of(Source::Csv)),
            _ => Err(DataError::malformed(
                path,
                "not a data set: use a folder, or a .npz or .csv file",
            )),
        };
    }
    let mut names: Vec<String> = Vec::new();
    for entry in std::fs::read_dir(path).map_err(DataError::read(path))? {
        names.push(
            entry.map_err(DataError::read(path))?.file_name().to_string_lossy().to_lowercase(),
        );
    }
    if folder::find(path).is_ok() {
        return Ok(of(Source::Idx));
    }
    if has_cifar_files(path) {
        return Ok(of(Source::Cifar));
    }
    if names.iter().any(|name| name == "labels.csv") {
        return Ok(DataSpec { labels: Some("labels.csv".into()), ..of(Source::Folder) });
    }
    let classes = has_class_folders(path);
    if let Ok(true) = classes {
        return Ok(of(Source::Folder));
    }
    if has_csv_files(path) {
        return Ok(of(Source::Csv));
    }
    let archives: Vec<&String> = names.iter().filter(|name| name.ends_with(".npz")).collect();
    if let [only] = archives.as_slice() {
        return Ok(DataSpec { path: Some(path.join(only)), ..of(Source::Npz) });
    }
    // It is nothing else, so that what is wrong with its class folders is what is wrong.
    classes?;
    Err(DataError::malformed(
        path,
        "not a known kind of data set; use a folder for each class with pictures in it (also below train and test), \
         pictures with a labels.csv, IDX files, CIFAR's binary files, train.csv, or a .npz archive",
    ))
}
