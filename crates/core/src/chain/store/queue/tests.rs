//! Tests of `chain::store::queue`.

use super::*;
use crate::chain::store::{StageName, StageState, Verdict};

fn asked(commit: &str, cause: Cause) -> BuildRequest<'_> {
    BuildRequest { repository: "digits", branch: "main", commit, cause }
}

#[test]
fn newer_pushes_supersede_those_that_wait_and_not_those_that_run() {
    let store = Store::in_memory();
    let Queued::New(first) = store.enqueue(asked("a", Cause::Push)).unwrap() else { panic!() };
    store.start(first).unwrap();
    let Queued::New(second) = store.enqueue(asked("b", Cause::Push)).unwrap() else { panic!() };
    assert!(store.startable().unwrap().is_empty(), "one at a time");
    let Queued::New(third) = store.enqueue(asked("c", Cause::Poll)).unwrap() else { panic!() };
    let second = store.build(second).unwrap().unwrap();
    assert_eq!((second.verdict, second.superseded_by), (Some(Verdict::Superseded), Some(third)));
    assert!(!second.told, "its author is still to be told");
    assert_eq!(store.build(first).unwrap().unwrap().state, BuildState::Running);
    store.end(first, Verdict::Accepted, "").unwrap();
    assert_eq!(store.startable().unwrap()[0].id, third);
}

#[test]
fn a_commit_is_built_once_unless_somebody_asks_again() {
    let store = Store::in_memory();
    let Queued::New(first) = store.enqueue(asked("a", Cause::Push)).unwrap() else { panic!() };
    assert_eq!(store.enqueue(asked("a", Cause::Poll)).unwrap(), Queued::Known(first));
    assert_eq!(
        store.enqueue(asked("a", Cause::Asked)).unwrap(),
        Queued::Known(first),
        "it waits already"
    );
    store.end(first, Verdict::Failed, "broken").unwrap();
    assert_eq!(store.enqueue(asked("a", Cause::Push)).unwrap(), Queued::Known(first));
    let Some(Queued::New(again)) = store.retry(first).unwrap() else { panic!() };
    assert_eq!(store.build(again).unwrap().unwrap().cause, Cause::Retry);
    assert_eq!(store.retry(again).unwrap(), None, "it has not ended");
}

#[test]
fn one_that_waits_is_stopped_at_once_and_one_that_runs_by_its_worker() {
    let store = Store::in_memory();
    let Queued::New(first) = store.enqueue(asked("a", Cause::Push)).unwrap() else { panic!() };
    assert!(store.ask_to_stop(first).unwrap());
    assert_eq!(store.build(first).unwrap().unwrap().verdict, Some(Verdict::Cancelled));
    let Queued::New(second) = store.enqueue(asked("b", Cause::Push)).unwrap() else { panic!() };
    store.start(second).unwrap();
    assert!(store.ask_to_stop(second).unwrap());
    let second = store.build(second).unwrap().unwrap();
    assert!(second.stop_asked && second.state == BuildState::Running);
    store.end(second.id, Verdict::Cancelled, "").unwrap();
    assert!(!store.ask_to_stop(second.id).unwrap());
}

#[test]
fn what_failed_can_go_on_and_what_passed_cannot() {
    let store = Store::in_memory();
    let Queued::New(build) = store.enqueue(asked("a", Cause::Push)).unwrap() else { panic!() };
    store.start(build).unwrap();
    store.end(build, Verdict::Failed, "the disk is full").unwrap();
    assert!(store.reopen(build).unwrap());
    let row = store.build(build).unwrap().unwrap();
    assert_eq!((row.state, row.verdict, row.verdicts), (BuildState::Queued, None, 1));
    store.start(build).unwrap();
    store.end(build, Verdict::Accepted, "").unwrap();
    assert!(!store.reopen(build).unwrap());
    assert_eq!(store.build(build).unwrap().unwrap().verdicts, 2);
}

#[test]
fn everything_is_there_after_the_file_is_opened_again() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("state/burgeon.sqlite");
    let store = Store::open(&file).unwrap();
    let Queued::New(build) = store.enqueue(asked("a", Cause::Push)).unwrap() else { panic!() };
    store.start(build).unwrap();
    store.begin_stage(build, StageName::Pull).unwrap();
    store.end_stage(build, StageName::Pull, StageState::Done, "3 files").unwrap();
    store.begin_stage(build, StageName::Train).unwrap();
    drop(store);
    let store = Store::open(&file).unwrap();
    let stages = store.stages(build).unwrap();
    assert_eq!(stages.iter().map(|stage| stage.name.word()).collect::<Vec<_>>(), ["pull", "train"]);
    assert_eq!((stages[0].state, &*stages[0].note), (StageState::Done, "3 files"));
    assert_eq!(store.in_state(BuildState::Running).unwrap()[0].starts, 1);
    assert!(store.median_ms("digits", StageName::Pull).unwrap().is_some());
    rusqlite::Connection::open(&file).unwrap().pragma_update(None, "user_version", 99).unwrap();
    assert!(Store::open(&file).unwrap_err().to_string().contains("newer burgeon"));
}
