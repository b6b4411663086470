//! Tests of `cluster::overview`.

use super::*;
use crate::report::samples::records;

fn submitted(trial: u32, job: &str) -> Event {
    Event::JobSubmitted { trial, part: "train".into(), submission: 1, job: job.into() }
}

fn ended(trial: u32, node: &str, why: Option<&str>, queue_seconds: f64, seconds: f64) -> Event {
    Event::JobEnded {
        trial,
        part: "train".into(),
        submission: 1,
        job: Some("7".into()),
        node: Some(node.into()),
        why: why.map(str::to_owned),
        queue_seconds,
        seconds,
    }
}

#[test]
fn jobs_add_up_and_what_runs_is_shown_as_the_scheduler_says() {
    let events = [
        submitted(1, "7"),
        ended(1, "n1", Some("its node failed"), 1.0, 4.0),
        submitted(1, "8"),
        ended(1, "n2", None, 2.0, 6.0),
        submitted(2, "9"),
        Event::NodeExcluded { node: "n3".into(), why: "its node failed".into() },
    ];
    let running = JobLine {
        trial: 2,
        part: "train".into(),
        submission: 1,
        attempt: Some(1),
        job: Some("9".into()),
        state: "running".into(),
        node: Some("n1".into()),
        reason: None,
        queue_seconds: 3.0,
        seconds: 5.0,
    };
    // Of a trial that no record knows.
    let unknown = JobLine { trial: 9, ..running.clone() };
    let overview = Overview::of(&records(events), vec![running, unknown]);
    let [first, second] = &overview.trials[..] else { panic!("{overview:?}") };
    assert_eq!((first.trial, first.submissions, first.node.as_deref()), (1, 2, Some("n2")));
    assert_eq!((first.queue_seconds, first.node_seconds), (3.0, 10.0));
    assert_eq!(
        (second.trial, second.state.as_str(), second.job.as_deref()),
        (2, "running", Some("9"))
    );
    assert_eq!((second.queue_seconds, second.node_seconds), (3.0, 5.0));
    assert_eq!(overview.excluded_nodes, ["n3"]);
}
