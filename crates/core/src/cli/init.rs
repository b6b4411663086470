//! `burgeon init`, and `tune` and `train` of a folder instead of a study: examines the images and writes
//! a study to start from.

use std::path::Path;

use super::args::Common;
use super::error::CliError;
use super::exit::Exit;
use super::output::Output;
use super::view::View;
use super::{launch, overrides};
use crate::data::Loaded;
use crate::report::grouped;
use crate::spec::{Source, StudyDocument, StudyFile};
use crate::study::{Growth, begin_study};

/// Prints a study for a data set.
pub fn init(path: &Path, common: &Common, output: &Output) -> Result<Exit, CliError> {
    let (study, loaded) = begin(path, common, output)?;
    output.result(&text(path, &study, &loaded))
}

/// A study for a data set, for `tune` and `train`.
pub fn document(path: &Path, common: &Common, output: &Output) -> Result<StudyDocument, CliError> {
    let (study, loaded) = begin(path, common, output)?;
    output.print(&found(&loaded));
    output.print(&chosen(&study));
    let name = format!("the study for {}", path.display());
    Ok(StudyDocument::new(name, text(path, &study, &loaded)))
}

fn begin(path: &Path, common: &Common, output: &Output) -> Result<(StudyFile, Loaded), CliError> {
    let settings = launch(common, Growth::Off);
    Ok(begin_study(path, overrides(common), &settings, &mut View::new(*output))?)
}

fn text(path: &Path, study: &StudyFile, loaded: &Loaded) -> String {
    let mut text = String::new();
    let lines = [format!("For {}: {}.", path.display(), found(loaded)), chosen(study)];
    for line in lines {
        // A path may hold a line break, which a comment must not.
        text += &format!("# {}\n", line.replace(char::is_control, " "));
    }
    text + &study.to_short_toml()
}

/// A clause about the images that were found.
fn found(loaded: &Loaded) -> String {
    let data = &loaded.dataset;
    let [channels, height, width] = data.input_shape();
    let count = |images: usize| grouped(images as u64);
    format!(
        "found {} training, {} validation and {} test images of {} classes, used at {height}×{width} pixels in {}",
        count(data.train.len()),
        count(data.validation.len()),
        count(data.test.len()),
        data.classes.len(),
        if channels == 1 { "grey" } else { "colour" },
    )
}

/// A clause about the settings that were chosen.
fn chosen(study: &StudyFile) -> String {
    let convs = study.model.layers.iter().filter(|layer| layer.kind() == "conv").count();
    let gate = match study.gate.balanced_accuracy {
        Some(floor) => {
            format!(
                "{:.0} % balanced validation accuracy, because the classes differ in size",
                floor * 100.0
            )
        }
        None => format!("{:.0} % validation accuracy", study.gate.accuracy * 100.0),
    };
    let framed = match study.data.source {
        Source::Folder => "; size, fit and channels can be changed in [data]",
        _ => "",
    };
    let folds = match study.gate.folds {
        Some(folds) => format!(", cross-validated over {folds} folds, because images are few"),
        None => String::new(),
    };
    format!(
        "chose {convs} conv layers, {} epochs, and a gate of {gate}{folds}{framed}",
        study.train.epochs
    )
}
