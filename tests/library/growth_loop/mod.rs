//! The loop with trainers that train nothing.

mod checkpoints;
mod extended;
mod field;
mod folds;
mod own_policy;
mod parallel;
mod playback;
mod sequence;

use std::sync::Arc;

use burgeon::record::{EpochRecord, StudyResult};
use burgeon::spec::{Conv, Edit, InputShape, Layer, Pool, Spec, StudyFile};
use burgeon::study::StopFlag;
use burgeon::unstable::ledger::{Event, Ledger, RunFolder, Verdict, read};
use burgeon::unstable::study::{
    Ended, Extension, Growth, Silent, Study, StudyError, StudySetup, Trainer,
};
use burgeon::unstable::sys::clock::RealClock;
use burgeon::unstable::sys::fence::Fence;
use burgeon::unstable::sys::files::RealFiles;

fn epoch(accuracy: f64) -> EpochRecord {
    EpochRecord {
        epoch: 1,
        train_loss: 1.0,
        train_accuracy: accuracy,
        validation_loss: 1.0,
        validation_accuracy: accuracy,
        learning_rate: 0.001,
        seconds: 2.0,
        images: 55_000,
        course: Vec::new(),
        probe: None,
        recalls: Vec::new(),
        given_up: None,
        evaluation_seconds: None,
    }
}

fn spec(trials: usize) -> Spec {
    let layers = vec![Layer::Conv(Conv::same(1, 3)), Layer::MaxPool(Pool::of(4))];
    let mut file = StudyFile::new("loop", layers);
    file.tune.trials = trials;
    file.train.epochs = 1;
    Spec::new(file, InputShape::MNIST).unwrap()
}

struct Run {
    _runs: tempfile::TempDir,
    folder: RunFolder,
}

impl Run {
    fn new() -> Self {
        let runs = tempfile::tempdir().unwrap();
        let folder = RunFolder::create(Arc::new(RealFiles), runs.path(), "loop").unwrap();
        Self { _runs: runs, folder }
    }

    fn study(
        &self,
        spec: &Spec,
        trainer: impl Trainer,
        growth: Growth,
        stop: &StopFlag,
    ) -> Result<Ended, StudyError> {
        let setup = StudySetup {
            spec: spec.clone(),
            training_images: 55_000,
            validation_images: 5000,
            growth,
        };
        let clock = Arc::new(RealClock::default());
        let ledger =
            Ledger::open(&RealFiles, &self.folder.events_file(), Fence::none(), clock).unwrap();
        Study::new(setup, self.folder.clone(), ledger, trainer, &mut Silent, stop.clone()).run()
    }

    /// Extends a study that is over, or goes on with an extension that was begun.
    fn extend(
        &self,
        spec: &Spec,
        trainer: impl Trainer,
        extension: Extension,
        stop: &StopFlag,
    ) -> Result<Ended, StudyError> {
        let setup = StudySetup {
            spec: spec.clone(),
            training_images: 55_000,
            validation_images: 5000,
            growth: Growth::On,
        };
        let clock = Arc::new(RealClock::default());
        let ledger =
            Ledger::open(&RealFiles, &self.folder.events_file(), Fence::none(), clock).unwrap();
        let mut silent = Silent;
        let mut study =
            Study::new(setup, self.folder.clone(), ledger, trainer, &mut silent, stop.clone());
        study.extend(extension)?;
        study.run()
    }

    fn extended(&self, spec: &Spec, trainer: impl Trainer, extension: Extension) -> StudyResult {
        match self.extend(spec, trainer, extension, &StopFlag::new()).unwrap() {
            Ended::Finished(finished) => finished.result,
            Ended::Stopped(_) => panic!("nobody asked to stop"),
        }
    }

    fn finish(&self, spec: &Spec, trainer: impl Trainer) -> StudyResult {
        match self.study(spec, trainer, Growth::On, &StopFlag::new()).unwrap() {
            Ended::Finished(finished) => finished.result,
            Ended::Stopped(_) => panic!("nobody asked to stop"),
        }
    }

    fn events(&self) -> Vec<Event> {
        let records = read(&RealFiles, &self.folder.events_file()).unwrap();
        records.into_iter().map(|recorded| recorded.event).collect()
    }

    fn verdicts(&self) -> Vec<Verdict> {
        self.events()
            .iter()
            .filter_map(|event| match event {
                Event::GateDecided { decision, .. } => Some(*decision),
                _ => None,
            })
            .collect()
    }

    fn edits(&self) -> Vec<Vec<Edit>> {
        self.events()
            .iter()
            .filter_map(|event| match event {
                Event::TrialStarted { edits, .. } => Some(edits.clone()),
                _ => None,
            })
            .collect()
    }
}
