//! `burgeon predict`: classifies picture files with a run's best model.

use std::path::Path;

use super::args::{Common, InvertName, PredictArguments};
use super::error::CliError;
use super::exit::Exit;
use super::launch;
use super::output::Output;
use super::view::percent;
use crate::data::DataError;
use crate::data::image_file::{Invert, Picture};
use crate::model::{Classifier, InputError, SavedModel};
use crate::study::Growth;

/// Prints the class of every picture. After one that cannot be read, the others are still classified.
pub fn predict(
    arguments: &PredictArguments,
    common: &Common,
    output: &Output,
) -> Result<Exit, CliError> {
    let mut model = SavedModel::open(&arguments.run)?;
    if arguments.as_is {
        model.file.preparation = model.file.preparation.whole();
    }
    let device = launch(common, Growth::Off).device.open()?;
    let classifier = model.classifier(&device.device)?;
    let pictures = &arguments.images;
    let mut failed = 0;
    for path in pictures {
        match classify(&classifier, path, arguments.invert.into()) {
            Ok(probabilities) => {
                let ranked = rank(&classifier, probabilities);
                output.result(&if output.json {
                    json(path, &ranked)
                } else {
                    line(path, &ranked)
                })?;
            }
            Err(error) => {
                failed += 1;
                output.print_error(&error);
            }
        }
    }
    match failed {
        0 => Ok(Exit::Success),
        failed if pictures.len() > 1 => Err(CliError::Pictures { failed, images: pictures.len() }),
        _ => Ok(Exit::Failed),
    }
}

fn classify(classifier: &Classifier, path: &Path, invert: Invert) -> Result<Vec<f32>, CliError> {
    let picture = Picture::open_for(path, classifier.decode_size()).map_err(CliError::Picture)?;
    match classifier.classify_picture(&picture, invert) {
        Ok(probabilities) => Ok(probabilities),
        Err(InputError::Picture(source)) => {
            Err(CliError::Picture(DataError::Picture { path: path.into(), source }))
        }
        Err(error) => Err(error.into()),
    }
}

/// Classes with their probabilities, the most probable first.
fn rank(classifier: &Classifier, probabilities: Vec<f32>) -> Vec<(&str, f64)> {
    let names = classifier.classes().iter().map(String::as_str);
    let mut ranked: Vec<(&str, f64)> =
        names.zip(probabilities.into_iter().map(f64::from)).collect();
    ranked.sort_by(|a, b| b.1.total_cmp(&a.1));
    ranked
}

fn line(path: &Path, ranked: &[(&str, f64)]) -> String {
    let mut shown = ranked.iter().map(|(name, share)| format!("{name} {}", percent(*share)));
    let first = shown.next().unwrap_or_default();
    let others: Vec<String> = shown.take(2).collect();
    format!("{}: {first}  (then {})\n", path.display(), others.join(", "))
}

fn json(path: &Path, ranked: &[(&str, f64)]) -> String {
    let (class, probability) = ranked.first().copied().unwrap_or_default();
    let all: serde_json::Map<String, serde_json::Value> =
        ranked.iter().map(|(name, share)| ((*name).to_owned(), (*share).into())).collect();
    let value = serde_json::json!({
        "image": path.display().to_string(), "class": class,
        "probability": probability, "probabilities": all,
    });
    format!("{value}\n")
}

impl From<InvertName> for Invert {
    fn from(name: InvertName) -> Self {
        match name {
            InvertName::Auto => Self::Auto,
            InvertName::Always => Self::Always,
            InvertName::Never => Self::Never,
        }
    }
}
