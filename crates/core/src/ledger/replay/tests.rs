//! Tests of `ledger::replay`.

use jiff::Timestamp;

use super::*;
use crate::ledger::event::samples_tests as samples;

fn records(events: impl IntoIterator<Item = Event>) -> Vec<Recorded> {
    let at = |(second, event)| Recorded { at: Timestamp::from_second(second).unwrap(), event };
    (0..).zip(events).map(at).collect()
}

#[test]
fn an_interrupted_study_reads_like_one_that_was_not() {
    let mut whole = samples::of_a_trial(1);
    whole.extend(samples::of_a_trial(2));
    let mut cut = whole[..2].to_vec();
    cut.push(Event::SupervisorRestarted { cause: "SIGKILL".into(), attempt: 1, delay: 1.0 });
    cut.push(Event::TrialResumed { trial: 1, epoch: 0, step: 7, fold: None });
    cut.extend_from_slice(&whole[1..]);
    if let Event::EpochFinished { seconds, .. } = &mut cut[4] {
        *seconds = 99.0;
    }
    assert_eq!(uninterrupted(&records(cut)), uninterrupted(&records(whole)));
}

#[test]
fn other_values_are_told_apart() {
    let one = uninterrupted(&records([samples::epoch(1, 1, 0.5)]));
    let other = uninterrupted(&records([samples::epoch(1, 1, 0.6)]));
    assert_ne!(one, other);
}
