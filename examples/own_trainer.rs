//! Drives the loop with a trainer of one's own: here one that invents its accuracies.
//!
//! `cargo run --release --example own_trainer`

use std::path::Path;
use std::sync::Arc;

use burgeon::ledger::{Ledger, RunFolder};
use burgeon::record::{Ending, EpochRecord};
use burgeon::spec::{Conv, InputShape, Layer, Spec, StudyFile};
use burgeon::study::{
    Growth, Silent, Study, StudySetup, TestResult, Trainer, TrainerError, TrialObserver,
    TrialOutcome, TrialTask,
};
use burgeon::sys::files::RealFiles;
use burgeon::sys::signals::StopFlag;

/// Believes that accuracy grows with parameters.
struct Oracle;

impl Trainer for Oracle {
    fn train(
        &self,
        task: &TrialTask,
        observer: &mut dyn TrialObserver,
    ) -> Result<TrialOutcome, TrainerError> {
        let parameters = task.spec.table().parameters() as f64;
        let accuracy = 1.0 - 1.0 / parameters.log10();
        let record = EpochRecord {
            epoch: 1,
            train_loss: 1.0 - accuracy,
            train_accuracy: accuracy,
            validation_loss: 1.0 - accuracy,
            validation_accuracy: accuracy,
            learning_rate: task.spec.train().learning_rate,
            seconds: 0.0,
            images: 0,
            course: Vec::new(),
            probe: None,
            recalls: Vec::new(),
            given_up: None,
        };
        println!("trial {}: {parameters} parameters, {:.1} %", task.trial, accuracy * 100.0);
        observer.epoch(&record)?;
        Ok(TrialOutcome {
            curve: vec![record],
            ending: Ending::Completed,
            train_seconds: 0.0,
            images_per_second: 0.0,
        })
    }

    fn publish(&self, _task: &TrialTask, _folder: &Path) -> Result<(), TrainerError> {
        Ok(())
    }

    fn test(&self, _task: &TrialTask) -> Result<TestResult, TrainerError> {
        Ok(TestResult { correct: 80, images: 100 })
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut file = StudyFile::new("oracle", vec![Layer::Conv(Conv::same(1, 3))]);
    file.train.epochs = 1;
    file.gate.accuracy = 0.79;
    let setup = StudySetup {
        spec: Spec::new(file, InputShape::MNIST)?,
        validation_images: 100,
        growth: Growth::On,
    };
    let runs = tempfile::tempdir()?;
    let folder = RunFolder::create(Arc::new(RealFiles), runs.path(), "oracle")?;
    let ledger = Ledger::without_file();
    let mut silent = Silent;
    let ended = Study::new(setup, folder, ledger, Oracle, &mut silent, StopFlag::new()).run()?;
    println!("{ended:?}");
    Ok(())
}
