//! `burgeon predict`: classifies picture files, or images of the run's own data, with a run's best model.

use std::io::Write;
use std::path::Path;

use burgeon_ink::Invert;

use super::args::{Common, InvertName, PredictArguments, SplitName};
use super::best::Best;
use super::error::CliError;
use super::eval::{TestRecord, split_name};
use super::exit::Exit;
use super::launch;
use super::output::Output;
use super::shown::shown;
use super::view::{View, percent};
use crate::data::picture_file::open_picture;
use crate::data::{DataError, Subset};
use crate::ledger::{Event, RunFolder};
use crate::model::{Classifier, InputError, SavedModel};
use crate::study::{Growth, LaunchError, data_hash};
use crate::sys::error_chain;
use crate::sys::files::real_files;
use crate::train::{Prediction, evaluate, for_each_prediction};

/// Prints the class of every picture. After one that cannot be read, the others are still classified.
pub fn predict(
    arguments: &PredictArguments,
    common: &Common,
    output: &Output,
) -> Result<Exit, CliError> {
    if let Some(split) = arguments.from_split {
        return predict_split(arguments, split, common, output);
    }
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

/// Prints the class of every image of a split of the run's own data.
fn predict_split(
    arguments: &PredictArguments,
    split: SplitName,
    common: &Common,
    output: &Output,
) -> Result<Exit, CliError> {
    let run = &arguments.run;
    let saved = SavedModel::open(run)?;
    let folder = RunFolder::open(real_files().map_err(LaunchError::from)?, run)?;
    let settings = launch(common, Growth::Off);
    // Opened before the test images are read, as for `eval`.
    let record = match split {
        SplitName::Test => Some(TestRecord::open(run, "burgeon predict --from-split test")?),
        SplitName::Train | SplitName::Validation => None,
    };
    let workers = settings.workers()?;
    let _entered = workers.enter();
    let model = Best::open(&saved, &folder, split.into(), &settings, &mut View::new(*output))?;
    let images = model.first(arguments.limit)?;
    if let Some(record) = record {
        record_reading(record, &saved, &model, &images, output)?;
    }
    let Best { network, normalization, device, .. } = &model;
    let names = &model.loaded.dataset.classes;
    let mut stdout = std::io::BufWriter::new(std::io::stdout().lock());
    let (mut index, mut written) = (0, Ok(()));
    for_each_prediction(
        network,
        &images,
        *normalization,
        names.len(),
        &device.device,
        |prediction| {
            let text = match output.json {
                true => prediction_json(split, index, &prediction, names),
                false => prediction_line(split, index, &prediction, names),
            };
            index += 1;
            written = stdout.write_all(text.as_bytes());
            written.is_ok()
        },
    )?;
    written.and_then(|()| stdout.flush()).map_err(CliError::Output)?;
    Ok(Exit::Success)
}

/// Records a reading of the test images, before anything of it is printed.
fn record_reading(
    record: TestRecord,
    saved: &SavedModel,
    model: &Best,
    images: &Subset,
    output: &Output,
) -> Result<(), CliError> {
    let Best { network, normalization, device, .. } = model;
    let result = evaluate(network, images, *normalization, model.classes(), &device.device)?;
    let carded = record.write(Event::TestSplitRead {
        command: "predict".into(),
        images: result.images(),
        accuracy: result.accuracy(),
        weights_hash: saved.file.weights.hash(),
        data_hash: data_hash(&model.loaded),
    })?;
    if let Err(error) = carded {
        output.warn(&error_chain(&error));
    }
    Ok(())
}

fn prediction_line(
    split: SplitName,
    index: usize,
    prediction: &Prediction,
    names: &[String],
) -> String {
    let Prediction { label, class, probabilities } = prediction;
    let verdict = if label == class { "" } else { "  wrong" };
    format!(
        "{} {index}: {}, predicted {} {}{verdict}\n",
        split_name(split),
        shown(&names[*label], 64),
        shown(&names[*class], 64),
        percent(probabilities[*class])
    )
}

fn prediction_json(
    split: SplitName,
    index: usize,
    prediction: &Prediction,
    names: &[String],
) -> String {
    let Prediction { label, class, probabilities } = prediction;
    let all = names.iter().cloned().zip(probabilities.iter().map(|&share| share.into()));
    let all: serde_json::Map<String, serde_json::Value> = all.collect();
    let value = serde_json::json!({
        "split": split_name(split), "index": index, "label": names[*label], "class": names[*class],
        "probability": probabilities[*class], "probabilities": all,
    });
    format!("{value}\n")
}

fn classify(classifier: &Classifier, path: &Path, invert: Invert) -> Result<Vec<f32>, CliError> {
    let picture = open_picture(path, classifier.decode_size()).map_err(CliError::Picture)?;
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
    let mut classes =
        ranked.iter().map(|(name, share)| format!("{} {}", shown(name, 64), percent(*share)));
    let first = classes.next().unwrap_or_default();
    let others: Vec<String> = classes.take(2).collect();
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
