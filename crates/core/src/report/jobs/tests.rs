//! Tests of `report::jobs`.

use super::*;

fn ended(node: Option<&str>, why: Option<&str>, seconds: f64) -> Event {
    Event::JobEnded {
        trial: 1,
        part: "train".into(),
        submission: 1,
        job: None,
        node: node.map(str::to_owned),
        why: why.map(str::to_owned),
        queue_seconds: 0.5,
        seconds,
    }
}

#[test]
fn the_cost_is_told_in_node_seconds_with_what_was_lost() {
    let mut jobs = Jobs::default();
    assert_eq!(jobs.sentences(), Vec::<String>::new());
    for event in [
        ended(Some("n1"), None, 10.0),
        ended(Some("n2"), Some("its node failed"), 4.0),
        ended(None, Some("burgeon never started in it"), 0.0),
        Event::NodeExcluded { node: "n2".into(), why: "its node failed".into() },
    ] {
        jobs.add(&event);
    }
    let told = jobs.sentences().join("\n");
    for part in ["3 jobs held nodes for 14.0 node-seconds", "waited 1.5 s", "2 of them", "4.0 node"]
    {
        assert!(told.contains(part), "{part}: {told}");
    }
    assert!(told.contains("Node n1: 1 job, 10.0 s.") && told.contains("n2 was excluded"), "{told}");
}
