//! Cross-validation, with a trainer that makes up what each network gets right.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use burgeon::record::{ClassRecall, Ending, EpochRecord, Inherit, StudyResult};
use burgeon::spec::{Edit, InputShape, Policy, Spec};
use burgeon::study::StopFlag;
use burgeon::train::Flow;
use burgeon::tune::{Proposal, TrialRecord};
use burgeon::unstable::ledger::{Event, Ledger, Outcome, Verdict, read, uninterrupted};
use burgeon::unstable::study::{
    Ended, Growth, Silent, Study, StudySetup, TestResult, Trainer, TrainerError, TrialObserver,
    TrialOutcome, TrialTask,
};
use burgeon::unstable::sys::clock::RealClock;
use burgeon::unstable::sys::fence::Fence;
use burgeon::unstable::sys::files::RealFiles;

use super::playback::Playback;
use super::{Run, epoch, spec};

const IMAGES: u64 = 40;

/// Trains nothing: says what the network of a trial gets right of a fold.
struct Folded {
    /// By trial and fold; NaN diverges.
    accuracy: fn(u32, u32) -> f64,
    /// What was trained, in order.
    asked: Mutex<Vec<String>>,
    /// The networks for folds that are there.
    there: Mutex<BTreeSet<(u32, u32)>>,
    stop_in: Option<(u32, u32, StopFlag)>,
    millis: fn(u32) -> u64,
}

impl Folded {
    fn of(accuracy: fn(u32, u32) -> f64) -> Self {
        let (asked, there) = (Mutex::default(), Mutex::default());
        Self { accuracy, asked, there, stop_in: None, millis: |_| 0 }
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }

    fn train(
        &self,
        task: &TrialTask,
        fold: u32,
        observer: &mut dyn TrialObserver,
    ) -> Result<TrialOutcome, TrainerError> {
        std::thread::sleep(Duration::from_millis((self.millis)(task.trial)));
        if let Some((trial, at, stop)) = &self.stop_in
            && (*trial, *at) == (task.trial, fold)
        {
            stop.request();
        }
        let accuracy = (self.accuracy)(task.trial, fold);
        let right = (accuracy.clamp(0.0, 1.0) * IMAGES as f64) as u64;
        let record =
            EpochRecord { recalls: vec![ClassRecall { right, images: IMAGES }], ..epoch(accuracy) };
        let ending = match observer.epoch(&record)? {
            Flow::Stop => Ending::Stopped,
            Flow::OutOfTime => Ending::OutOfTime,
            Flow::Continue if accuracy.is_nan() => Ending::Diverged,
            Flow::Continue => Ending::Completed,
        };
        let curve = vec![record];
        Ok(TrialOutcome { curve, ending, train_seconds: 2.0, images_per_second: 500.0 })
    }
}

impl Trainer for &Folded {
    fn train(
        &self,
        task: &TrialTask,
        observer: &mut dyn TrialObserver,
    ) -> Result<TrialOutcome, TrainerError> {
        self.asked.lock().unwrap().push(format!("trial {}", task.trial));
        Folded::train(self, task, 1, observer)
    }

    fn train_fold(
        &self,
        task: &TrialTask,
        fold: u32,
        trained: &[EpochRecord],
        observer: &mut dyn TrialObserver,
    ) -> Result<Option<TrialOutcome>, TrainerError> {
        assert_eq!(trained.len(), 1, "the trial's own epochs");
        let folder = format!("folds/{fold}");
        assert!(task.folder.ends_with(&folder), "{:?}", task.folder);
        let mut asked = format!("fold {fold} of {}", task.trial);
        if let Some(parent) = task.parent.filter(|parent| parent.inherit != Inherit::Nothing) {
            assert!(parent.folder.ends_with(&folder), "{:?}", parent.folder);
            let key = (parent.trial, fold);
            assert!(self.there.lock().unwrap().contains(&key), "{asked}: there is no {key:?}");
            asked += &format!(" from {}", parent.trial);
        }
        self.asked.lock().unwrap().push(asked);
        let outcome = Folded::train(self, task, fold, observer)?;
        if outcome.ending == Ending::Completed {
            self.there.lock().unwrap().insert((task.trial, fold));
        }
        Ok(Some(outcome))
    }

