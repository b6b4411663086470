//! Cross-validation of a trial: a network for each fold, trained as the trial was on the images of the other folds, and
//! measured on that fold.
//!
//! The trial itself is the network of the first fold, the validation split. For the others, nothing is chosen by the
//! images of the fold: each is trained for as many epochs as the trial, and measured after the epoch that was the
//! trial's best.
//!
//! Invariant: no network for a fold has anything from images of that fold. A trial that inherits weights inherits them, in
//! each fold, from its parent's network for the same fold, because the parent itself was trained on images of all folds
//! but the first. Where the parent has no such network, because its own cross-validation ended early or its
//! checkpoints are gone, that is trained first, and so on up to a trial that inherits nothing.

use std::path::PathBuf;
use std::sync::PoisonError;
use std::sync::atomic::AtomicBool;

use super::deadline::Deadline;
use super::observer::FoldRecorder;
use super::recorded::{Forebear, RecordedStudy, recorded_folds};
use super::run::Study;
use super::setup::StudyError;
use super::trainer::{Parent, Trainer, TrialOutcome, TrialTask};
use crate::gate::is_within_reach;
use crate::ledger::{Appended, Event};
use crate::record::{ClassRecall, CrossValidation, Ending, EpochRecord, FoldResult};
use crate::tune::TrialRecord;

/// Folder of the networks for folds within a trial's own.
pub(super) const FOLDS: &str = "folds";

/// How the cross-validation of a trial ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FoldsEnd {
    /// Every fold was measured, or as many as it takes to know that the trial does not pass; none, if the trainer
    /// trains no folds.
    Done,
    /// A stop was requested.
    Stopped,
    /// A time limit passed.
    OutOfTime,
}

/// How the training of a fold's network ended.
enum FoldEnd {
    Trained(TrialOutcome),
    /// The network, or one that it inherits from, diverged.
    Diverged,
    Stopped,
    OutOfTime,
    /// The trainer trains no folds.
    Unsupported,
}

