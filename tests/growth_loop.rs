//! The loop with a trainer that invents its curves.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;

use burgeon::ledger::{Event, Ledger, Outcome, RunFolder, Verdict, read};
use burgeon::spec::{Conv, Edit, InputShape, Layer, Pool, Spec, StudyDocument, StudyFile};
use burgeon::study::{
    Ended, Finished, Growth, Silent, Study, StudyError, StudySetup, TestResult, Trainer,
    TrainerError, TrainingEnd, TrialObserver, TrialOutcome, TrialTask,
};
use burgeon::sys::clock::RealClock;
use burgeon::sys::fence::Fence;
use burgeon::sys::files::RealFiles;
use burgeon::sys::signals::{StopFlag, StopSignal};
use burgeon::train::{EpochRecord, Flow};

/// Trains nothing: plays back accuracies, one a trial.
#[derive(Default)]
struct Playback {
    accuracies: VecDeque<f64>,
    trained: Vec<u32>,
    published: Vec<u32>,
    tested: Vec<u32>,
    stop_in: Option<(u32, StopFlag)>,
}

impl Playback {
    fn of(accuracies: &[f64]) -> Self {
        Self { accuracies: accuracies.iter().copied().collect(), ..Self::default() }
    }
}

impl Trainer for &mut Playback {
    fn train(
        &mut self,
        task: &TrialTask,
        observer: &mut dyn TrialObserver,
    ) -> Result<TrialOutcome, TrainerError> {
        if let Some((trial, stop)) = &self.stop_in
            && *trial == task.trial
        {
            stop.request(StopSignal::Terminate);
        }
        let accuracy = self.accuracies.pop_front().ok_or("the playback is over")?;
        let record = epoch(accuracy);
        self.trained.push(task.trial);
        let flow = observer.epoch(&record)?;
        let ending = match flow {
            Flow::Stop => TrainingEnd::Stopped,
            Flow::Continue if accuracy.is_nan() => TrainingEnd::Diverged("the loss".into()),
            Flow::Continue => TrainingEnd::Completed,
        };
        Ok(TrialOutcome {
            curve: vec![record],
            ending,
            train_seconds: 2.0,
            images_per_second: 500.0,
        })
    }

    fn publish(&mut self, task: &TrialTask, _folder: &Path) -> Result<(), TrainerError> {
        self.published.push(task.trial);
        Ok(())
    }

    fn test(&mut self, task: &TrialTask) -> Result<TestResult, TrainerError> {
        self.tested.push(task.trial);
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
        trainer: &mut Playback,
        growth: Growth,
        stop: &StopFlag,
    ) -> Result<Ended, StudyError> {
        let setup = StudySetup { spec: spec.clone(), validation_images: 5000, growth };
        let clock = Arc::new(RealClock::default());
        let ledger =
            Ledger::open(&RealFiles, &self.folder.events_file(), Fence::none(), clock).unwrap();
        Study::new(setup, self.folder.clone(), ledger, trainer, &mut Silent, stop.clone()).run()
    }

    fn finish(&self, spec: &Spec, trainer: &mut Playback) -> Finished {
        match self.study(spec, trainer, Growth::On, &StopFlag::new()).unwrap() {
            Ended::Finished(finished) => finished,
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
                Event::TrialStarted { edits, .. } => {
                    Some(serde_json::from_value(edits.clone()).unwrap())
                }
                _ => None,
            })
            .collect()
    }
}

#[test]
fn a_study_grows_until_the_gate_opens() {
    let run = Run::new();
    let mut trainer = Playback::of(&[0.4, 0.6, 0.9]);
    let finished = run.finish(&spec(8), &mut trainer);
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
    let mut accepted = Playback::of(&[0.4, 0.9]);
    run.finish(&spec(8), &mut accepted);
    assert_eq!(accepted.tested, [2]);
    let mut rejected = Playback::of(&[0.4, 0.5]);
    let finished = Run::new().finish(&spec(2), &mut rejected);
    assert_eq!((finished.outcome, finished.test_accuracy), (Outcome::Rejected, None));
    assert!(rejected.tested.is_empty());
}

