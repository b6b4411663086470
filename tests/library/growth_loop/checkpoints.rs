//! Which trials' checkpoints are kept.

use std::sync::Mutex;

use burgeon::spec::{Goal, InputShape, Keep, Spec};
use burgeon::study::StopFlag;
use burgeon::unstable::ledger::Event;
use burgeon::unstable::study::{Extension, Growth};

use super::field::{Field, POLICIES, parallel};
use super::playback::{Playback, asked};
use super::{Run, spec};

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
