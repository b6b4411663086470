//! Executes the plan of a retraining up to its decision.

use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use jiff::Timestamp;

use super::images::correct_answers;
use super::plan::Plan;
use super::study::data_hash;
use super::{CheckOutcome, Retrainer};
use crate::cli::error::CliError;
use crate::cli::launch;
use crate::cli::output::Output;
use crate::cli::registry::{version_of, writer};
use crate::cli::view::{View, percent};
use crate::data::{DataError, Images, MoreImages, Split, Store};
use crate::ledger::RunFolder;
use crate::model::OpenDevice;
use crate::record::Outcome;
use crate::registry::{Force, HeldOut, Judgement, PRODUCTION, Record, RegistryError, Writer};
use crate::retrain::{Cause, Retraining};
use crate::spec::StudyDocument;
use crate::study::{Ended, Finished, Growth, Launch, Resume, Settings};
use crate::sys::turn::{TURNS_VARIABLE, Turn};

const STUDY_BYTES_MAX: u64 = 1 << 20;

impl Retrainer<'_> {
    /// Trains, judges, and promotes or refuses. Steps that were completed before this process was killed are not
    /// repeated.
    pub(super) fn execute(&self, plan: &Plan) -> Result<CheckOutcome, CliError> {
        let alias = self.registry.alias(PRODUCTION)?;
        if alias.is_none_or(|alias| alias.manifest != plan.manifest) {
            let why = format!("production is no longer version {}", plan.production);
            return self.refuse(Retraining { why, ..plan.retraining.clone() });
        }
        let Retraining { number, cause, images, held_out, .. } = &plan.retraining;
        let stopped = || {
            let why = "retraining was stopped; the next `burgeon retrain` resumes it";
            Ok(CheckOutcome::Waiting(why.into()))
        };
        let Some(_turn) = self.turn(plan)? else { return stopped() };
        let training = CheckOutcome::Training(format!(
            "retraining {number}: reason: {}; starts from version {}, trains on {images} feedback images, is judged on {held_out} others",
            cause.words(),
            plan.production
        ));
        self.tell_of(&training, Some(&plan.retraining))?;
        let sets = Plan::images(&self.registry, *number)?;
        let more = more_images(&sets, plan.share)?;
        let Some(finished) = self.train(plan, more.clone())? else { return stopped() };
        let run = RunFolder::open(self.registry.files().clone(), &finished.run)?;
        let data = data_hash(&run.read_provenance()?.data.sha256);
        let retraining = Retraining { data, ..plan.retraining.clone() };
        if finished.result.outcome == Outcome::Rejected {
            let reached = percent(finished.result.validation_accuracy);
            let why = format!("validation accuracy {reached} is below the gate of the study");
            return self.refuse(Retraining { why, ..retraining });
        }
        let retraining = Retraining { trained: Some(Timestamp::now()), ..retraining };
        self.judge(plan, &sets[2], more, &run, retraining)
    }

    /// Waits for one of the turns that a service shares among builds and retrainings; `None` if it was stopped. Without a
    /// service, it is always its turn.
    fn turn(&self, plan: &Plan) -> Result<Option<Option<Turn>>, CliError> {
        let turns = std::env::var(TURNS_VARIABLE).unwrap_or_default();
        let Some((turns, folder)) = turns.split_once(' ') else { return Ok(Some(None)) };
        let mut told = false;
        while self.stop.requested().is_none() {
            let taken = Turn::take(Path::new(folder), turns.parse().unwrap_or(1));
            if let Some(turn) = taken.map_err(CliError::Turn)? {
                return Ok(Some(Some(turn)));
            }
            if !told {
                let why = format!(
                    "retraining {} ({}) waits for its turn: no more builds and retrainings than {turns} run at the same time",
                    plan.retraining.number,
                    plan.retraining.cause.words()
                );
                self.tell_of(&CheckOutcome::Waiting(why), Some(&plan.retraining))?;
                told = true;
            }
            sleep(Duration::from_millis(200));
        }
        Ok(None)
    }

    /// Starts or resumes the training; `None` if it was stopped before its end.
    fn train(&self, plan: &Plan, more: Option<MoreImages>) -> Result<Option<Finished>, CliError> {
        let path = plan.study_file(&self.registry);
        let text = self.registry.files().read(&path, STUDY_BYTES_MAX).map_err(CliError::File)?;
        let text = String::from_utf8_lossy(&text).into_owned();
        let study = StudyDocument::new(path.display().to_string(), text);
        let mut view = View::new(self.training_output()).setting(self.watchdog.begun());
        let ended = Launch::new(&study)
            .settings(self.settings(plan))
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

    fn settings(&self, plan: &Plan) -> Settings {
        let runs = plan.folder(&self.registry).join("runs");
        Settings { runs, resume: Resume::Auto, ..launch(self.common, Growth::On) }
    }

    /// Where the training prints: nowhere if standard output is JSON.
    pub(super) fn training_output(&self) -> Output {
        Output { json: false, quiet: self.output.quiet || self.output.json, ..*self.output }
    }

    /// Judges the trained network, and promotes it or refuses it.
    fn judge(
        &self,
        plan: &Plan,
        held_out: &HeldOut,
        more: Option<MoreImages>,
        run: &RunFolder,
        retraining: Retraining,
    ) -> Result<CheckOutcome, CliError> {
        let settings = self.settings(plan);
        let workers = settings.workers()?;
        let _entered = workers.enter();
        let device = settings.device.open()?;
        let judged = self.judge_on_feedback(plan, held_out, run, &device)?;
        let is_accepted = judged.as_ref().is_none_or(|judged| judged.accepted);
        let writer = writer(&self.registry, "burgeon retrain")?;
        let writer = writer.for_retraining(retraining.clone(), judged);
        if !is_accepted {
            return Ok(CheckOutcome::Decided(Box::new(writer.refuse(PRODUCTION)?)));
        }
        let version = match self.version_from(run.path())? {
            // It was added before an earlier process was killed.
            Some(version) => version,
            None => {
                let incoming = (retraining.cause == Cause::Drift).then_some(held_out);
                match self.add_version(&writer, &settings, run, &device, more, incoming) {
                    Ok(version) => version,
                    Err(CliError::Registry(
                        error @ (RegistryError::Seen { .. } | RegistryError::Unfit { .. }),
                    )) => {
                        drop(writer);
                        return self.refuse(Retraining { why: error.to_string(), ..retraining });
                    }
                    Err(error) => return Err(error),
                }
            }
        };
        let promotion = writer.promote(PRODUCTION, version, Force::No)?;
        if let Err(error) = writer.clear() {
            let error = crate::sys::error_chain(&error);
            self.output.warn(&format!("cannot remove old versions: {error}"));
        }
        Ok(CheckOutcome::Decided(Box::new(promotion.record)))
    }

    /// Judges the trained network on held-out feedback, against the version in production; `None` without such feedback.
    fn judge_on_feedback(
        &self,
        plan: &Plan,
        held_out: &HeldOut,
        run: &RunFolder,
        device: &OpenDevice,
    ) -> Result<Option<Judgement>, CliError> {
        if held_out.set.images == 0 {
            return Ok(None);
        }
        let before = self.registry.version_folder(plan.production);
        let before = correct_answers(&before, device, held_out)?;
        let new = correct_answers(run.path(), device, held_out)?;
        let before = (plan.production, &before[..]);
        Ok(Some(self.registry.judge_feedback(plan.accuracy, held_out, &new, before)?))
    }

    /// The newest version that was added from a run.
    fn version_from(&self, run: &Path) -> Result<Option<u64>, CliError> {
        for number in self.registry.versions()?.into_iter().rev() {
            let manifest = self.registry.manifest(number)?.0;
            if Path::new(&manifest.run) == run {
                return Ok(Some(number));
            }
        }
        Ok(None)
    }

    /// Adds the trained network to the registry as a new version. `incoming` are images like those that it will be asked
    /// about, where those differ from its training images.
    fn add_version(
        &self,
        writer: &Writer,
        settings: &Settings,
        run: &RunFolder,
        device: &OpenDevice,
        more: Option<MoreImages>,
        incoming: Option<&HeldOut>,
    ) -> Result<u64, CliError> {
        let name = run.study_file().display().to_string();
        let study = StudyDocument::new(name, run.read_study()?).parse()?;
        let view = &mut View::new(self.training_output());
        let loaded = settings.load_recorded(run, &study, Split::Validation, view, &self.stop)?;
        let mut data = loaded.dataset;
        if let Some(more) = more {
            let store = Store::of(study.data.cache.clone(), study.data.memory);
            data = data.with_more(&more, &store)?;
        }
        let draft = version_of(&self.registry, run, device, &data, incoming)?;
        Ok(writer.add(draft)?.version)
    }

    fn refuse(&self, retraining: Retraining) -> Result<CheckOutcome, CliError> {
        let writer = writer(&self.registry, "burgeon retrain")?.for_retraining(retraining, None);
        let record: Record = writer.refuse(PRODUCTION)?;
        Ok(CheckOutcome::Decided(Box::new(record)))
    }
}

/// Feedback images to train and validate on besides the study's data; `None` if there are none.
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
