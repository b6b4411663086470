//! Writes a first study for a folder or file of images.

use std::path::Path;

use super::launch::{LaunchError, LaunchListener, Settings, input_shape};
use super::recorded_data::absolute;
use crate::data::detect::detect;
use crate::data::{DataError, Loaded};
use crate::spec::{Override, StudyDocument, StudyFile, is_run_name};
use crate::tune::{folds_for, starting_study};

/// Keys that follow from the path, so that overrides of them are ignored.
const DECIDED_BY_PATH: [&str; 2] = ["data.source", "data.path"];

/// Loads a folder or file of images, with these `overrides` of `[data]`, and chooses a study to start from: how to read
/// the images, a small network, and a gate.
///
/// # Errors
///
/// If it is not a known kind of data set, or its images cannot be read.
pub fn begin_study(
    path: &Path,
    overrides: Vec<Override>,
    settings: &Settings,
    listener: &mut dyn LaunchListener,
) -> Result<(StudyFile, Loaded), LaunchError> {
    let path = absolute(path);
    if path.to_str().is_none() {
        return Err(LaunchError::Data(DataError::Request {
            problem: format!(
                "{}: this path is not UTF-8, so a study file cannot hold it; use another path to the data",
                path.display()
            ),
        }));
    }
    let workers = settings.workers()?;
    let _entered = workers.enter();
    let any = StudyFile { data: detect(&path)?, ..StudyFile::new("any", Vec::new()) };
    let has_folds = overrides.iter().any(|it| it.key() == "gate.folds");
    // The network is chosen for images as they will be read, and split.
    let data_overrides =
        overrides.into_iter().filter(|it| DECIDED_BY_PATH.iter().all(|key| it.key() != *key));
    let data_overrides =
        data_overrides.filter(|it| it.key().starts_with("data.") || it.key() == "train.seed");
    let document = StudyDocument::new(format!("the study for {}", path.display()), any.to_toml());
    let mut file = document.with_overrides(data_overrides.collect()).parse()?;
    let mut loaded = settings.load(&file, listener)?;
    let mut data = file.data.clone();
    loaded.origin.record_in(&mut data, &loaded.dataset);
    // A validation split that the data has, or that was asked for, stays as it is.
    let may_fold = file.data.validation.is_none() && data.validation.is_some();
    let counts = &loaded.report.counts;
    let mut study = starting_study(&name(&path), data, input_shape(&loaded.dataset), &counts.train);
    if may_fold && !has_folds {
        study.gate.folds = folds_for(&study.gate, counts);
    }
    if may_fold && (has_folds || study.gate.folds.is_some()) {
        study.data.validation = None;
    }
    if study.gate.folds.is_some() {
        // What is told of the images is how the study splits them.
        (file.data, file.gate) = (study.data.clone(), study.gate);
        loaded = settings.load(&file, listener)?;
    }
    Ok((study, loaded))
}

/// The name of a folder or file, made into a valid study name.
fn name(path: &Path) -> String {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let allowed = |letter: char| if letter.is_ascii_alphanumeric() { letter } else { '-' };
    let name: String = stem.chars().map(allowed).take(40).collect();
    let name = name.trim_matches('-');
    if is_run_name(name) { name.to_owned() } else { "images".to_owned() }
}

#[cfg(test)]
mod tests;
