//! A trainer that plays back accuracies.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::Mutex;

use burgeon::record::Ending;
use burgeon::study::StopFlag;
use burgeon::train::Flow;
use burgeon::unstable::study::{
    TestResult, Trainer, TrainerError, TrialObserver, TrialOutcome, TrialTask,
};

use super::epoch;

/// Trains nothing: plays back accuracies, one a trial.
#[derive(Default)]
pub struct Playback {
    pub accuracies: Mutex<VecDeque<f64>>,
    pub trained: Mutex<Vec<u32>>,
    pub published: Mutex<Vec<u32>>,
    pub tested: Mutex<Vec<u32>>,
    pub removed: Mutex<Vec<u32>>,
    pub stop_in: Option<(u32, StopFlag)>,
}

impl Playback {
    pub fn of(accuracies: &[f64]) -> Self {
        Self { accuracies: Mutex::new(accuracies.iter().copied().collect()), ..Self::default() }
    }
}

/// What a trainer was asked for.
pub fn asked(trials: &Mutex<Vec<u32>>) -> Vec<u32> {
    trials.lock().unwrap().clone()
}

impl Trainer for &Playback {
    fn train(
        &self,
        task: &TrialTask,
        observer: &mut dyn TrialObserver,
    ) -> Result<TrialOutcome, TrainerError> {
        if let Some((trial, stop)) = &self.stop_in
            && *trial == task.trial
        {
            stop.request();
        }
        let accuracy = self.accuracies.lock().unwrap().pop_front();
        let accuracy = accuracy.ok_or("the playback is over")?;
        let record = epoch(accuracy);
        self.trained.lock().unwrap().push(task.trial);
        let flow = observer.epoch(&record)?;
        let ending = match flow {
            Flow::Stop => Ending::Stopped,
            Flow::OutOfTime => Ending::OutOfTime,
            Flow::Continue if accuracy.is_nan() => Ending::Diverged,
            Flow::Continue => Ending::Completed,
        };
        Ok(TrialOutcome {
            curve: vec![record],
            ending,
            train_seconds: 2.0,
            images_per_second: 500.0,
        })
    }

    fn publish(&self, task: &TrialTask, _folder: &Path) -> Result<(), TrainerError> {
        self.published.lock().unwrap().push(task.trial);
        Ok(())
    }

    fn remove_checkpoints(&self, task: &TrialTask) -> Result<(), TrainerError> {
        self.removed.lock().unwrap().push(task.trial);
        Ok(())
    }

    fn test(&self, task: &TrialTask) -> Result<TestResult, TrainerError> {
        self.tested.lock().unwrap().push(task.trial);
        Ok(TestResult { correct: 81, images: 100 })
    }
}
