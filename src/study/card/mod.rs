//! `card.md` beside a published model: what it is, what it was measured at, and how to use it.
//!
//! A card is written with the model. Once the study has ended it is written again, with the figure on the test
//! images and whatever else the record knows by then.

mod hub;
mod text;

use std::path::Path;

use super::figures::ModelFigures;
use super::publish::PublishError;
use crate::ledger::{Event, Provenance, Recorded, RunFolder, RunFolderError, read};
use crate::model::{OpenError, Preparation, SavedModel};
use crate::record::{DataFinding, SplitCounts};
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
    /// `None` until the test images are read.
    pub(super) test: Option<TestFigures>,
}

/// The accuracy on the test images.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct TestFigures {
    pub(super) images: u64,
    /// 0..=1.
    pub(super) accuracy: f64,
    /// How often the test images were read by then.
    pub(super) readings: u32,
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
    let card = Card {
        spec: &spec,
        preparation: &model.file.preparation,
        test: tested(&records, &weights_hash, &figures),
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

/// The newest reading of the test images with this model.
fn tested(records: &[Recorded], weights_hash: &str, figures: &ModelFigures) -> Option<TestFigures> {
    let (mut found, mut apart, mut by_study, mut test_images) = (None, 0, 0, 0);
    for recorded in records {
        match &recorded.event {
            Event::StudyStarted { test_images: images, .. } => test_images = *images as u64,
            Event::TestSplitRead { images, accuracy, weights_hash: of, .. } => {
                apart += 1;
                if of == weights_hash {
                    found = Some((*images, *accuracy));
                }
            }
            Event::StudyFinished(result) => {
                by_study = result.test_readings();
                let is_this = Some(figures.trial) == result.best_trial;
                if let (true, Some(accuracy)) = (is_this, result.test_accuracy) {
                    found = Some((test_images, accuracy));
                }
            }
            _ => {}
        }
    }
    let (images, accuracy) = found.filter(|(images, _)| *images > 0)?;
    Some(TestFigures { images, accuracy, readings: by_study + apart })
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
mod tests {
    use super::*;
    use crate::ledger::Outcome;
    use crate::record::StudyResult;
    use crate::study::figures::{SplitFigures, wilson_interval};

    fn figures(trial: u32) -> ModelFigures {
        ModelFigures {
            version: ModelFigures::VERSION,
            trial,
            epoch: 3,
            weights_hash: "ab".into(),
            validation: SplitFigures {
                images: 10,
                accuracy: 0.9,
                interval: wilson_interval(0.9, 10),
                loss: 0.2,
                calibration_error: 0.05,
                classes: 2,
                confusion: vec![(0, 0, 9), (1, 0, 1)],
            },
            int8: None,
        }
    }

    fn finished(trial: u32) -> Event {
        Event::StudyFinished(StudyResult {
            outcome: Outcome::Accepted,
            best_trial: Some(trial),
            validation_accuracy: 0.9,
            test_accuracy: Some(0.8),
            test_readings: Some(1),
            parameters: 1,
            trials: 2,
            seconds: 1.0,
            run: "runs/a-0001".into(),
        })
    }

    fn records(events: Vec<Event>) -> Vec<Recorded> {
        let at = jiff::Timestamp::UNIX_EPOCH;
        events.into_iter().map(|event| Recorded { at, event }).collect()
    }

    #[test]
    fn the_test_figure_is_that_of_this_model_and_counts_all_readings() {
        let started = Event::StudyStarted {
            name: "a".into(),
            command: "tune".into(),
            run: String::new(),
            spec_hash: String::new(),
            data_hash: String::new(),
            seed: 1,
            device: "cpu".into(),
            threads: 1,
            train_images: 9,
            validation_images: 10,
            test_images: 100,
            threshold: 0.5,
            trials: 2,
            instruction_set: None,
        };
        let read = |of: &str, accuracy| Event::TestSplitRead {
            command: "eval".into(),
            images: 50,
            accuracy,
            weights_hash: of.into(),
            data_hash: String::new(),
        };
        let of = |events: Vec<Event>| tested(&records(events), "ab", &figures(2));
        assert_eq!(of(vec![started.clone(), read("other", 0.1)]), None);
        let found = of(vec![started.clone(), read("other", 0.1), read("ab", 0.7)]).unwrap();
        assert_eq!((found.images, found.accuracy, found.readings), (50, 0.7, 2));
        let found = of(vec![started.clone(), finished(2)]).unwrap();
        assert_eq!((found.images, found.accuracy, found.readings), (100, 0.8, 1));
        assert_eq!(of(vec![started, finished(1)]), None, "another trial's figure");
    }
}
