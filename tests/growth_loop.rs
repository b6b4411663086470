//! The loop with a trainer that invents its curves.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::{BTreeSet, VecDeque};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use burgeon::record::{Ending, EpochRecord, Inherit, StudyResult};
use burgeon::spec::{
    Conv, Edit, Goal, InputShape, Keep, Layer, Policy, Pool, Spec, StudyDocument, StudyFile,
};
use burgeon::study::{StopFlag, StopReason};
use burgeon::train::Flow;
use burgeon::tune::{Proposal, TrialRecord};
use burgeon::unstable::ledger::{Event, Ledger, Outcome, RunFolder, Verdict, read, uninterrupted};
use burgeon::unstable::study::{
    Ended, Extension, Growth, Silent, Study, StudyError, StudySetup, TestResult, Trainer,
    TrainerError, TrialObserver, TrialOutcome, TrialTask,
};
use burgeon::unstable::sys::clock::RealClock;
use burgeon::unstable::sys::fence::Fence;
use burgeon::unstable::sys::files::RealFiles;

/// Trains nothing: plays back accuracies, one a trial.
#[derive(Default)]
struct Playback {
    accuracies: Mutex<VecDeque<f64>>,
    trained: Mutex<Vec<u32>>,
    published: Mutex<Vec<u32>>,
    tested: Mutex<Vec<u32>>,
    removed: Mutex<Vec<u32>>,
    stop_in: Option<(u32, StopFlag)>,
}

impl Playback {
    fn of(accuracies: &[f64]) -> Self {
        Self { accuracies: Mutex::new(accuracies.iter().copied().collect()), ..Self::default() }
    }
}

