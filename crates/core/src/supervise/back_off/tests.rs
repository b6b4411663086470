//! Tests of `supervise::back_off`.

use super::*;

fn seconds(back_off: &mut BackOff, count: usize) -> Vec<u64> {
    (0..count).map(|_| back_off.next_delay().as_secs()).collect()
}

#[test]
fn waits_double_up_to_a_minute_and_start_again_after_a_healthy_life() {
    let options = SuperviseOptions { jitter: 0.0, ..SuperviseOptions::default() };
    let mut back_off = BackOff::new(&options);
    assert_eq!(seconds(&mut back_off, 8), [1, 2, 4, 8, 16, 32, 60, 60]);
    back_off.reset();
    assert_eq!(seconds(&mut back_off, 2), [1, 2]);
}

#[test]
fn jitter_stays_within_its_share_and_is_not_always_the_same() {
    let max_delay = Duration::from_secs(1);
    let options = SuperviseOptions { max_delay, ..SuperviseOptions::default() };
    let mut back_off = BackOff::new(&options);
    let delays: Vec<f64> = (0..100).map(|_| back_off.next_delay().as_secs_f64()).collect();
    assert!(delays.iter().all(|delay| (0.75..=1.25).contains(delay)), "{delays:?}");
    assert!(delays.iter().any(|delay| *delay < 0.9));
    assert!(delays.iter().any(|delay| *delay > 1.1));
}
