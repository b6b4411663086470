//! Carries a round on to its decision.

use std::path::Path;

use super::round::Round;
use super::study::data_hash;
use super::{Passed, Retrainer};
use crate::cli::error::CliError;
use crate::cli::launch;
use crate::cli::output::Output;
use crate::cli::registry::{version_of, writer};
use crate::cli::view::{View, percent};
use crate::data::{DataError, Images, MoreImages, Split, Store};
use crate::ledger::RunFolder;
use crate::model::{OpenDevice, SavedModel};
use crate::record::Outcome;
use crate::registry::{Force, HeldOut, PRODUCTION, Record, RegistryError};
use crate::retrain::{Cause, Retraining};
use crate::spec::StudyDocument;
use crate::study::{Ended, Finished, Growth, Launch, Resume, Settings};

const STUDY_BYTES_MAX: u64 = 1 << 20;

impl Retrainer<'_> {
    /// Trains, judges, and promotes or refuses; whatever was done before is not done again.
    pub(super) fn carry_on(&self, round: &Round) -> Result<Passed, CliError> {
        let alias = self.registry.alias(PRODUCTION)?;
        if alias.is_none_or(|alias| alias.manifest != round.manifest) {
            let why = format!("production is no longer version {}", round.production);
            return self.refuse(Retraining { why, ..round.retraining.clone() });
        }
        let Retraining { round: number, cause, images, held_out, .. } = &round.retraining;
        self.tell(&Passed::Training(format!(
            "retraining {number}: {}, from version {}, on {images} images of feedback, judged by {held_out} others",
            cause.words(),
            round.production
        )))?;
        let sets = Round::images(&self.registry, *number)?;
        let more = more_images(&sets, round.share)?;
        let Some(finished) = self.train(round, more.clone())? else {
            return Ok(Passed::Waiting("stopped; it goes on when it is started again".into()));
        };
        let run = RunFolder::open(self.registry.files().clone(), &finished.run)?;
        let data = data_hash(&run.read_provenance()?.data.sha256);
        let retraining = Retraining { data, ..round.retraining.clone() };
        if finished.result.outcome == Outcome::Rejected {
            let reached = percent(finished.result.validation_accuracy);
            let why = format!("validation accuracy {reached} is below the gate of the study");
            return self.refuse(Retraining { why, ..retraining });
        }
        self.judge(round, &sets[2], more, &run, retraining)
    }

    /// Trains to the end, or goes on; nothing if it was stopped.
    fn train(&self, round: &Round, more: Option<MoreImages>) -> Result<Option<Finished>, CliError> {
        let path = round.study_file(&self.registry);
        let text = self.registry.files().read(&path, STUDY_BYTES_MAX).map_err(CliError::File)?;
        let text = String::from_utf8_lossy(&text).into_owned();
        let study = StudyDocument::new(path.display().to_string(), text);
        let mut view = View::new(self.silent()).setting(self.watchdog.begun());
        let ended = Launch::new(&study)
            .settings(self.settings(round))
            .more_images(more)
            .listener(&mut view)
            .stop(&self.stop)
            .run();
        view.close();
        Ok(match ended? {
            Ended::Finished(finished) => Some(finished),
            Ended::Stopped(_) => None,
        })
    }

    fn settings(&self, round: &Round) -> Settings {
        let runs = round.folder(&self.registry).join("runs");
        Settings { runs, resume: Resume::Auto, ..launch(self.common, Growth::On) }
    }

    /// What the training prints: nothing where standard output is for programs.
    pub(super) fn silent(&self) -> Output {
        Output { json: false, quiet: self.output.quiet || self.output.json, ..*self.output }
    }

    fn judge(
        &self,
        round: &Round,
        held_out: &HeldOut,
        more: Option<MoreImages>,
        run: &RunFolder,
        retraining: Retraining,
    ) -> Result<Passed, CliError> {
        let settings = self.settings(round);
        let workers = settings.workers()?;
        let _entered = workers.enter();
        let device = settings.device.open()?;
        let judged = match held_out.set.images {
            0 => None,
            _ => {
                let before = self.registry.version_folder(round.production);
                let before = right(&before, &device, held_out)?;
                let new = right(run.path(), &device, held_out)?;
                let before = (round.production, &before[..]);
                Some(self.registry.judge_feedback(round.accuracy, held_out, &new, before)?)
            }
        };
        let is_accepted = judged.as_ref().is_none_or(|judged| judged.accepted);
        let writer = writer(&self.registry, "burgeon retrain")?;
        let writer = writer.for_retraining(retraining.clone(), judged);
        if !is_accepted {
            return Ok(Passed::Decided(Box::new(writer.refuse(PRODUCTION)?)));
        }
        // One that was added before this process was killed is not added again.
        let mut version = None;
        for number in self.registry.versions()?.into_iter().rev() {
            let manifest = self.registry.manifest(number)?.0;
            version = version.or((Path::new(&manifest.run) == run.path()).then_some(number));
        }
        let version = match version {
            Some(version) => version,
            None => {
                let name = run.study_file().display().to_string();
                let study = StudyDocument::new(name, run.read_study()?).parse()?;
                let view = &mut View::new(self.silent());
                let loaded =
                    settings.load_recorded(run, &study, Split::Validation, view, &self.stop)?;
                let mut data = loaded.dataset;
                if let Some(more) = more {
                    let store = Store::of(study.data.cache.clone(), study.data.memory);
                    data = data.with_more(&more, &store)?;
                }
                let incoming = (retraining.cause == Cause::Drift).then_some(held_out);
                let draft = version_of(&self.registry, run, &device, &data, incoming)?;
                match writer.add(draft) {
                    Ok(added) => added.version,
                    Err(error @ (RegistryError::Seen { .. } | RegistryError::Unfit { .. })) => {
                        drop(writer);
                        return self.refuse(Retraining { why: error.to_string(), ..retraining });
                    }
                    Err(error) => return Err(error.into()),
                }
            }
        };
        let promotion = writer.promote(PRODUCTION, version, Force::No)?;
        if let Err(error) = writer.clear() {
            let error = crate::sys::error_chain(&error);
            self.output.warn(&format!("old versions were not cleared: {error}"));
        }
        Ok(Passed::Decided(Box::new(promotion.record)))
    }

    fn refuse(&self, retraining: Retraining) -> Result<Passed, CliError> {
        let writer = writer(&self.registry, "burgeon retrain")?.for_retraining(retraining, None);
        let record: Record = writer.refuse(PRODUCTION)?;
        Ok(Passed::Decided(Box::new(record)))
    }
}

/// What is trained on and validated by beside the study's data, if anything is.
fn more_images(
    [train, validation, _]: &[HeldOut; 3],
    share: f64,
) -> Result<Option<MoreImages>, DataError> {
    if train.set.images == 0 {
        return Ok(None);
    }
    let images =
        |set: &HeldOut| Images::of_shape(set.pixels.clone(), set.labels.clone(), set.set.shape);
    Ok(Some(MoreImages { train: images(train)?, validation: images(validation)?, share }))
}

/// Which of these images the model in a folder has right.
pub(super) fn right(
    folder: &Path,
    device: &OpenDevice,
    images: &HeldOut,
) -> Result<Vec<bool>, CliError> {
    let classifier = SavedModel::open(folder)?.classifier(&device.device)?;
    let rows: Vec<&[u8]> = (0..images.set.images).map(|at| images.image(at)).collect();
    let is_right = |(row, label): (Vec<f32>, &u16)| {
        let best = (0..row.len()).rev().max_by(|a, b| row[*a].total_cmp(&row[*b]));
        best == Some(usize::from(*label))
    };
    Ok(classifier.logits(&rows)?.into_iter().zip(&images.labels).map(is_right).collect())
}
