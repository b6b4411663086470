//! Several trials at a time.

use std::path::Path;
use std::time::Duration;

use burgeon::record::{Ending, Inherit};
use burgeon::spec::Policy;
use burgeon::study::StopFlag;
use burgeon::train::Flow;
use burgeon::unstable::ledger::{Event, Outcome, Verdict, read, uninterrupted};
use burgeon::unstable::study::{
    Ended, Growth, StudyError, TestResult, Trainer, TrainerError, TrialObserver, TrialOutcome,
    TrialTask,
};
use burgeon::unstable::sys::files::RealFiles;

use super::field::{Field, POLICIES, parallel};
use super::{Run, epoch};

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
fn searches_fill_all_jobs_at_once_and_growth_follows_from_the_first_trial() {
    for policy in POLICIES {
        let run = Run::new();
        run.finish(&parallel(policy, 4, 0.99), &Field::of(|_| 1));
        let events = run.events();
        let position = |is_it: &dyn Fn(&Event) -> bool| events.iter().position(is_it).unwrap();
        let judged = position(&|event| matches!(event, Event::GateDecided { trial: 1, .. }));
        let before: Vec<u32> = events[..judged]
            .iter()
            .filter_map(|event| match event {
                Event::TrialStarted { trial, inherit, .. } => {
                    assert_eq!(*inherit, Inherit::Nothing);
                    Some(*trial)
                }
                _ => None,
            })
            .collect();
        let expected: &[u32] = if policy == Policy::Grow { &[1] } else { &[1, 2, 3, 4] };
        assert_eq!(before, expected, "{policy:?}");
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
