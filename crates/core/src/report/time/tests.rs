//! Tests of `report::time`.

use jiff::Timestamp;

use super::super::samples::{epoch, finished, started, study_started};
use super::*;

fn spent(events: impl IntoIterator<Item = (i64, Event)>) -> TimeSpent {
    let records: Vec<Recorded> = events
        .into_iter()
        .map(|(second, event)| Recorded { at: Timestamp::from_second(second).unwrap(), event })
        .collect();
    TimeSpent::of(&records)
}

fn resumed() -> Event {
    Event::StudyResumed { run: "r".into(), trials: 0, instruction_set: None }
}

#[test]
fn time_is_told_by_what_it_went_into() {
    // Every epoch trains for 1.5 seconds.
    let spent = spent([
        (0, study_started()),
        (2, started(1, None)),
        (5, epoch(1, 1, 0.3)),
        (7, epoch(1, 2, 0.4)),
        (8, finished(1, 0.4)),
    ]);
    assert_eq!((spent.data, spent.training, spent.evaluation, spent.rest), (2.0, 3.0, 2.0, 1.0));
    assert_eq!((spent.images, spent.overlaps), (110_000, false));
    assert_eq!(spent.images_per_second(), Some(110_000.0 / 3.0));
}

#[test]
fn the_images_are_loaded_before_the_first_event_of_every_process() {
    let loaded = |seconds| Event::ImagesLoaded { images: 9, seconds };
    let spent = spent([
        (0, study_started()),
        (1, loaded(10.0)),
        (2, started(1, None)),
        (4, epoch(1, 1, 0.3)),
        (100, resumed()),
        (100, loaded(4.0)),
        (102, epoch(1, 2, 0.4)),
        (102, loaded(f64::NAN)),
        (102, loaded(-1.0)),
    ]);
    // None of it is evaluation, whose time is what an epoch leaves of the time since the last.
    assert_eq!((spent.data, spent.training, spent.evaluation, spent.rest), (16.0, 3.0, 1.0, 0.0));
    assert!(!spent.overlaps);
}

#[test]
fn the_time_of_no_process_counts_for_nothing() {
    let events = |resumes: i64| {
        [
            (0, study_started()),
            (0, started(1, None)),
            (2, epoch(1, 1, 0.3)),
            (resumes, resumed()),
            (resumes + 2, epoch(1, 2, 0.4)),
        ]
    };
    assert_eq!(spent(events(2)), spent(events(100_000)));
    assert_eq!(spent(events(100_000)).evaluation, 1.0);
}

#[test]
fn trials_that_run_at_the_same_time_are_told() {
    let both = |seconds: i64| {
        [
            (0, study_started()),
            (0, started(1, None)),
            (0, started(2, None)),
            (seconds, epoch(1, 1, 0.3)),
            (seconds, epoch(2, 1, 0.3)),
        ]
    };
    let spent = spent(both(2));
    assert!(spent.overlaps && spent.rest == 0.0, "{spent:?}");
}

#[test]
fn hostile_numbers_and_a_clock_that_went_back_give_finite_parts() {
    let mut broken = epoch(1, 1, 0.3);
    if let Event::EpochFinished { seconds, images, .. } = &mut broken {
        (*seconds, *images) = (f64::NAN, u64::MAX);
    }
    let spent =
        spent([(9, study_started()), (5, started(1, None)), (6, broken.clone()), (2, broken)]);
    assert!(spent.parts().iter().all(|(_, seconds)| seconds.is_finite()), "{spent:?}");
    assert_eq!(spent.images_per_second(), None);
}
