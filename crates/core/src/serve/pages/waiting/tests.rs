//! Tests of `serve::pages::waiting`.

use super::*;
use crate::chain::{BuildRequest, Cause};

#[test]
fn what_waits_is_told_why() {
    let store = Store::in_memory();
    let ask = |repository, branch, commit| {
        store.enqueue(BuildRequest { repository, branch, commit, cause: Cause::Push }).unwrap();
    };
    ask("digits", "main", "a");
    let why = |most| -> Vec<String> {
        waiting(&store, most, 0).unwrap().into_iter().map(|one| one.why).collect()
    };
    assert_eq!(why(1), ["it is about to start"]);
    store.start(1).unwrap();
    ask("digits", "main", "b");
    ask("letters", "main", "c");
    ask("shapes", "main", "d");
    assert_eq!(
        why(2),
        [
            "build 1 of digits is running",
            "it is about to start",
            "2 builds are running or starting, which is the maximum"
        ]
    );
    assert_eq!(why(1)[1], "another build is running, and only one may run at a time");
}