    fn has_fold(
        &self,
        task: &TrialTask,
        fold: u32,
        _: &[EpochRecord],
    ) -> Result<bool, TrainerError> {
        Ok(self.there.lock().unwrap().contains(&(task.trial, fold)))
    }

    fn publish(&self, _: &TrialTask, _: &Path) -> Result<(), TrainerError> {
        Ok(())
    }

    fn remove_checkpoints(&self, task: &TrialTask) -> Result<(), TrainerError> {
        self.there.lock().unwrap().retain(|(trial, _)| *trial != task.trial);
        Ok(())
    }

    fn test(&self, _: &TrialTask) -> Result<TestResult, TrainerError> {
        Ok(TestResult { correct: 81, images: 100 })
    }
}

fn folded(trials: usize, folds: usize) -> Spec {
    let mut file = spec(trials).file().clone();
    file.gate.folds = Some(folds);
    Spec::new(file, InputShape::MNIST).unwrap()
}

/// Every trial trains longer, with its parent's weights.
struct Longer;

impl burgeon::tune::Policy for Longer {
    fn propose(&self, history: &[TrialRecord], running: &[Proposal]) -> Option<Proposal> {
        let edits = vec![Edit::AddEpochs { epochs: 1 + running.len() }];
        Proposal::new(history.last()?, edits, "longer", Inherit::Weights).ok()
    }

    fn may_grow_from(&self, trial: &TrialRecord, history: &[TrialRecord]) -> bool {
        history.last().is_none_or(|last| last.trial == trial.trial)
    }
}

fn longer(run: &Run, spec: &Spec, trainer: &Folded, stop: &StopFlag) -> Ended {
    let setup = StudySetup {
        spec: spec.clone(),
        training_images: IMAGES as usize,
        validation_images: IMAGES as usize,
        growth: Growth::On,
    };
    let clock = Arc::new(RealClock::default());
    let ledger = Ledger::open(&RealFiles, &run.folder.events_file(), Fence::none(), clock).unwrap();
    let (mut silent, folder) = (Silent, run.folder.clone());
    let study = Study::new(setup, folder, ledger, trainer, &mut silent, stop.clone());
    study.with_policy(Box::new(Longer)).run().unwrap()
}

fn result(ended: Ended) -> StudyResult {
    match ended {
        Ended::Finished(finished) => finished.result,
        Ended::Stopped(_) => panic!("nobody asked to stop"),
    }
}

fn finish(run: &Run, spec: &Spec, trainer: &Folded) -> StudyResult {
    result(longer(run, spec, trainer, &StopFlag::new()))
}

/// The trial, the fold and the correctly classified images of each fold in the record.
fn measured(run: &Run) -> Vec<(u32, u32, u64)> {
    let folds = run.events().into_iter().filter_map(|event| match event {
        Event::FoldFinished { trial, fold, correct, .. } => Some((trial, fold, correct)),
        _ => None,
    });
    folds.collect()
}

#[test]
fn a_trial_is_accepted_by_what_all_its_folds_get_right() {
    let run = Run::new();
    let trainer = Folded::of(|_, fold| if fold == 1 { 0.70 } else { 0.85 });
    let finished = finish(&run, &folded(3, 4), &trainer);
    assert_eq!(trainer.asked(), ["trial 1", "fold 2 of 1", "fold 3 of 1", "fold 4 of 1"]);
    // The first fold alone, 28 of 40, is below the gate of 80 %.
    assert_eq!((finished.outcome, finished.trials), (Outcome::Accepted, 1));
    assert_eq!(finished.validation_accuracy, 130.0 / 160.0);
    assert_eq!(std::fs::read_to_string(run.folder.accuracy_file()).unwrap().trim(), "0.8125");
    assert_eq!(measured(&run), [(1, 1, 28), (1, 2, 34), (1, 3, 34), (1, 4, 34)]);
    let names: Vec<String> = run.events().iter().map(|event| event.name().to_owned()).collect();
    let expected = [
        "trial_started",
        "epoch_finished",
        "fold_finished",
        "fold_finished",
        "fold_finished",
        "fold_finished",
        "trial_finished",
        "gate_decided",
        "study_finished",
    ];
    assert_eq!(names, expected);
    for event in run.events() {
        if let Event::TrialFinished { validation_accuracy, train_seconds, .. } = event {
            assert_eq!((validation_accuracy, train_seconds), (0.8125, 8.0));
        }
    }
}

