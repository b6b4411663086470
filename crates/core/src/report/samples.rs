//! Records for the tests of reports.

use jiff::Timestamp;

use crate::ledger::{Event, Outcome, Recorded, Verdict};
use crate::record::{Basis, Conclusion, Diagnosis, Ending, Inherit, Measure, StudyResult};
use crate::record::{DataFinding, Split, SplitCounts};
use crate::record::{FloorJudgement, Forgetting, InheritedModel};
use crate::spec::Edit;

/// Text that must be escaped in every format.
pub(crate) const HOSTILE: &str = "</title><script>alert(1)</script> | `x` \"y\" & 'z'\n## ]]>\u{7}";

pub(crate) fn records(events: impl IntoIterator<Item = Event>) -> Vec<Recorded> {
    let at = |(second, event)| Recorded { at: Timestamp::from_second(second).unwrap(), event };
    (0..).zip(events).map(at).collect()
}

pub(super) fn study_started() -> Event {
    Event::StudyStarted {
        name: "seedling".into(),
        command: "tune".into(),
        run: "runs/seedling-0001".into(),
        spec_hash: "ab".into(),
        data_hash: "cd".into(),
        seed: 42,
        device: "cpu".into(),
        threads: 2,
        train_images: 55_000,
        validation_images: 5_000,
        test_images: 10_000,
        threshold: 0.8,
        trials: 8,
        instruction_set: Some("portable".into()),
    }
}

pub(super) fn started(trial: u32, parent: Option<u32>) -> Event {
    Event::TrialStarted {
        trial,
        parent,
        edits: match parent {
            None => Vec::new(),
            Some(_) => vec![Edit::AddEpochs { epochs: trial as usize }],
        },
        inherit: Inherit::State,
        reason: "why not".into(),
        spec_hash: String::new(),
        parameters: 1370,
        flops_per_image: 20_000,
        expected_seconds: None,
        forecast: None,
    }
}

/// All its losses are the reciprocal of the accuracy, so that a NaN makes them NaN.
pub(super) fn epoch(trial: u32, epoch: u32, accuracy: f64) -> Event {
    Event::EpochFinished {
        trial,
        epoch,
        train_loss: 1.1 / accuracy,
        train_accuracy: accuracy * 0.9,
        validation_loss: 1.0 / accuracy,
        validation_accuracy: accuracy,
        learning_rate: 0.001,
        seconds: 1.5,
        evaluation_seconds: Some(0.1 * f64::from(trial)),
        images: 55_000,
        course: Vec::new(),
        probe: None,
        recalls: Vec::new(),
        given_up: None,
    }
}

pub(super) fn finished(trial: u32, accuracy: f64) -> Event {
    Event::TrialFinished {
        trial,
        epochs: 2,
        validation_accuracy: accuracy,
        train_seconds: 3.0,
        images_per_second: 36_000.0,
        diagnosis: Conclusion {
            diagnosis: Diagnosis::Underfit,
            ending: Ending::Completed,
            evidence: "too few filters".into(),
            out_of_time: None,
        },
    }
}

pub(super) fn decided(trial: u32, accuracy: f64) -> Event {
    let decision = if accuracy >= 0.8 { Verdict::Accept } else { Verdict::Continue };
    Event::GateDecided {
        trial,
        decision,
        threshold: 0.8,
        accuracy,
        judged: None,
        floors: Vec::new(),
        basis: Basis::Validation,
    }
}

/// As [`accepted`], with three folds, of which the first trial was measured on one.
pub(super) fn cross_validated() -> Vec<Event> {
    let fold = |trial, fold, correct| Event::FoldFinished {
        trial,
        fold,
        folds: 3,
        images: 40,
        correct,
        recalls: Vec::new(),
        epochs: 2,
        seconds: 0.5,
    };
    let on = |measured, decided: Event| match decided {
        Event::GateDecided { trial, decision, threshold, accuracy, judged, floors, .. } => {
            let basis = Basis::Folds { measured, folds: 3 };
            Event::GateDecided { trial, decision, threshold, accuracy, judged, floors, basis }
        }
        other => other,
    };
    vec![
        study_started(),
        started(1, None),
        epoch(1, 1, 0.4),
        fold(1, 1, 16),
        finished(1, 0.4),
        on(1, decided(1, 0.4)),
        started(2, Some(1)),
        epoch(2, 2, 0.9),
        fold(2, 1, 36),
        fold(2, 2, 34),
        fold(2, 3, 35),
        finished(2, 0.875),
        on(3, decided(2, 0.875)),
        ended(Outcome::Accepted, 2, 0.875),
    ]
}

