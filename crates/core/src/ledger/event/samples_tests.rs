//! One event of every kind, for tests.

use super::*;
use crate::record::{Diagnosis, Ending, LayerProfile, Outcome};

/// One of every kind.
pub(crate) fn all() -> Vec<Event> {
    let mut events = vec![
        Event::StudyStarted {
            name: "lenet".into(),
            command: "tune".into(),
            run: "runs/lenet-0001".into(),
            spec_hash: "ab".into(),
            data_hash: "cd".into(),
            seed: u64::MAX,
            device: "cpu".into(),
            threads: 2,
            train_images: 55_000,
            validation_images: 5_000,
            test_images: 10_000,
            threshold: 0.8,
            trials: 8,
            instruction_set: Some("avx2".into()),
        },
        Event::DataFallback { reason: "no network".into() },
        Event::DataExamined {
            classes: vec!["cat".into(), "dog".into()],
            counts: SplitCounts { train: vec![9, 0], validation: vec![1, 0], test: vec![1, 0] },
            findings: vec![
                DataFinding::OneClass { split: crate::record::Split::Test, class: 0 },
                DataFinding::ConflictingLabels { images: 2 },
            ],
            image: Some([3, 32, 32]),
        },
        Event::ImagesLoaded { images: 70_000, seconds: 1.5 },
        Event::Grafted {
            trial: 2,
            parent: 1,
            summary: GraftReport {
                carried: vec!["conv1.weight".into()],
                fresh: vec!["head.bias".into()],
                preserved: true,
                changed: Vec::new(),
                optimizer: false,
            },
        },
        Event::CheckpointWritten {
            trial: 1,
            epoch: 1,
            step: 9,
            path: "trials/001/checkpoints/e0001-s000009".into(),
            bytes: 4711,
            seconds: 0.25,
        },
        Event::CheckpointRejected { path: "weights.bpk".into(), why: "hash".into() },
        Event::RatesTested {
            trial: 1,
            rates: vec![0.001, 0.01],
            losses: vec![2.3, 0.7],
            suggestion: Some(0.0025),
        },
        Event::TrialProfiled { trial: 1, profile: profile() },
        Event::StudyResumed { run: "runs/lenet-0001".into(), trials: 1, instruction_set: None },
        Event::TrialResumed { trial: 2, epoch: 1, step: 9, fold: Some(3) },
        Event::FoldFinished {
            trial: 2,
            fold: 3,
            folds: 5,
            images: 40,
            correct: 35,
            recalls: vec![ClassRecall { right: 35, images: 40 }],
            epochs: 10,
            seconds: 0.5,
        },
        Event::TestSplitRead {
            command: "eval".into(),
            images: 10_000,
            accuracy: 0.75,
            weights_hash: "ef".into(),
            data_hash: "cd".into(),
        },
        Event::ModelInherited(InheritedModel {
            from: "/runs/lenet-0001".into(),
            sha256: "ab".into(),
            weights_hash: "ef".into(),
            edits: vec![Edit::Widen { layer: 0, width: 8 }],
            kept: vec!["cat".into()],
            new: vec!["dog".into()],
            dropped: Vec::new(),
        }),
        Event::ForgettingMeasured {
            trial: 2,
            forgetting: Forgetting { classes: 1, images: 100, before: 0.75, after: 0.5 },
        },
        Event::StudyStopped { signal: "SIGTERM".into() },
        Event::CheckpointsRemoved { trial: 1 },
        Event::StudyExtended {
            extension: 1,
            more_trials: 2,
            more_epochs: 0,
            gate: Some(0.9),
            trials: 10,
            threshold: 0.9,
            request: Some("burgeon-supervise-7-9".into()),
        },
        Event::JobSubmitted { trial: 2, part: "train".into(), submission: 1, job: "4711".into() },
        Event::JobEnded {
            trial: 2,
            part: "fold-2".into(),
            submission: 1,
            job: Some("4711".into()),
            node: Some("n1".into()),
            why: Some("its node failed".into()),
            queue_seconds: 2.5,
            seconds: 60.0,
        },
        Event::NodeExcluded { node: "n1".into(), why: "its node failed".into() },
        Event::StudyFinished(StudyResult {
            outcome: Outcome::Accepted,
            best_trial: Some(2),
            validation_accuracy: 0.99,
            test_accuracy: Some(0.988),
            test_readings: Some(1),
            parameters: 61_706,
            trials: 2,
            seconds: 80.0,
            run: "runs/lenet-0001".into(),
        }),
        Event::SupervisorRestarted { cause: "SIGKILL".into(), attempt: 1, delay: 1.0 },
        Event::SupervisorGaveUp { cause: "same step".into(), restarts: 3 },
    ];
    events.extend(of_a_trial(1));
    events
}

fn profile() -> Profile {
    let layer = LayerProfile { name: "head".into(), forward_seconds: 0.5, backward_seconds: 0.25 };
    Profile {
        epochs: 1.5,
        steps: 20,
        images: 640,
        seconds: 1.5,
        data_seconds: 0.125,
        layers: vec![layer],
        loss_seconds: 0.125,
        optimizer_seconds: 0.25,
        evaluation_seconds: 0.125,
        checkpoint_seconds: 0.125,
        rest_seconds: 0.0,
        flops_per_second: 1e9,
        peak_flops_per_second: None,
    }
}

pub(crate) fn of_a_trial(trial: u32) -> Vec<Event> {
    vec![
        Event::TrialStarted {
            trial,
            parent: None,
            edits: vec![Edit::AddEpochs { epochs: 2 }],
            inherit: Inherit::Nothing,
            reason: "still improving".into(),
            spec_hash: "ab".into(),
            parameters: 61_706,
            flops_per_image: 800_000,
            expected_seconds: None,
            forecast: Some(Forecast {
                accuracy: 0.75,
                low: 0.5,
                high: 0.875,
                passes: 0.25,
                training_flops: 1.5e12,
                images: 110_000,
                out_of_reach: None,
            }),
        },
        epoch(trial, 1, 0.1 + 0.2),
        Event::TrialFinished {
            trial,
            epochs: 1,
            validation_accuracy: 0.5,
            train_seconds: 8.0,
            images_per_second: 6000.0,
            diagnosis: Conclusion {
                diagnosis: Diagnosis::Underfit,
                ending: Ending::Completed,
                evidence: "too few filters".into(),
                out_of_time: None,
            },
        },
        Event::GateDecided {
            trial,
            decision: Verdict::Continue,
            threshold: 0.8,
            accuracy: 0.5,
            judged: Some(0.48),
            floors: vec![FloorJudgement {
                measure: crate::record::Measure::LeastRecall,
                measured: 0.25,
                judged: 0.25,
                floor: 0.5,
            }],
            basis: Basis::Folds { measured: 2, folds: 5 },
        },
    ]
}

pub(crate) fn epoch(trial: u32, epoch: u32, train_loss: f64) -> Event {
    Event::EpochFinished {
        trial,
        epoch,
        train_loss,
        train_accuracy: 0.9,
        validation_loss: 0.4,
        validation_accuracy: 0.91,
        learning_rate: 0.001,
        seconds: 8.0,
        evaluation_seconds: Some(0.25),
        images: 0,
        course: Vec::new(),
        probe: None,
        recalls: vec![ClassRecall { right: 91, images: 100 }],
        given_up: None,
    }
}