#[test]
fn luck_on_the_validation_split_does_not_pass() {
    let run = Run::new();
    let trainer = Folded::of(|_, fold| if fold == 1 { 0.9 } else { 0.75 });
    let finished = finish(&run, &folded(1, 5), &trainer);
    assert_eq!((finished.outcome, finished.validation_accuracy), (Outcome::Rejected, 0.78));
}

#[test]
fn no_fold_is_trained_once_the_gate_is_out_of_reach() {
    let run = Run::new();
    let trainer = Folded::of(|trial, fold| match (trial, fold) {
        (1, _) => 0.5,
        (2, 1) => 0.8,
        (2, _) => 0.4,
        _ => 0.9,
    });
    let finished = finish(&run, &folded(3, 5), &trainer);
    assert_eq!((finished.outcome, finished.best_trial), (Outcome::Accepted, Some(3)));
    let of = |trial| measured(&run).into_iter().filter(move |(of, ..)| *of == trial).count();
    // One fold with half of 40, then 32 and 16 of 80.
    assert_eq!([1, 2, 3].map(of), [1, 2, 5]);
    assert_eq!(run.verdicts(), [Verdict::Continue, Verdict::Continue, Verdict::Accept]);
}

#[test]
fn weights_are_inherited_from_networks_that_never_saw_the_fold() {
    let run = Run::new();
    let trainer = Folded::of(|trial, _| if trial < 3 { 0.5 } else { 0.9 });
    finish(&run, &folded(4, 3), &trainer);
    // What the ancestors lack, as they were out of reach, is trained first, the oldest first.
    assert_eq!(
        trainer.asked(),
        [
            "trial 1",
            "trial 2",
            "trial 3",
            "fold 2 of 1",
            "fold 2 of 2 from 1",
            "fold 2 of 3 from 2",
            "fold 3 of 1",
            "fold 3 of 2 from 1",
            "fold 3 of 3 from 2",
        ]
    );
    // It is no measurement of theirs: they were judged before.
    assert_eq!(measured(&run).iter().filter(|(trial, ..)| *trial < 3).count(), 2);
}

#[test]
fn what_an_ancestor_has_is_not_trained_again() {
    let run = Run::new();
    let trainer = Folded::of(|trial, fold| match (trial, fold) {
        (1, 1..=2) => 0.78,
        (1, _) => 0.2,
        _ => 0.9,
    });
    finish(&run, &folded(2, 4), &trainer);
    let again = trainer.asked().iter().filter(|asked| *asked == "fold 2 of 1").count();
    assert_eq!(again, 1);
    let last = trainer.asked();
    assert_eq!(last[last.len() - 2..], ["fold 4 of 1", "fold 4 of 2 from 1"]);
}

#[test]
fn an_interrupted_cross_validation_goes_on_where_it_was() {
    let accuracy: fn(u32, u32) -> f64 = |trial, fold| match (trial, fold) {
        (1, 1..=3) => 0.78,
        (1, _) => 0.7,
        _ => 0.85,
    };
    let whole = Run::new();
    let expected = finish(&whole, &folded(3, 5), &Folded::of(accuracy));
    let told = |run: &Run| uninterrupted(&read(&RealFiles, &run.folder.events_file()).unwrap());
    for (trial, fold) in [(1, 1), (1, 2), (1, 4), (1, 5), (2, 1), (2, 3), (2, 5)] {
        let cut = Run::new();
        let stop = StopFlag::new();
        let first = Folded { stop_in: Some((trial, fold, stop.clone())), ..Folded::of(accuracy) };
        let ended = longer(&cut, &folded(3, 5), &first, &stop);
        assert!(matches!(ended, Ended::Stopped(_)), "trial {trial}, fold {fold}");
        let there = first.there.into_inner().unwrap();
        let second = Folded { there: Mutex::new(there), ..Folded::of(accuracy) };
        let finished = finish(&cut, &folded(3, 5), &second);
        assert_eq!(finished.outcome, expected.outcome);
        assert_eq!(told(&cut), told(&whole), "cut in trial {trial}, fold {fold}");
        if (trial, fold) == (2, 3) {
            assert_eq!(
                second.asked(),
                ["trial 2", "fold 3 of 2 from 1", "fold 4 of 2 from 1", "fold 5 of 2 from 1"]
            );
        }
    }
}

