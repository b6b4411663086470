//! Tests of `chain::store::deliveries`.

use super::*;

fn one(store: &Store, new: NewDelivery) -> Recorded {
    store.record_deliveries(&[new]).unwrap()[0]
}

fn push<'a>(delivery: &'a str, commit: &'a str) -> NewDelivery<'a> {
    NewDelivery {
        repository: "digits",
        source: "github",
        delivery,
        event: "push",
        branch: "main",
        commit,
        ignored: None,
    }
}

#[test]
fn a_call_is_taken_once_and_a_commit_built_once() {
    let store = Store::in_memory();
    let first = one(&store, push("1", "a"));
    assert_eq!(first, Recorded::New(DeliveryOutcome::Queued, Some(1)));
    assert_eq!(one(&store, push("1", "b")), Recorded::Seen);
    let same = one(&store, push("2", "a"));
    assert_eq!(same, Recorded::New(DeliveryOutcome::Known, Some(1)));
    let other = NewDelivery { ignored: Some("another branch"), ..push("3", "c") };
    assert_eq!(one(&store, other), Recorded::New(DeliveryOutcome::Ignored, None));
    let listed = store.deliveries(None, 10).unwrap();
    assert_eq!(listed.len(), 3);
    assert_eq!(listed[0].why, "another branch");
    assert_eq!(store.builds(None, None, 10).unwrap().len(), 1);
}

#[test]
fn forged_calls_start_nothing_and_do_not_fill_the_disk() {
    let store = Store::in_memory();
    for _ in 0..REFUSED_KEPT + 50 {
        store.record_refusals(&[("digits", "github", "the signature is wrong")]).unwrap();
    }
    assert_eq!(store.deliveries(None, 5000).unwrap().len() as u32, REFUSED_KEPT);
    assert!(store.builds(None, None, 10).unwrap().is_empty());
}
