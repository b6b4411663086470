//! Trials one after the other: growing, judging, stopping, going on.

use burgeon::spec::{Edit, InputShape, Spec, StudyDocument};
use burgeon::study::{StopFlag, StopReason};
use burgeon::unstable::gate::wilson_lower_bound;
use burgeon::unstable::ledger::{Event, Outcome, Verdict};
use burgeon::unstable::study::{Ended, Growth, StudyError};

use super::playback::{Playback, asked};
use super::{Run, spec};

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
fn a_gate_with_a_confidence_judges_by_the_bound() {
    let mut file = spec(8).file().clone();
    (file.gate.accuracy, file.gate.confidence) = (0.8, Some(0.95));
    let spec = Spec::new(file, InputShape::MNIST).unwrap();
    let run = Run::new();
    // On 5,000 images, 80.5 % may be luck.
    let finished = run.finish(&spec, &Playback::of(&[0.805, 0.82]));
    assert_eq!((finished.outcome, finished.best_trial), (Outcome::Accepted, Some(2)));
    assert_eq!(finished.validation_accuracy, 0.82);
    let decided = run.events().into_iter().filter_map(|event| match event {
        Event::GateDecided { decision, accuracy, judged, threshold, .. } => {
            Some((decision, accuracy, judged, threshold))
        }
        _ => None,
    });
    let decided: Vec<_> = decided.collect();
    let bound = |accuracy| Some(wilson_lower_bound(accuracy, 5000, 0.95));
    assert_eq!(
        decided,
        [(Verdict::Continue, 0.805, bound(0.805), 0.8), (Verdict::Accept, 0.82, bound(0.82), 0.8)]
    );
    assert!(bound(0.805) < Some(0.8) && bound(0.82) > Some(0.8));
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
        matches!(run.edits()[1][..], [Edit::SetLearningRate { rate }, ..] if rate < 0.1),
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