/// What a trainer was asked for.
fn asked(trials: &Mutex<Vec<u32>>) -> Vec<u32> {
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
        let setup = StudySetup { spec: spec.clone(), validation_images: 5000, growth };
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
        let setup = StudySetup { spec: spec.clone(), validation_images: 5000, growth: Growth::On };
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

#[test]
fn a_study_grows_until_the_gate_opens() {
    let run = Run::new();
    let trainer = Playback::of(&[0.4, 0.6, 0.9]);
    let finished = run.finish(&spec(8), &trainer);
    assert_eq!(
        (finished.outcome, finished.trials, finished.best_trial),
        (Outcome::Accepted, 3, Some(3))
    );
    assert_eq!(finished.test_accuracy, Some(0.81));
    assert_eq!(run.verdicts(), [Verdict::Continue, Verdict::Continue, Verdict::Accept]);
    let edits = run.edits();
    assert!(edits[0].is_empty() && edits[1..].iter().all(|edits| !edits.is_empty()), "{edits:?}");
    assert_eq!(std::fs::read_to_string(run.folder.accuracy_file()).unwrap().trim(), "0.9");
}

#[test]
fn the_test_split_is_read_once_and_only_after_acceptance() {
    let run = Run::new();
    let accepted = Playback::of(&[0.4, 0.9]);
    run.finish(&spec(8), &accepted);
    assert_eq!(asked(&accepted.tested), [2]);
    let rejected = Playback::of(&[0.4, 0.5]);
    let finished = Run::new().finish(&spec(2), &rejected);
    assert_eq!((finished.outcome, finished.test_accuracy), (Outcome::Rejected, None));
    assert!(asked(&rejected.tested).is_empty());
}

#[test]
fn the_best_model_is_kept_when_the_budget_ends() {
    let run = Run::new();
    let trainer = Playback::of(&[0.4, 0.7, 0.5]);
    let finished = run.finish(&spec(3), &trainer);
    assert_eq!((finished.best_trial, finished.validation_accuracy), (Some(2), 0.7));
    assert_eq!(asked(&trainer.published), [1, 2]);
    assert_eq!(run.verdicts().last(), Some(&Verdict::Reject));
    assert!(!run.folder.accuracy_file().exists());
}

#[test]
fn a_budget_of_seconds_ends_a_study() {
    let mut file = spec(100).file().clone();
    file.tune.seconds = Some(3.0);
    let spec = Spec::new(file, InputShape::MNIST).unwrap();
    assert_eq!(Run::new().finish(&spec, &Playback::of(&[0.1, 0.2, 0.3])).trials, 2);
}

#[test]
fn growth_never_exceeds_the_budget_of_parameters() {
    let mut file = spec(30).file().clone();
    file.tune.parameters = Some(2000);
    let spec = Spec::new(file, InputShape::MNIST).unwrap();
    let run = Run::new();
    run.finish(&spec, &Playback::of(&[0.3; 30]));
    let parameters = run.events().into_iter().filter_map(|event| match event {
        Event::TrialStarted { parameters, .. } => Some(parameters),
        _ => None,
    });
    assert!(parameters.max().unwrap() <= 2000);
}

#[test]
fn a_trial_that_diverges_is_followed_by_a_lower_rate() {
    let mut file = spec(8).file().clone();
    file.train.learning_rate = 0.1;
    let spec = Spec::new(file, InputShape::MNIST).unwrap();
    let run = Run::new();
    run.finish(&spec, &Playback::of(&[f64::NAN, 0.9]));
    assert!(
        matches!(run.edits()[1][..], [Edit::SetLearningRate { rate }] if rate < 0.1),
        "{:?}",
        run.edits()
    );
}

#[test]
fn a_rate_far_too_low_is_raised() {
    let mut file = spec(8).file().clone();
    file.train.learning_rate = 1e-5;
    let spec = Spec::new(file, InputShape::MNIST).unwrap();
    let run = Run::new();
    run.finish(&spec, &Playback::of(&[0.15, 0.9]));
    // So far from its gate, so small a network may be widened as well.
    assert!(
        matches!(run.edits()[1][..], [Edit::SetLearningRate { rate }, ..] if rate > 1e-4),
        "{:?}",
        run.edits()
    );
}

#[test]
fn train_alone_never_grows() {
    let run = Run::new();
    let trainer = Playback::of(&[0.4]);
    run.study(&spec(8), &trainer, Growth::Off, &StopFlag::new()).unwrap();
    assert_eq!(asked(&trainer.trained), [1]);
    assert_eq!(run.verdicts(), [Verdict::Reject]);
}

#[test]
fn every_trial_leaves_a_complete_study_file() {
    let run = Run::new();
    run.finish(&spec(8), &Playback::of(&[0.4, 0.5, 0.9]));
    for trial in 1..=3 {
        let path = run.folder.trial(trial).spec_file();
        let text = std::fs::read_to_string(&path).unwrap();
        StudyDocument::new(path.display().to_string(), text).validate(InputShape::MNIST).unwrap();
    }
}

#[test]
fn a_stopped_study_goes_on_where_it_stopped() {
    let whole = Run::new();
    whole.finish(&spec(8), &Playback::of(&[0.4, 0.6, 0.7, 0.9]));
    let cut = Run::new();
    let stop = StopFlag::new();
    let first = Playback { stop_in: Some((3, stop.clone())), ..Playback::of(&[0.4, 0.6, 0.7]) };
    let ended = cut.study(&spec(8), &first, Growth::On, &stop).unwrap();
    assert!(matches!(ended, Ended::Stopped(stopped) if stopped.reason == StopReason::Requested));
    let second = Playback::of(&[0.7, 0.9]);
    let finished = cut.finish(&spec(8), &second);
    assert_eq!(asked(&second.trained), [3, 4], "finished trials are not trained again");
    assert_eq!(finished.best_trial, Some(4));
    assert_eq!(cut.edits(), whole.edits());
    assert_eq!(cut.verdicts(), whole.verdicts());
}

#[test]
fn a_finished_study_says_what_it_came_to_without_training() {
    let run = Run::new();
    let first = run.finish(&spec(8), &Playback::of(&[0.9]));
    let nothing = Playback::default();
    assert_eq!(run.finish(&spec(8), &nothing), first);
    assert!(asked(&nothing.trained).is_empty());
}

#[test]
fn a_record_of_another_study_is_refused() {
    let run = Run::new();
    let stop = StopFlag::new();
    stop.request();
    run.study(&spec(8), &Playback::of(&[0.4]), Growth::On, &stop).unwrap();
    let mut file = spec(8).file().clone();
    file.train.seed += 1;
    let other = Spec::new(file, InputShape::MNIST).unwrap();
    let error = run.study(&other, &Playback::of(&[0.4]), Growth::On, &StopFlag::new());
    assert!(matches!(error, Err(StudyError::DecidesDifferently { trial: 1, .. })));
}

/// Trains nothing: accuracy is a number drawn from the trial's spec, and takes its time.
struct Field {
    /// Milliseconds that a trial takes, by its number.
    millis: fn(u32) -> u64,
    /// Raised while this trial trains.
    stop_in: Option<(u32, StopFlag)>,
    /// Trials that train now, and the most that ever did.
    at_work: Mutex<(usize, usize)>,
    stopped: Mutex<Vec<u32>>,
    /// Trials whose checkpoints were removed, by this trainer or one before it.
    removed: Mutex<BTreeSet<u32>>,
}

impl Field {
    fn of(millis: fn(u32) -> u64) -> Self {
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

fn parallel(policy: Policy, jobs: usize, gate: f64) -> Spec {
    let mut file = spec(14).file().clone();
    file.tune.policy = policy;
    file.tune.jobs = jobs;
    file.gate.accuracy = gate;
    Spec::new(file, InputShape::MNIST).unwrap()
}

const POLICIES: [Policy; 4] = [Policy::Grow, Policy::Random, Policy::Tpe, Policy::Asha];

#[test]
fn who_ends_first_changes_nothing() {
    for policy in POLICIES {
        for gate in [0.6, 0.99] {
            let spec = parallel(policy, 3, gate);
            let events_with = |millis: fn(u32) -> u64| {
                let run = Run::new();
                let field = Field::of(millis);
                let finished = run.finish(&spec, &field);
                let together = field.at_work.lock().unwrap().1;
                assert!(millis(1) == 0 || finished.trials <= 3 || together > 1, "{policy:?}");
                let trials = finished.trials;
                // Trials behind the accepted one had begun or not, as it happened.
                let events = uninterrupted(&read(&RealFiles, &run.folder.events_file()).unwrap());
                let settled = events.into_iter().filter(|event| match event {
                    Event::TrialStarted { trial, .. } | Event::EpochFinished { trial, .. } => {
                        *trial <= trials
                    }
                    _ => true,
                });
                settled.collect::<Vec<_>>()
            };
            let rising = events_with(|trial| 10 * u64::from(trial % 5));
            let falling = events_with(|trial| 40 - 10 * u64::from(trial % 5));
            assert_eq!(rising, falling, "{policy:?} with a gate of {gate}");
            assert_eq!(rising, events_with(|_| 0));
        }
    }
}

#[test]
fn trials_that_run_at_the_same_time_try_different_things() {
    for policy in POLICIES {
        let run = Run::new();
        run.finish(&parallel(policy, 4, 0.99), &Field::of(|_| 1));
        let hashes: Vec<String> = run
            .events()
            .into_iter()
            .filter_map(|event| match event {
                Event::TrialStarted { spec_hash, .. } => Some(spec_hash),
                _ => None,
            })
            .collect();
        assert!(hashes.len() > 4, "{policy:?} tried {}", hashes.len());
        // Any four trials in a row may run together.
        for together in hashes.windows(4) {
            let mut different = together.to_vec();
            different.sort();
            different.dedup();
            assert_eq!(different.len(), together.len(), "{policy:?}");
        }
    }
}

#[test]
fn an_open_gate_stops_the_trials_behind_it() {
    let run = Run::new();
    // Trial 1 opens no gate of 0.3 to 0.7 here, and the slowest trial is never waited for.
    let spec = parallel(Policy::Random, 4, 0.3);
    let field = Field::of(|trial| if trial == 2 { 0 } else { 20 });
    let finished = run.finish(&spec, &field);
    assert_eq!(finished.outcome, Outcome::Accepted);
    let accepted = finished.trials;
    assert!(field.stopped.lock().unwrap().iter().all(|trial| *trial > accepted));
    let judged = run.verdicts();
    assert_eq!(judged.len() as u32, accepted);
    assert_eq!(judged.last(), Some(&Verdict::Accept));
}

#[test]
fn a_stopped_study_of_several_jobs_goes_on_where_it_stopped() {
    for policy in POLICIES {
        let spec = parallel(policy, 3, 0.99);
        let whole = Run::new();
        whole.finish(&spec, &Field::of(|_| 1));
        let cut = Run::new();
        let stop = StopFlag::new();
        let first = Field { stop_in: Some((5, stop.clone())), ..Field::of(|_| 2) };
        let ended = cut.study(&spec, &first, Growth::On, &stop).unwrap();
        assert!(matches!(ended, Ended::Stopped(_)), "{policy:?}");
        cut.finish(&spec, &Field::of(|_| 0));
        assert_eq!(cut.edits(), whole.edits(), "{policy:?}");
        assert_eq!(cut.verdicts(), whole.verdicts(), "{policy:?}");
    }
}

#[test]
fn a_trainer_that_fails_ends_the_trials_beside_it() {
    struct Failing;
    impl Trainer for Failing {
        fn train(
            &self,
            task: &TrialTask,
            observer: &mut dyn TrialObserver,
        ) -> Result<TrialOutcome, TrainerError> {
            if task.trial == 2 {
                return Err("out of luck".into());
            }
            let record = epoch(0.1);
            // Without being told to stop, the other trials would go on for ever.
            while task.trial > 1 && observer.epoch(&record)? == Flow::Continue {
                std::thread::sleep(Duration::from_millis(1));
            }
            let ending = Ending::Completed;
            let curve = vec![record];
            Ok(TrialOutcome { curve, ending, train_seconds: 2.0, images_per_second: 500.0 })
        }
        fn publish(&self, _: &TrialTask, _: &Path) -> Result<(), TrainerError> {
            Ok(())
        }
        fn test(&self, _: &TrialTask) -> Result<TestResult, TrainerError> {
            Ok(TestResult { correct: 81, images: 100 })
        }
    }
    let spec = parallel(Policy::Random, 3, 0.99);
    let error = Run::new().study(&spec, Failing, Growth::On, &StopFlag::new()).unwrap_err();
    assert!(matches!(error, StudyError::Trainer { trial: 2, .. }), "{error}");
}

fn more_trials(more_trials: u32) -> Extension {
    Extension { more_trials, ..Extension::default() }
}

fn gate(gate: f64) -> Extension {
    Extension { gate: Some(gate), ..Extension::default() }
}

#[test]
fn a_rejected_study_is_extended_by_trials_that_are_numbered_on() {
    let run = Run::new();
    run.finish(&spec(2), &Playback::of(&[0.4, 0.5]));
    let trainer = Playback::of(&[0.6, 0.9]);
    let result = run.extended(&spec(2), &trainer, more_trials(3));
    assert_eq!(asked(&trainer.trained), [3, 4]);
    assert_eq!((result.outcome, result.trials, result.best_trial), (Outcome::Accepted, 4, Some(4)));
    assert_eq!(result.test_readings, Some(1));
    // What was extended tries what one study with the whole budget would have tried.
    let whole = Run::new();
    whole.finish(&spec(5), &Playback::of(&[0.4, 0.5, 0.6, 0.9]));
    assert_eq!(run.edits(), whole.edits());
}

#[test]
fn an_extension_goes_on_where_it_was_stopped() {
    let whole = Run::new();
    whole.finish(&spec(2), &Playback::of(&[0.4, 0.5]));
    whole.extended(&spec(2), &Playback::of(&[0.6, 0.7, 0.9]), more_trials(4));
    let cut = Run::new();
    cut.finish(&spec(2), &Playback::of(&[0.4, 0.5]));
    let stop = StopFlag::new();
    let first = Playback { stop_in: Some((4, stop.clone())), ..Playback::of(&[0.6, 0.7]) };
    let ended = cut.extend(&spec(2), &first, more_trials(4), &stop).unwrap();
    assert!(matches!(ended, Ended::Stopped(_)));
    // Another extension cannot begin before this one is over, and the same one is not begun twice.
    let error = cut.extend(&spec(2), &Playback::default(), more_trials(9), &StopFlag::new());
    assert!(matches!(error, Err(StudyError::Extension(_))));
    let second = Playback::of(&[0.7, 0.9]);
    let result = cut.extended(&spec(2), &second, more_trials(4));
    assert_eq!(asked(&second.trained), [4, 5], "finished trials are not trained again");
    assert_eq!(result.best_trial, Some(5));
    assert_eq!(cut.edits(), whole.edits());
    assert_eq!(cut.verdicts(), whole.verdicts());
    let count = |run: &Run, name| run.events().iter().filter(|event| event.name() == name).count();
    assert_eq!(count(&cut, "study_extended"), 1);
    assert_eq!(count(&cut, "study_finished"), 2);
    // Resumed once more, it says what it came to.
    assert_eq!(cut.finish(&spec(2), &Playback::default()), result);
}

#[test]
fn a_request_that_is_repeated_extends_once_and_another_one_again() {
    let run = Run::new();
    run.finish(&spec(2), &Playback::of(&[0.4, 0.5]));
    let repeated = |request: Option<&str>, accuracies: &[f64]| {
        let trainer = Playback::of(accuracies);
        let setup = StudySetup { spec: spec(2), validation_images: 5000, growth: Growth::On };
        let clock = Arc::new(RealClock::default());
        let ledger =
            Ledger::open(&RealFiles, &run.folder.events_file(), Fence::none(), clock).unwrap();
        let (mut silent, stop) = (Silent, StopFlag::new());
        let mut study = Study::new(setup, run.folder.clone(), ledger, &trainer, &mut silent, stop);
        let begins = study.extend_once(more_trials(1), request).unwrap();
        let Ended::Finished(finished) = study.run().unwrap() else {
            panic!("nobody asked to stop");
        };
        (begins, finished.result.trials)
    };
    assert_eq!(repeated(Some("a"), &[0.6]), (true, 3));
    assert_eq!(repeated(Some("a"), &[]), (false, 3), "the study is over, and was extended by this");
    assert_eq!(repeated(Some("b"), &[0.6]), (true, 4));
    assert_eq!(repeated(Some("a"), &[]), (false, 4));
    // By hand, twice is twice.
    assert_eq!(repeated(None, &[0.6]), (true, 5));
    assert_eq!(repeated(None, &[0.6]), (true, 6));
}

#[test]
fn a_gate_that_the_best_trial_passes_accepts_it_without_training() {
    let run = Run::new();
    run.finish(&spec(3), &Playback::of(&[0.4, 0.7, 0.5]));
    let trainer = Playback::default();
    let result = run.extended(&spec(3), &trainer, gate(0.65));
    assert!(asked(&trainer.trained).is_empty());
    assert_eq!(asked(&trainer.tested), [2]);
    assert_eq!((result.outcome, result.best_trial), (Outcome::Accepted, Some(2)));
    assert_eq!(run.verdicts().last(), Some(&Verdict::Accept));
    assert_eq!(std::fs::read_to_string(run.folder.accuracy_file()).unwrap().trim(), "0.7");
}

#[test]
fn the_test_split_is_read_again_only_for_another_model() {
    let run = Run::new();
    run.finish(&spec(3), &Playback::of(&[0.85]));
    let same = Playback::default();
    // A lower gate accepts the same model.
    let result = run.extended(&spec(3), &same, gate(0.7));
    assert!(asked(&same.tested).is_empty());
    assert_eq!((result.test_accuracy, result.test_readings), (Some(0.81), Some(1)));
    let better = Playback::of(&[0.95]);
    let result = run.extended(&spec(3), &better, gate(0.9));
    assert_eq!(asked(&better.tested), [2]);
    assert_eq!((result.best_trial, result.test_readings), (Some(2), Some(2)));
}

#[test]
fn a_higher_gate_shuts_behind_the_trial_that_had_passed() {
    let run = Run::new();
    run.finish(&spec(2), &Playback::of(&[0.85]));
    let result = run.extended(&spec(2), &Playback::of(&[0.86]), gate(0.9));
    assert_eq!((result.outcome, result.test_accuracy), (Outcome::Rejected, None));
    assert_eq!(run.verdicts(), [Verdict::Accept, Verdict::Continue, Verdict::Reject]);
}

#[test]
fn more_epochs_go_on_with_the_best_trials_training() {
    let run = Run::new();
    run.finish(&spec(3), &Playback::of(&[0.4, 0.7, 0.5]));
    let extension = Extension { more_epochs: 4, ..Extension::default() };
    run.extended(&spec(3), &Playback::of(&[0.75]), extension);
    let started = run.events().into_iter().rev().find_map(|event| match event {
        Event::TrialStarted { trial, parent, edits, inherit, .. } => {
            Some((trial, parent, edits, inherit))
        }
        _ => None,
    });
    let edits = vec![Edit::AddEpochs { epochs: 4 }];
    assert_eq!(started, Some((4, Some(2), edits, Inherit::State)));
    // There was no budget for a trial besides.
    assert_eq!(run.verdicts().len(), 4);
}

#[test]
fn what_would_change_nothing_is_refused_and_recorded_nowhere() {
    let run = Run::new();
    run.finish(&spec(3), &Playback::of(&[0.9]));
    let before = run.events().len();
    for extension in [Extension::default(), more_trials(3), gate(1.5)] {
        let error = run.extend(&spec(3), &Playback::default(), extension, &StopFlag::new());
        let expected = matches!(error, Err(StudyError::Extension(_) | StudyError::Spec(_)));
        assert!(expected, "{extension:?}: {error:?}");
    }
    assert_eq!(run.events().len(), before);
}

#[test]
fn a_parallel_study_is_extended_alike_whether_it_was_cut_or_not() {
    for policy in POLICIES {
        let spec = parallel(policy, 3, 0.99);
        let run_through = |cut: Option<u32>| {
            let run = Run::new();
            run.finish(&spec, &Field::of(|_| 0));
            if let Some(trial) = cut {
                let stop = StopFlag::new();
                let field = Field { stop_in: Some((trial, stop.clone())), ..Field::of(|_| 1) };
                let ended = run.extend(&spec, &field, more_trials(6), &stop).unwrap();
                assert!(matches!(ended, Ended::Stopped(_)), "{policy:?}");
            }
            run.extended(&spec, &Field::of(|_| 0), more_trials(6));
            (run.edits(), run.verdicts())
        };
        let whole = run_through(None);
        let trials = whole.0.len() as u32;
        // `grow` may know nothing more to try before the first budget ends.
        assert!(policy == Policy::Grow || trials == 20, "{policy:?} tried {trials}");
        for cut in [15, 17, 20].into_iter().filter(|cut| *cut <= trials) {
            assert_eq!(run_through(Some(cut)), whole, "{policy:?} cut in trial {cut}");
        }
    }
}

#[test]
fn trials_that_an_open_gate_had_cut_short_are_gone_on_with() {
    let accepted = Run::new();
    let spec = parallel(Policy::Random, 4, 0.3);
    let first = accepted.finish(&spec, &Field::of(|trial| if trial == 2 { 0 } else { 20 }));
    let result = accepted.extended(&spec, &Field::of(|_| 0), gate(0.99));
    assert!(result.trials > first.trials);
    let mut begun = Vec::new();
    for event in accepted.events() {
        if let Event::TrialStarted { trial, .. } = event {
            begun.push(trial);
        }
    }
    assert_eq!(begun, (1..=result.trials).collect::<Vec<_>>(), "each begins once, in order");
}

#[test]
fn checkpoints_that_nothing_can_need_are_removed_as_the_study_goes() {
    let kept = |keep: Keep| {
        let mut file = spec(4).file().clone();
        file.tune.keep = keep;
        let trainer = Playback::of(&[0.4, 0.7, 0.5, 0.6]);
        let run = Run::new();
        run.finish(&Spec::new(file, InputShape::MNIST).unwrap(), &trainer);
        let recorded: Vec<u32> = run
            .events()
            .into_iter()
            .filter_map(|event| match event {
                Event::CheckpointsRemoved { trial } => Some(trial),
                _ => None,
            })
            .collect();
        assert_eq!(recorded, asked(&trainer.removed));
        recorded
    };
    assert_eq!(kept(Keep::Needed), [1, 3, 4]);
    assert_eq!(kept(Keep::All), [0; 0]);
    assert_eq!(kept(Keep::Newest(1)), [1, 3]);
    assert_eq!(kept(Keep::Newest(9)), [0; 0]);
}

#[test]
fn no_trial_grows_from_one_whose_checkpoints_are_gone() {
    for policy in POLICIES {
        for (jobs, goal) in [(1, Goal::Pass), (3, Goal::Best), (2, Goal::Smallest)] {
            let mut file = parallel(policy, jobs, 0.4).file().clone();
            file.tune.goal = goal;
            file.tune.trials = 40;
            file.tune.space.epochs = vec![1, 3, 9];
            let spec = Spec::new(file, InputShape::MNIST).unwrap();
            let run = Run::new();
            // The trainer fails where a parent is gone.
            let field = Field::of(|_| 0);
            run.finish(&spec, &field);
            let removed = field.removed.lock().unwrap().clone();
            let extended = Field { removed: Mutex::new(removed), ..Field::of(|_| 0) };
            let extension = Extension { more_trials: 12, more_epochs: 1, gate: Some(0.695) };
            run.extended(&spec, &extended, extension);
        }
    }
}

#[test]
fn a_removal_that_a_crash_cut_short_is_done_again() {
    let run = Run::new();
    let stop = StopFlag::new();
    let first = Playback { stop_in: Some((3, stop.clone())), ..Playback::of(&[0.4, 0.7, 0.5]) };
    run.study(&spec(4), &first, Growth::On, &stop).unwrap();
    assert_eq!(asked(&first.removed), [1]);
    // Whether the first process got to the end of it cannot be known.
    let second = Playback::of(&[0.5, 0.6]);
    run.finish(&spec(4), &second);
    assert_eq!(asked(&second.removed), [1, 3, 4]);
    let removals =
        run.events().iter().filter(|event| event.name() == "checkpoints_removed").count();
    assert_eq!(removals, 3);
}

/// Proposes what its function says.
struct Says(fn(&[TrialRecord]) -> Proposal);

impl burgeon::tune::Policy for Says {
    fn propose(&self, history: &[TrialRecord], _: &[Proposal]) -> Option<Proposal> {
        Some((self.0)(history))
    }
}

#[test]
fn a_proposal_that_cannot_be_trained_is_an_error_that_says_why() {
    fn proposal(history: &[TrialRecord], edits: Vec<Edit>) -> Proposal {
        Proposal::new(&history[0], edits, "why not", Inherit::Weights).unwrap()
    }
    let of_nobody: fn(&[TrialRecord]) -> Proposal =
        |history| Proposal { parent: 9, ..proposal(history, vec![Edit::AddEpochs { epochs: 1 }]) };
    let of_other_edits: fn(&[TrialRecord]) -> Proposal = |history| Proposal {
        edits: vec![Edit::AddEpochs { epochs: 2 }],
        ..proposal(history, vec![Edit::AddEpochs { epochs: 1 }])
    };
    for (says, expected) in
        [(of_nobody, "trial 9, is not in the history"), (of_other_edits, "with its edits applied")]
    {
        let run = Run::new();
        let setup = StudySetup { spec: spec(8), validation_images: 5000, growth: Growth::On };
        let (trainer, mut silent) = (Playback::of(&[0.4, 0.5]), Silent);
        let ledger = Ledger::without_file();
        let folder = run.folder.clone();
        let study = Study::new(setup, folder, ledger, &trainer, &mut silent, StopFlag::new());
        let error = study.with_policy(Box::new(Says(says))).run().unwrap_err();
        assert!(matches!(error, StudyError::Proposal { trial: 2, .. }), "{error}");
        assert!(error.to_string().contains(expected), "{error}");
    }
}