impl<T: Trainer> Study<'_, T> {
    /// Measures the folds of a trial that was trained to its end, and adds them to its record.
    ///
    /// # Errors
    ///
    /// When the trainer fails or something cannot be recorded.
    pub(super) fn measure_folds(
        &self,
        record: &mut TrialRecord,
        deadline: Option<&Deadline>,
        over: &AtomicBool,
    ) -> Result<FoldsEnd, StudyError> {
        let has_ended = matches!(record.ending, Ending::Completed | Ending::StoppedEarly);
        let (Some(folds), Some(first), true) =
            (record.spec.gate().folds, self.first_fold(record), has_ended)
        else {
            return Ok(FoldsEnd::Done);
        };
        let trial = record.trial;
        let (known, descent) = {
            let study_record = self.study_record();
            let records = study_record.ledger.records();
            let study = RecordedStudy::read(&self.setup, records)?;
            (recorded_folds(records, trial), study.descent(trial, &record.curve)?)
        };
        let gate = *record.spec.gate();
        let mut measured = vec![first];
        let mut is_told = false;
        for fold in 2..=folds as u32 {
            let so_far = CrossValidation::of(&measured);
            if so_far.is_some_and(|folds| !is_within_reach(&gate, &folds)) {
                break;
            }
            let found = known.iter().find(|known| known.fold == fold);
            let result = match found {
                Some(known) => known.clone(),
                None => {
                    let mut recorder = FoldRecorder {
                        study_record: &self.study_record,
                        stop: &self.stop,
                        over,
                        trial,
                        fold,
                        last_epoch: record.curve.last().map_or(0, |last| last.epoch),
                        deadline,
                    };
                    match self.train_fold(&descent, fold, &mut recorder)? {
                        FoldEnd::Trained(outcome) => self.result(record, fold, folds, &outcome),
                        FoldEnd::Diverged => self.nothing_right(record, fold, folds),
                        FoldEnd::Stopped => return Ok(FoldsEnd::Stopped),
                        FoldEnd::Unsupported => return Ok(FoldsEnd::Done),
                        FoldEnd::OutOfTime => {
                            self.tell(trial, &measured)?;
                            record.add_folds(measured);
                            return Ok(FoldsEnd::OutOfTime);
                        }
                    }
                }
            };
            if !std::mem::replace(&mut is_told, true) {
                self.tell(trial, &measured)?;
            }
            self.tell(trial, std::slice::from_ref(&result))?;
            measured.push(result);
        }
        if !is_told {
            self.tell(trial, &measured)?;
        }
        record.add_folds(measured);
        Ok(FoldsEnd::Done)
    }

    /// Records folds that are not recorded yet.
    fn tell(&self, trial: u32, results: &[FoldResult]) -> Result<(), StudyError> {
        let mut study_record = self.study_record();
        for result in results {
            let event = Event::of_fold(trial, result);
            if study_record.ledger.append_once(event)? == Appended::Now {
                study_record.listener.fold_ended(trial, result);
            }
        }
        Ok(())
    }

    /// The first fold, which the trial itself is measured on; `None` if it finished no epoch.
    fn first_fold(&self, record: &TrialRecord) -> Option<FoldResult> {
        let (folds, best) = (record.spec.gate().folds?, record.best()?);
        let epochs = record.curve.len();
        Some(self.figures(best, (1, folds), epochs, record.train_seconds))
    }

    /// What the network of a fold came to: the record of the trial's best epoch.
    fn result(
        &self,
        record: &TrialRecord,
        fold: u32,
        folds: usize,
        outcome: &TrialOutcome,
    ) -> FoldResult {
        let judged = record.best().map(|best| best.epoch);
        let epoch = outcome.curve.iter().find(|epoch| Some(epoch.epoch) == judged);
        match epoch.filter(|_| outcome.ending != Ending::Diverged) {
            Some(epoch) => {
                let epochs = outcome.curve.len();
                self.figures(epoch, (fold, folds), epochs, outcome.train_seconds)
            }
            None => FoldResult {
                epochs: outcome.curve.len() as u32,
                seconds: outcome.train_seconds,
                ..self.nothing_right(record, fold, folds)
            },
        }
    }

    /// A fold of which no image is classified correctly, as its network diverged.
    fn nothing_right(&self, record: &TrialRecord, fold: u32, folds: usize) -> FoldResult {
        let of_first = record.best().map_or(&[][..], |best| &best.recalls);
        let recalls = of_first.iter().map(|class| ClassRecall { right: 0, ..*class });
        let wrong = EpochRecord { recalls: recalls.collect(), ..EpochRecord::default() };
        self.figures(&wrong, (fold, folds), 0, 0.0)
    }

    /// The figures of an epoch; of a trainer that does not count the images of each class, those of the validation split
    /// stand for the fold's.
    fn figures(
        &self,
        epoch: &EpochRecord,
        (fold, folds): (u32, usize),
        epochs: usize,
        seconds: f64,
    ) -> FoldResult {
        let recalls = &epoch.recalls;
        let (images, correct) = match recalls.as_slice() {
            [] => {
                let images = self.setup.validation_images as u64;
                let correct = epoch.validation_accuracy.clamp(0.0, 1.0) * images as f64;
                (images, correct.round() as u64)
            }
            of_classes => (
                of_classes.iter().map(|class| class.images).sum(),
                of_classes.iter().map(|class| class.right).sum(),
            ),
        };
        FoldResult {
            fold,
            folds: folds as u32,
            images,
            correct,
            recalls: recalls.clone(),
            epochs: epochs as u32,
            seconds,
        }
    }

    /// Trains the network of the first of a line of descent for a fold, after those that it inherits from.
    fn train_fold(
        &self,
        descent: &[Forebear],
        fold: u32,
        recorder: &mut FoldRecorder,
    ) -> Result<FoldEnd, StudyError> {
        let Some((own, elders)) = descent.split_first() else { return Ok(FoldEnd::Unsupported) };
        if !elders.is_empty() {
            // Another trial that runs at the same time may inherit from the same ones.
            let _alone = self.elders.lock().unwrap_or_else(PoisonError::into_inner);
            let mut missing = elders.len();
            for (place, elder) in elders.iter().enumerate() {
                if self.has_fold(elder, fold)? {
                    missing = place;
                    break;
                }
            }
            for elder in elders[..missing].iter().rev() {
                recorder.last_epoch = elder.curve.last().map_or(0, |last| last.epoch);
                match self.train_for(elder, fold, recorder)? {
                    FoldEnd::Trained(_) => {}
                    other => return Ok(other),
                }
            }
        }
        recorder.last_epoch = own.curve.last().map_or(0, |last| last.epoch);
        self.train_for(own, fold, recorder)
    }

    fn has_fold(&self, of: &Forebear, fold: u32) -> Result<bool, StudyError> {
        let has = self.with_task(of, fold, |task| self.trainer.has_fold(task, fold, &of.curve));
        has.map_err(|source| StudyError::Trainer { trial: of.trial, source })
    }

    fn train_for(
        &self,
        of: &Forebear,
        fold: u32,
        recorder: &mut FoldRecorder,
    ) -> Result<FoldEnd, StudyError> {
        let train = |task: &TrialTask| self.trainer.train_fold(task, fold, &of.curve, recorder);
        let outcome = self.with_task(of, fold, train);
        let outcome = outcome.map_err(|source| StudyError::Trainer { trial: of.trial, source })?;
        Ok(match outcome {
            None => FoldEnd::Unsupported,
            Some(outcome) => match outcome.ending {
                Ending::Stopped => FoldEnd::Stopped,
                Ending::OutOfTime => FoldEnd::OutOfTime,
                Ending::Diverged => FoldEnd::Diverged,
                Ending::Completed | Ending::StoppedEarly | Ending::GivenUp => {
                    FoldEnd::Trained(outcome)
                }
            },
        })
    }

    /// The task of training a trial's network for a fold.
    fn with_task<R>(&self, of: &Forebear, fold: u32, then: impl FnOnce(&TrialTask) -> R) -> R {
        let folder = self.fold_folder(of.trial, fold);
        let parent_folder = of.parent.as_ref().map(|parent| self.fold_folder(parent.trial, fold));
        let parent = of.parent.as_ref().zip(parent_folder.as_deref());
        let parent = parent.map(|(parent, folder)| Parent {
            trial: parent.trial,
            spec: &parent.spec,
            folder,
            edits: &parent.edits,
            inherit: parent.inherit,
        });
        then(&TrialTask { trial: of.trial, spec: &of.spec, parent, folder: &folder })
    }

    fn fold_folder(&self, trial: u32, fold: u32) -> PathBuf {
        self.folder.trial(trial).path().join(FOLDS).join(fold.to_string())
    }
}

impl TrialRecord {
    /// Adds the folds that were measured, the first one of which is the trial itself.
    fn add_folds(&mut self, measured: Vec<FoldResult>) {
        self.train_seconds += measured.iter().skip(1).map(|fold| fold.seconds).sum::<f64>();
        self.folds = measured;
    }
}
