//! `card.md` beside a published model: what it is, what it was measured at, and how to use it.
//!
//! A card is written with the model. Once the study has ended it is written again, with the figure on the test
//! images and whatever else the record knows by then.

mod hub;
mod text;

use std::path::Path;

use super::publish::PublishError;
use super::recorded::recorded_folds;
use crate::ledger::{Event, Provenance, Recorded, RunFolder, RunFolderError, read};
use crate::model::{OpenError, Preparation, SavedModel};
use crate::record::figures::ModelFigures;
use crate::record::{CrossValidation, DataFinding, SplitCounts};
use crate::spec::Spec;

/// File of the card, in the folder of a model.
pub(super) const CARD_FILE: &str = "card.md";
/// A card of many classes is a few megabytes.
const CARD_BYTES_MAX: u64 = 64 << 20;

/// All that a card tells.
#[derive(Debug)]
pub(super) struct Card<'a> {
    pub(super) spec: &'a Spec,
    pub(super) preparation: &'a Preparation,
    pub(super) weights_hash: String,
    /// Where the images come from, in words.
    pub(super) data: &'a str,
    pub(super) figures: &'a ModelFigures,
    /// Images by class and split; `None` where the record does not tell.
    pub(super) counts: Option<SplitCounts>,
    /// What is unusual about the images.
    pub(super) findings: Vec<DataFinding>,
    /// `None` for a run without provenance.
    pub(super) provenance: Option<&'a Provenance>,
    /// The folds that its trial was measured on, where the study asks for them.
    pub(super) folds: Option<CrossValidation>,
    /// `None` until the test images are read.
    pub(super) test: Option<TestFigures>,
    /// How often the test images were read, for this model or others.
    pub(super) test_readings: u64,
}

/// The accuracy on the test images.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct TestFigures {
    pub(super) images: u64,
    /// 0..=1.
    pub(super) accuracy: f64,
}

/// Why a card cannot be written again.
#[derive(Debug, thiserror::Error)]
#[error("the model card cannot be written")]
pub struct CardError(#[source] Box<dyn std::error::Error + Send + Sync>);

/// Writes the card of a run's best model again, if what it tells has changed. Nothing is done for a run
/// whose model is not there, was published by a trainer of a program, or by an earlier version of burgeon.
///
/// # Errors
///
/// When a file cannot be read or written, or the model is damaged.
pub fn refresh_card(folder: &RunFolder) -> Result<(), CardError> {
    refresh(folder).map_err(CardError)
}

fn refresh(folder: &RunFolder) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let files = folder.files();
    let best = folder.best();
    // A trainer of a program publishes what it likes, and its card is its own.
    let Some(figures) = ModelFigures::read(&**files, &best)? else {
        return Ok(());
    };
    let model = match SavedModel::open(&best) {
        Err(OpenError::NoModel { .. } | OpenError::NoRun { .. }) => return Ok(()),
        other => other?,
    };
    let weights_hash = model.file.weights.hash();
    if figures.weights_hash != weights_hash {
        return Ok(());
    }
    let spec = model.spec()?;
    let records = read(&**files, &folder.events_file())?;
    let provenance = provenance(folder)?;
    let (counts, findings) = examined(&records);
    let (test, test_readings) = tested(&records, &weights_hash, &figures);
    let card = Card {
        spec: &spec,
        preparation: &model.file.preparation,
        folds: CrossValidation::of(&recorded_folds(&records, figures.trial)),
        test,
        test_readings,
        weights_hash,
        data: provenance
            .as_ref()
            .map_or("images of the program", |provenance| &provenance.data.origin),
        figures: &figures,
        counts,
        findings,
        provenance: provenance.as_ref(),
    };
    let text = card.to_markdown()?;
    let path = best.join(CARD_FILE);
    let is_same = match files.read(&path, CARD_BYTES_MAX) {
        Err(error) if error.is_not_found() => false,
        found => found? == text.as_bytes(),
    };
    if !is_same {
        files.write_atomically(&path, text.as_bytes())?;
    }
    Ok(())
}

/// The provenance of a run; `None` if it has none.
pub(super) fn provenance(folder: &RunFolder) -> Result<Option<Provenance>, RunFolderError> {
    match folder.read_provenance() {
        Ok(provenance) => Ok(Some(provenance)),
        Err(RunFolderError::File(error)) if error.is_not_found() => Ok(None),
        Err(error) => Err(error),
    }
}

/// The provenance of the run in a folder, which may be no run.
pub(super) fn provenance_in(
    files: &std::sync::Arc<dyn crate::sys::files::Files>,
    run: &Path,
) -> Result<Option<Provenance>, PublishError> {
    match RunFolder::open(std::sync::Arc::clone(files), run) {
        Ok(folder) => Ok(provenance(&folder)?),
        Err(RunFolderError::NotARun { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn examined(records: &[Recorded]) -> (Option<SplitCounts>, Vec<DataFinding>) {
    let examined = records.iter().rev().find_map(|recorded| match &recorded.event {
        Event::DataExamined { counts, findings, .. } => Some((counts.clone(), findings.clone())),
        _ => None,
    });
    examined.map_or((None, Vec::new()), |(counts, findings)| (Some(counts), findings))
}

/// The newest reading of the test images with this model, one of only some of them if there is none of more; and how
/// often they were read in all, for other models too.
fn tested(
    records: &[Recorded],
    weights_hash: &str,
    figures: &ModelFigures,
) -> (Option<TestFigures>, u64) {
    let (mut found, mut apart, mut by_study, mut test_images) = (None, 0, 0, 0);
    for recorded in records {
        match &recorded.event {
            Event::StudyStarted { test_images: images, .. } => test_images = *images as u64,
            Event::TestSplitRead { images, accuracy, weights_hash: of, .. } => {
                apart += 1;
                let most = found.map_or(0, |(images, _)| images);
                if of == weights_hash && *images >= most {
                    found = Some((*images, *accuracy));
                }
            }
            Event::StudyFinished(result) => {
                by_study = by_study.max(result.test_readings().into());
                let is_this = Some(figures.trial) == result.best_trial;
                if let (true, Some(accuracy)) = (is_this, result.test_accuracy) {
                    found = Some((test_images, accuracy));
                }
            }
            _ => {}
        }
    }
    let found = found.filter(|(images, _)| *images > 0);
    let found = found.map(|(images, accuracy)| TestFigures { images, accuracy });
    (found, by_study + apart)
}

impl From<RunFolderError> for PublishError {
    fn from(error: RunFolderError) -> Self {
        match error {
            RunFolderError::File(error) => Self::File(error),
            other => Self::Provenance(other),
        }
    }
}

#[cfg(test)]
mod tests;
