//! Tests of `sys::heartbeat`.

use super::*;

fn at(trial: u32, step: u64) -> Position {
    Position { trial, epoch: 1, step }
}

#[test]
fn the_last_beat_is_read_back_and_every_beat_differs() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(last_beat(folder.path()), None);
    let heart = Heartbeat::open(folder.path()).unwrap();
    let far = Position { trial: 12, epoch: 1000, step: 123_456_789 };
    heart.move_to(far).unwrap();
    let first = last_beat(folder.path()).unwrap();
    assert_eq!((first.position, first.pid), (far, std::process::id()));
    heart.beat().unwrap();
    heart.beat().unwrap();
    let third = last_beat(folder.path()).unwrap();
    assert_eq!((third.position, third.beats), (far, 3));
}

#[test]
fn all_trials_that_train_at_the_same_time_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let heart = Heartbeat::open(folder.path()).unwrap();
    for trial in (1..=256).rev() {
        heart.move_to(at(trial, u64::MAX - u64::from(trial))).unwrap();
    }
    let positions = last_beat(folder.path()).unwrap().positions();
    let expected = (1..=256).map(|trial| at(trial, u64::MAX - u64::from(trial)));
    assert_eq!(positions, expected.collect::<Vec<_>>());
    for trial in 1..=255 {
        heart.leave(trial).unwrap();
    }
    let only = last_beat(folder.path()).unwrap();
    assert_eq!(only.positions(), [at(256, u64::MAX - 256)]);
    heart.leave(256).unwrap();
    assert_eq!(last_beat(folder.path()).unwrap().position, only.position, "where it was last");
}

#[test]
fn nothing_is_left_of_a_longer_beat_of_an_earlier_process() {
    let folder = tempfile::tempdir().unwrap();
    let earlier = Heartbeat::open(folder.path()).unwrap();
    for trial in 1..=20 {
        earlier.move_to(at(trial, 9)).unwrap();
    }
    let heart = Heartbeat::open(folder.path()).unwrap();
    heart.move_to(at(3, 1)).unwrap();
    assert_eq!(last_beat(folder.path()).unwrap().positions(), [at(3, 1)]);
}

#[test]
fn a_damaged_heartbeat_is_none() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join(HEARTBEAT_FILE), [0xff; 1000]).unwrap();
    assert_eq!(last_beat(folder.path()), None);
}
