//! Tests of `study::card`.

use super::*;
use crate::ledger::Outcome;
use crate::record::StudyResult;
use crate::record::figures::SplitFigures;
use crate::record::wilson_interval;

/// Of ten images, one of which is taken for another class.
pub(super) fn figures(trial: u32) -> ModelFigures {
    ModelFigures {
        version: ModelFigures::VERSION,
        trial,
        epoch: 3,
        weights_hash: "ab".into(),
        validation: SplitFigures {
            images: 10,
            accuracy: 0.9,
            interval: wilson_interval(0.9, 10),
            loss: 0.2,
            calibration_error: 0.05,
            classes: 2,
            confusion: vec![(0, 0, 9), (1, 0, 1)],
            mistakes: Vec::new(),
        },
        int8: None,
    }
}

fn finished(trial: u32) -> Event {
    Event::StudyFinished(StudyResult {
        outcome: Outcome::Accepted,
        best_trial: Some(trial),
        validation_accuracy: 0.9,
        test_accuracy: Some(0.8),
        test_readings: Some(1),
        parameters: 1,
        trials: 2,
        seconds: 1.0,
        run: "runs/a-0001".into(),
    })
}

fn records(events: Vec<Event>) -> Vec<Recorded> {
    let at = jiff::Timestamp::UNIX_EPOCH;
    events.into_iter().map(|event| Recorded { at, event }).collect()
}

#[test]
fn the_test_figure_is_that_of_this_model_and_counts_all_readings() {
    let started = Event::StudyStarted {
        name: "a".into(),
        command: "tune".into(),
        run: String::new(),
        spec_hash: String::new(),
        data_hash: String::new(),
        seed: 1,
        device: "cpu".into(),
        threads: 1,
        train_images: 9,
        validation_images: 10,
        test_images: 100,
        threshold: 0.5,
        trials: 2,
        instruction_set: None,
    };
    let read = |of: &str, accuracy| Event::TestSplitRead {
        command: "eval".into(),
        images: 50,
        accuracy,
        weights_hash: of.into(),
        data_hash: String::new(),
    };
    let of = |events: Vec<Event>| tested(&records(events), "ab", &figures(2));
    let figures = |images, accuracy| Some(TestFigures { images, accuracy });
    assert_eq!(of(vec![started.clone(), read("other", 0.1)]), (None, 1));
    let found = of(vec![started.clone(), read("other", 0.1), read("ab", 0.7)]);
    assert_eq!(found, (figures(50, 0.7), 2));
    assert_eq!(of(vec![started.clone(), finished(2)]), (figures(100, 0.8), 1));
    assert_eq!(of(vec![started.clone(), finished(1)]), (None, 1), "another trial's figure");
    let found = of(vec![started, finished(2), read("ab", 0.7)]);
    assert_eq!(found, (figures(100, 0.8), 2), "a reading of some of the images");
}
