//! Tests of `chain::store::builds`.

use super::*;
use crate::chain::store::{BuildRequest, Cause, Queued};

fn failed_build(store: &Store) -> BuildRow {
    let asked =
        BuildRequest { repository: "digits", branch: "main", commit: "a", cause: Cause::Push };
    let Queued::New(id) = store.enqueue(asked).unwrap() else { panic!() };
    store.start(id).unwrap();
    store.end(id, Verdict::Failed, "the disk is full").unwrap();
    store.build(id).unwrap().unwrap()
}

#[test]
fn the_next_verdict_of_a_build_that_is_reopened_while_it_is_told_of_is_told_too() {
    let store = Store::in_memory();
    let build = failed_build(&store);
    assert!(store.reopen(build.id).unwrap());
    store.set_told(&build).unwrap();
    store.set_sent(&build).unwrap();
    store.set_status(&build, "error").unwrap();
    assert_eq!(store.without_status().unwrap().len(), 1, "it is queued");
    store.start(build.id).unwrap();
    store.end(build.id, Verdict::Accepted, "").unwrap();
    store.set_told(&build).unwrap();
    store.set_status(&build, "error").unwrap();
    assert_eq!(store.untold().unwrap().len(), 1);
    assert_eq!(store.without_status().unwrap().len(), 1);
    let accepted = store.build(build.id).unwrap().unwrap();
    store.set_told(&accepted).unwrap();
    store.set_status(&accepted, "success").unwrap();
    assert_eq!(store.unsent().unwrap().len(), 1);
    store.set_sent(&accepted).unwrap();
    assert!(store.unsent().unwrap().is_empty() && store.without_status().unwrap().is_empty());
}

#[test]
fn a_build_that_is_reopened_keeps_its_files() {
    let store = Store::in_memory();
    let build = failed_build(&store);
    assert!(store.reopen(build.id).unwrap());
    assert!(!store.set_cleared(build.id).unwrap());
    store.start(build.id).unwrap();
    store.end(build.id, Verdict::Failed, "").unwrap();
    assert!(store.set_cleared(build.id).unwrap());
    assert!(!store.reopen(build.id).unwrap(), "its files are gone");
}

#[test]
fn the_stages_of_a_build_that_is_resumed_do_not_take_the_time_in_between() {
    let store = Store::in_memory();
    let build = failed_build(&store).id;
    let stage = |name| store.stages(build).unwrap().into_iter().find(|stage| stage.name == name);
    for name in [StageName::Pull, StageName::Notify] {
        store.begin_stage(build, name).unwrap();
        store.end_stage(build, name, StageState::Done, "").unwrap();
    }
    store.begin_stage(build, StageName::Train).unwrap();
    let train = stage(StageName::Train).unwrap().started;
    std::thread::sleep(std::time::Duration::from_millis(20));
    assert!(store.reopen(build).unwrap());
    assert_eq!(stage(StageName::Notify), None, "its next verdict is not told yet");
    for name in [StageName::Pull, StageName::Train] {
        store.begin_stage(build, name).unwrap();
    }
    assert!(stage(StageName::Pull).unwrap().started > train);
    assert_eq!(stage(StageName::Train).unwrap().started, train, "it was cut off, and goes on");
}