pub(super) fn ended(outcome: Outcome, best_trial: u32, accuracy: f64) -> Event {
    Event::StudyFinished(StudyResult {
        outcome,
        best_trial: Some(best_trial),
        validation_accuracy: accuracy,
        test_accuracy: (outcome == Outcome::Accepted).then_some(0.8816),
        test_readings: None,
        parameters: 1370,
        trials: best_trial,
        seconds: 7.0,
        run: "runs/seedling-0001".into(),
    })
}

/// As [`accepted`], begun with the weights of another run.
pub(super) fn continued() -> Vec<Event> {
    let inherited = InheritedModel {
        from: "runs/old-0001".into(),
        sha256: "ef".into(),
        weights_hash: "gh".into(),
        edits: Vec::new(),
        kept: vec!["cat".into()],
        new: vec!["dog".into()],
        dropped: Vec::new(),
    };
    let mut events = accepted();
    events.insert(1, Event::ModelInherited(inherited));
    let forgetting = Forgetting { classes: 1, images: 100, before: 0.97, after: 0.93 };
    events.push(Event::ForgettingMeasured { trial: 2, forgetting });
    events
}

/// Two trials, the second of which passes.
pub(crate) fn accepted() -> Vec<Event> {
    vec![
        study_started(),
        started(1, None),
        epoch(1, 1, 0.3),
        epoch(1, 2, 0.4),
        finished(1, 0.4),
        decided(1, 0.4),
        started(2, Some(1)),
        epoch(2, 3, 0.8718),
        finished(2, 0.8718),
        decided(2, 0.8718),
        ended(Outcome::Accepted, 2, 0.8718),
    ]
}

/// A trial that names one class for everything, and does not pass.
pub(super) fn imbalanced() -> Vec<Event> {
    let mut study = study_started();
    if let Event::StudyStarted { threshold, .. } = &mut study {
        *threshold = 0.0;
    }
    let recall =
        FloorJudgement { measure: Measure::LeastRecall, measured: 0.0, judged: 0.0, floor: 0.5 };
    vec![
        study,
        Event::DataExamined {
            classes: vec!["cat".into(), "dog".into()],
            counts: SplitCounts { train: vec![99, 1], validation: vec![9, 1], test: vec![9, 1] },
            findings: vec![DataFinding::Majority { split: Split::Train, class: 0, share: 0.99 }],
            image: None,
        },
        started(1, None),
        epoch(1, 1, 0.99),
        finished(1, 0.99),
        Event::GateDecided {
            trial: 1,
            decision: Verdict::Reject,
            threshold: 0.0,
            accuracy: 0.99,
            judged: None,
            floors: vec![recall],
            basis: Basis::Validation,
        },
        ended(Outcome::Rejected, 1, 0.99),
    ]
}

/// Events with hostile text in every place for text, and NaN in every place for a number.
pub(crate) fn hostile() -> Vec<Event> {
    let text = || HOSTILE.to_owned();
    let mut study = study_started();
    if let Event::StudyStarted { name, run, device, spec_hash, .. } = &mut study {
        (*name, *run, *device, *spec_hash) = (text(), text(), text(), text());
    }
    let mut trial = started(2, Some(1));
    if let Event::TrialStarted { reason, .. } = &mut trial {
        *reason = text();
    }
    let mut end = finished(2, f64::NAN);
    if let Event::TrialFinished { diagnosis, train_seconds, images_per_second, .. } = &mut end {
        (diagnosis.diagnosis, diagnosis.evidence) = (Diagnosis::Diverged, text());
        (*train_seconds, *images_per_second) = (f64::NAN, f64::NAN);
    }
    let mut last = epoch(2, 1, f64::NAN);
    if let Event::EpochFinished { given_up, .. } = &mut last {
        *given_up = Some(text());
    }
    vec![
        study,
        Event::DataFallback { reason: text() },
        Event::DataExamined {
            classes: vec![text(), text()],
            counts: SplitCounts::default(),
            findings: vec![DataFinding::NoImages { classes: vec![0, 7] }],
            image: Some([0, 1, 2]),
        },
        started(1, None),
        epoch(1, 1, 0.3),
        finished(1, 0.3),
        trial,
        last,
        end,
        Event::CheckpointRejected { path: text(), why: text() },
        Event::SupervisorRestarted { cause: text(), attempt: 1, delay: f64::NAN },
        Event::Unknown { version: 9, name: text(), fields: serde_json::Map::new() },
        Event::SupervisorGaveUp { cause: text(), restarts: 3 },
    ]
}