#[test]
fn trials_that_run_at_the_same_time_share_the_networks_that_they_inherit_from() {
    let told = |millis: fn(u32) -> u64| {
        let mut file = folded(7, 3).file().clone();
        (file.tune.jobs, file.tune.policy) = (2, Policy::Random);
        let run = Run::new();
        let trainer = Folded {
            millis,
            // Near enough to the gate to be measured on all folds.
            ..Folded::of(|_, fold| if fold == 1 { 0.85 } else { 0.76 })
        };
        let finished = finish(&run, &Spec::new(file, InputShape::MNIST).unwrap(), &trainer);
        assert_eq!((finished.outcome, finished.trials), (Outcome::Rejected, 7));
        uninterrupted(&read(&RealFiles, &run.folder.events_file()).unwrap())
    };
    let alike = told(|_| 0);
    assert_eq!(told(|trial| 5 * u64::from(trial % 3)), alike);
    assert_eq!(told(|trial| 10 - 5 * u64::from(trial % 3)), alike);
}

#[test]
fn a_fold_whose_network_diverges_has_nothing_right_and_no_heir() {
    let run = Run::new();
    let trainer = Folded::of(|trial, fold| match (trial, fold) {
        (1, 3) => f64::NAN,
        (1, _) => 0.9,
        _ => 1.0,
    });
    let finished = finish(&run, &folded(2, 4), &trainer);
    assert_eq!(
        measured(&run),
        [(1, 1, 36), (1, 2, 36), (1, 3, 0), (2, 1, 40), (2, 2, 40), (2, 3, 0)]
    );
    assert_eq!(finished.outcome, Outcome::Rejected);
}

#[test]
fn a_trainer_that_trains_no_folds_is_judged_by_the_validation_images() {
    let run = Run::new();
    let result = run.finish(&folded(2, 5), &Playback::of(&[0.6, 0.9]));
    assert_eq!((result.outcome, result.validation_accuracy), (Outcome::Accepted, 0.9));
    assert!(measured(&run).len() <= 1);
    let decided = run.events().into_iter().rev().find_map(|event| match event {
        Event::GateDecided { basis, .. } => Some(serde_json::to_value(basis).unwrap()),
        _ => None,
    });
    assert_eq!(decided.unwrap(), "no_folds");
}

#[test]
fn what_did_not_train_to_its_end_is_not_cross_validated_and_not_accepted() {
    struct Cut;
    impl Trainer for Cut {
        fn train(
            &self,
            _: &TrialTask,
            observer: &mut dyn TrialObserver,
        ) -> Result<TrialOutcome, TrainerError> {
            observer.epoch(&epoch(0.95))?;
            Ok(TrialOutcome {
                curve: vec![epoch(0.95)],
                ending: Ending::OutOfTime,
                train_seconds: 1.0,
                images_per_second: 1.0,
            })
        }

        fn publish(&self, _: &TrialTask, _: &Path) -> Result<(), TrainerError> {
            Ok(())
        }

        fn test(&self, _: &TrialTask) -> Result<TestResult, TrainerError> {
            panic!("no model was accepted")
        }
    }
    let run = Run::new();
    assert_eq!(run.finish(&folded(1, 5), Cut).outcome, Outcome::Rejected);
    assert_eq!(measured(&run), []);
}
