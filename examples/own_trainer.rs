//! Runs a study with your own trainer, here one that trains nothing and computes an accuracy from the number
//! of parameters.
//!
//! `cargo run --profile quick --example own_trainer`

use burgeon::prelude::*;

type Result<T> = std::result::Result<T, TrainerError>;

struct Oracle;

impl Trainer for Oracle {
    fn train(&self, task: &TrialTask, observer: &mut dyn TrialObserver) -> Result<TrialOutcome> {
        let accuracy = 1.0 - 1.0 / (task.spec.table().parameters() as f64).log10();
        let epoch = EpochRecord { epoch: 1, images: 55_000, ..EpochRecord::default() };
        let epoch = EpochRecord { train_accuracy: accuracy, train_loss: -accuracy.ln(), ..epoch };
        let curve = vec![EpochRecord { validation_accuracy: accuracy, ..epoch }];
        observer.epoch(&curve[0])?;
        println!("trial {}: {:.1} %", task.trial, accuracy * 100.0);
        let ending = Ending::Completed;
        Ok(TrialOutcome { curve, ending, train_seconds: 0.0, images_per_second: 0.0 })
    }

    fn publish(&self, _task: &TrialTask, _folder: &std::path::Path) -> Result<()> {
        Ok(())
    }

    fn test(&self, _task: &TrialTask) -> Result<TestResult> {
        Ok(TestResult { correct: 80, images: 100 })
    }
}

fn main() -> Result<()> {
    let image = |label: u8| Images::new([[0_u8; 64], [255; 64]].concat(), vec![0, label], 8, 8);
    let mut study = StudyFile::new("oracle", vec![Layer::Conv(Conv::same(1, 3))]);
    study.gate.accuracy = 0.6;
    let (runs, data) = (tempfile::tempdir()?, Dataset::new(image(1)?, image(1)?, image(1)?, 2)?);
    println!("{:?}", Launch::new(study).data(data).trainer(Oracle).runs(runs.path()).run()?);
    Ok(())
}
