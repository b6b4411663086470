//! A trainer whose accuracies follow from the specs, for trials that run at the same time.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Mutex;
use std::time::Duration;

use burgeon::record::{Ending, Inherit};
use burgeon::spec::{InputShape, Policy, Spec};
use burgeon::study::StopFlag;
use burgeon::train::Flow;
use burgeon::unstable::study::{
    TestResult, Trainer, TrainerError, TrialObserver, TrialOutcome, TrialTask,
};

use super::{epoch, spec};

/// Trains nothing: accuracy is a number drawn from the trial's spec, and takes its time.
pub struct Field {
    /// Milliseconds that a trial takes, by its number.
    pub millis: fn(u32) -> u64,
    /// Raised while this trial trains.
    pub stop_in: Option<(u32, StopFlag)>,
    /// Trials that train now, and the most that ever did.
    pub at_work: Mutex<(usize, usize)>,
    pub stopped: Mutex<Vec<u32>>,
    /// Trials whose checkpoints were removed, by this trainer or one before it.
    pub removed: Mutex<BTreeSet<u32>>,
}

impl Field {
    pub fn of(millis: fn(u32) -> u64) -> Self {
        let (at_work, stopped) = (Mutex::default(), Mutex::default());
        Self { millis, stop_in: None, at_work, stopped, removed: Mutex::default() }
    }
}

impl Trainer for &Field {
    fn train(
        &self,
        task: &TrialTask,
        observer: &mut dyn TrialObserver,
    ) -> Result<TrialOutcome, TrainerError> {
        if let Some(parent) = task.parent.filter(|parent| parent.inherit != Inherit::Nothing) {
            let removed = self.removed.lock().unwrap();
            assert!(!removed.contains(&parent.trial), "trial {} has no parent left", task.trial);
        }
        {
            let (now, most) = &mut *self.at_work.lock().unwrap();
            *now += 1;
            *most = (*most).max(*now);
        }
        std::thread::sleep(Duration::from_millis((self.millis)(task.trial)));
        self.at_work.lock().unwrap().0 -= 1;
        if let Some((trial, stop)) = &self.stop_in
            && *trial == task.trial
        {
            stop.request();
        }
        let drawn = u32::from_str_radix(&task.spec.hash()[..6], 16).unwrap() % 700;
        let record = epoch(f64::from(drawn) / 1000.0);
        let ending = match observer.epoch(&record)? {
            Flow::Stop => {
                self.stopped.lock().unwrap().push(task.trial);
                Ending::Stopped
            }
            Flow::OutOfTime => Ending::OutOfTime,
            Flow::Continue => Ending::Completed,
        };
        let curve = vec![record];
        Ok(TrialOutcome { curve, ending, train_seconds: 2.0, images_per_second: 500.0 })
    }

    fn publish(&self, _: &TrialTask, _: &Path) -> Result<(), TrainerError> {
        Ok(())
    }

    fn test(&self, task: &TrialTask) -> Result<TestResult, TrainerError> {
        assert!(!self.removed.lock().unwrap().contains(&task.trial), "the best is gone");
        Ok(TestResult { correct: 81, images: 100 })
    }

    fn remove_checkpoints(&self, task: &TrialTask) -> Result<(), TrainerError> {
        self.removed.lock().unwrap().insert(task.trial);
        Ok(())
    }
}

pub fn parallel(policy: Policy, jobs: usize, gate: f64) -> Spec {
    let mut file = spec(14).file().clone();
    file.tune.policy = policy;
    file.tune.jobs = jobs;
    file.gate.accuracy = gate;
    Spec::new(file, InputShape::MNIST).unwrap()
}

pub const POLICIES: [Policy; 4] = [Policy::Grow, Policy::Random, Policy::Tpe, Policy::Asha];