#[test]
fn the_best_model_is_kept_when_the_budget_ends() {
    let run = Run::new();
    let mut trainer = Playback::of(&[0.4, 0.7, 0.5]);
    let finished = run.finish(&spec(3), &mut trainer);
    assert_eq!((finished.best_trial, finished.validation_accuracy), (Some(2), 0.7));
    assert_eq!(trainer.published, [1, 2]);
    assert_eq!(run.verdicts().last(), Some(&Verdict::Reject));
    assert!(!run.folder.accuracy_file().exists());
}

#[test]
fn a_budget_of_seconds_ends_a_study() {
    let mut file = spec(100).file().clone();
    file.tune.seconds = Some(3.0);
    let spec = Spec::new(file, InputShape::MNIST).unwrap();
    assert_eq!(Run::new().finish(&spec, &mut Playback::of(&[0.1, 0.2, 0.3])).trials, 2);
}

#[test]
fn growth_never_exceeds_the_budget_of_parameters() {
    let mut file = spec(30).file().clone();
    file.tune.parameters = Some(2000);
    let spec = Spec::new(file, InputShape::MNIST).unwrap();
    let run = Run::new();
    run.finish(&spec, &mut Playback::of(&[0.3; 30]));
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
    run.finish(&spec, &mut Playback::of(&[f64::NAN, 0.9]));
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
    run.finish(&spec, &mut Playback::of(&[0.15, 0.9]));
    assert!(
        matches!(run.edits()[1][..], [Edit::SetLearningRate { rate }] if rate > 1e-4),
        "{:?}",
        run.edits()
    );
}

#[test]
fn train_alone_never_grows() {
    let run = Run::new();
    let mut trainer = Playback::of(&[0.4]);
    run.study(&spec(8), &mut trainer, Growth::Off, &StopFlag::new()).unwrap();
    assert_eq!(trainer.trained, [1]);
    assert_eq!(run.verdicts(), [Verdict::Reject]);
}

#[test]
fn every_trial_leaves_a_complete_study_file() {
    let run = Run::new();
    run.finish(&spec(8), &mut Playback::of(&[0.4, 0.5, 0.9]));
    for trial in 1..=3 {
        let path = run.folder.trial(trial).spec_file();
        let text = std::fs::read_to_string(&path).unwrap();
        StudyDocument::new(path.display().to_string(), text).validate(InputShape::MNIST).unwrap();
    }
}

#[test]
fn a_stopped_study_goes_on_where_it_stopped() {
    let whole = Run::new();
    whole.finish(&spec(8), &mut Playback::of(&[0.4, 0.6, 0.7, 0.9]));
    let cut = Run::new();
    let stop = StopFlag::new();
    let mut first = Playback { stop_in: Some((3, stop.clone())), ..Playback::of(&[0.4, 0.6, 0.7]) };
    let ended = cut.study(&spec(8), &mut first, Growth::On, &stop).unwrap();
    assert_eq!(ended, Ended::Stopped(StopSignal::Terminate));
    let mut second = Playback::of(&[0.7, 0.9]);
    let finished = cut.finish(&spec(8), &mut second);
    assert_eq!(second.trained, [3, 4], "finished trials are not trained again");
    assert_eq!(finished.best_trial, Some(4));
    assert_eq!(cut.edits(), whole.edits());
    assert_eq!(cut.verdicts(), whole.verdicts());
}

#[test]
fn a_finished_study_says_what_it_came_to_without_training() {
    let run = Run::new();
    let first = run.finish(&spec(8), &mut Playback::of(&[0.9]));
    let mut nothing = Playback::default();
    assert_eq!(run.finish(&spec(8), &mut nothing), first);
    assert!(nothing.trained.is_empty());
}

#[test]
fn a_record_of_another_study_is_refused() {
    let run = Run::new();
    let stop = StopFlag::new();
    stop.request(StopSignal::Interrupt);
    run.study(&spec(8), &mut Playback::of(&[0.4]), Growth::On, &stop).unwrap();
    let mut file = spec(8).file().clone();
    file.train.seed += 1;
    let other = Spec::new(file, InputShape::MNIST).unwrap();
    let error = run.study(&other, &mut Playback::of(&[0.4]), Growth::On, &StopFlag::new());
    assert!(matches!(error, Err(StudyError::DecidesDifferently { trial: 1, .. })));
}
