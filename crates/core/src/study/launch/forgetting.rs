//! Measures what the best model of a continued study has forgotten: its accuracy on the validation images of the
//! run that the study continued from, compared with that of the model that it started from.
//!
//! It is measured once the study is over, and has no influence on it. A run keeps the old run's study and
//! provenance, which identify the old data, so that it needs that data, but not the old run's folder.

use std::collections::BTreeMap;
use std::error::Error;
use std::sync::Arc;

use burn::tensor::Device;

use super::error::LaunchError;
use super::listener::LaunchListener;
use super::settings::Settings;
use super::source::StudySource;
use super::start::{StartModel, refusal};
use crate::data::{DataError, Dataset, Split};
use crate::ledger::{Event, RunFolder};
use crate::model::{ClassMatch, Classifier, SavedModel};
use crate::record::Forgetting;
use crate::spec::StudyDocument;
use crate::study::Silent;
use crate::study::run::Study;
use crate::study::trainer::Trainer;
use crate::sys::error_chain;
use crate::sys::files::real_files;
use crate::sys::signals::StopFlag;

/// Number of images that are classified at once.
const BATCH: usize = 250;

/// Checks that the validation images of the run that the study continues from can be read, and adds what
/// identifies them to the files that the new run keeps. Otherwise no new run can begin.
///
/// # Errors
///
/// If a stop is requested, or the old run's folder cannot be read.
pub(super) fn keep_old_run(
    start: Option<StartModel>,
    study: &StudySource,
    settings: &Settings,
    listener: &mut dyn LaunchListener,
    stop: &StopFlag,
) -> Result<Option<StartModel>, LaunchError> {
    const KEY: &str = "model.measure-forgetting";
    let Some(mut start) = start else {
        return Ok(None);
    };
    if !start.is_original() {
        // The run that holds this copy of the model has kept that already.
        return Ok(Some(start));
    }
    let refused = |start: StartModel, message: String, help: &str| {
        Ok(Some(start.only_for_resuming(refusal(study, KEY, message, help))))
    };
    let old = match RunFolder::open(real_files()?, start.path()) {
        Ok(old) => old,
        Err(error) => {
            let message = format!("{}, so the data of the model is not known", error_chain(&error));
            return refused(start, message, "set `from` to a run folder, or remove this key");
        }
    };
    match old_images(&old, settings, listener, stop) {
        Ok(_) => {}
        Err(stopped @ LaunchError::Data(DataError::Stopped)) => return Err(stopped),
        Err(error) => {
            let message =
                format!("the old validation images cannot be read: {}", error_chain(&error));
            return refused(start, message, "restore that data, or remove this key");
        }
    }
    let provenance = old.files().read(&old.provenance_file(), KEPT_BYTES_MAX)?;
    start.keep("study.toml", old.read_study()?.into_bytes());
    start.keep("provenance.json", provenance);
    Ok(Some(start))
}

const KEPT_BYTES_MAX: u64 = 1 << 20;

/// The images of the run, as it recorded them.
fn old_images(
    run: &RunFolder,
    settings: &Settings,
    listener: &mut dyn LaunchListener,
    stop: &StopFlag,
) -> Result<Dataset, LaunchError> {
    let name = run.study_file().display().to_string();
    let study = StudyDocument::new(name, run.read_study()?).parse()?;
    Ok(settings.load_recorded(run, &study, Split::Validation, listener, stop)?.dataset)
}

/// Measures what the best model of a finished study has forgotten, and records it; `None` if that was done
/// before, there is no model, or a stop is requested.
///
/// # Errors
///
/// If the old images or one of the models cannot be read, or the device fails.
pub(super) fn measure<T: Trainer>(
    study: &Study<T>,
    best_trial: Option<u32>,
    settings: &Settings,
    device: &Device,
    stop: &StopFlag,
    beat: &mut dyn FnMut(),
) -> Result<Option<Forgetting>, Box<dyn Error + Send + Sync>> {
    let is_measured = |event: &Event| matches!(event, Event::ForgettingMeasured { trial, .. } if Some(*trial) == best_trial);
    let is_recorded =
        study.study_record().ledger.records().iter().any(|record| is_measured(&record.event));
    let Some(trial) = best_trial.filter(|_| !is_recorded) else {
        return Ok(None);
    };
    let workers = settings.workers()?;
    let _entered = workers.enter();
    let run = &study.folder;
    let old = RunFolder::open(Arc::clone(run.files()), run.start())?;
    beat();
    let data = match old_images(&old, settings, &mut Silent, stop) {
        Err(LaunchError::Data(DataError::Stopped)) => return Ok(None),
        other => other?,
    };
    let before = SavedModel::open(run.start())?.classifier(device)?;
    let after = SavedModel::open(run.best())?.classifier(device)?;
    let mut keep_going = || {
        beat();
        stop.requested().is_none()
    };
    let measured = compare(&data, &before, &after, &mut keep_going)?;
    if let Some(forgetting) = measured {
        let event = Event::ForgettingMeasured { trial, forgetting };
        study.study_record().ledger.append_once(event)?;
    }
    Ok(measured)
}

/// The accuracies of two models on those validation images of the first one's data whose class both know.
fn compare(
    data: &Dataset,
    before: &Classifier,
    after: &Classifier,
    keep_going: &mut dyn FnMut() -> bool,
) -> Result<Option<Forgetting>, Box<dyn Error + Send + Sync>> {
    if data.classes != before.classes() {
        return Err(
            "the old images have other classes than the model that was trained on them".into()
        );
    }
    // For each label of the old model whose class the new model knows, the new model's label.
    let now: BTreeMap<usize, usize> =
        ClassMatch::of(before.classes(), after.classes()).pairs().collect();
    let images = &data.validation;
    let label = |at: usize| usize::from(images.label(at));
    let shared: Vec<usize> = (0..images.len()).filter(|&at| now.contains_key(&label(at))).collect();
    let mut correct = [0_u64; 2];
    for batch in shared.chunks(BATCH) {
        if !keep_going() {
            return Ok(None);
        }
        let pixels: Vec<&[u8]> = batch.iter().map(|&at| images.image(at)).collect();
        let logits = [before.logits(&pixels)?, after.logits(&pixels)?];
        for (index, &at) in batch.iter().enumerate() {
            let old = label(at);
            let wanted = [Some(old), now.get(&old).copied()];
            for ((correct, logits), wanted) in correct.iter_mut().zip(&logits).zip(wanted) {
                *correct += u64::from(logits.get(index).and_then(|row| argmax(row)) == wanted);
            }
        }
    }
    let accuracy = |correct: u64| match shared.len() {
        0 => f64::NAN,
        images => correct as f64 / images as f64,
    };
    let [before, after] = correct.map(accuracy);
    let (classes, images) = (now.len() as u64, shared.len() as u64);
    Ok(Some(Forgetting { classes, images, before, after }))
}

/// The index of the highest value, the first of equal ones.
fn argmax(values: &[f32]) -> Option<usize> {
    let indexed = values.iter().enumerate();
    indexed.rev().max_by(|a, b| a.1.total_cmp(b.1)).map(|(index, _)| index)
}

#[cfg(test)]
mod tests;
