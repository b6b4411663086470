//! Finished studies that are extended.

use std::sync::Arc;

use burgeon::record::Inherit;
use burgeon::spec::{Edit, Policy};
use burgeon::study::StopFlag;
use burgeon::unstable::ledger::{Event, Ledger, Outcome, Verdict};
use burgeon::unstable::study::{Ended, Extension, Growth, Silent, Study, StudyError, StudySetup};
use burgeon::unstable::sys::clock::RealClock;
use burgeon::unstable::sys::fence::Fence;
use burgeon::unstable::sys::files::RealFiles;

use super::field::{Field, POLICIES, parallel};
use super::playback::{Playback, asked};
use super::{Run, spec};

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
        let setup = StudySetup {
            spec: spec(2),
            training_images: 55_000,
            validation_images: 5000,
            growth: Growth::On,
        };
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
