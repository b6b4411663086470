//! Tests of `serve::watcher`.

use super::*;
use crate::chain::{BuildRequest, Cause, StageName};

#[test]
fn builds_that_changed_are_told_and_no_others() {
    let folder = tempfile::tempdir().unwrap();
    let (store, places) = (Store::in_memory(), Places::new(folder.path()));
    for commit in ["a", "b"] {
        let repository = if commit == "a" { "digits" } else { "letters" };
        store
            .enqueue(BuildRequest { repository, branch: "main", commit, cause: Cause::Push })
            .unwrap();
    }
    let seen = || look(&store, &places).map_err(|problem| problem.text).unwrap();
    let first = seen();
    assert_eq!(seen().since(&first), News::default());
    store.start(2).unwrap();
    let second = seen();
    assert_eq!(second.since(&first).builds, [2]);
    store.begin_stage(2, StageName::Pull).unwrap();
    let third = seen();
    assert_eq!(third.since(&second).builds, [2]);
    std::fs::create_dir_all(places.build(2)).unwrap();
    std::fs::write(places.log(2), "a line\n").unwrap();
    assert_eq!(seen().since(&third).builds, [2]);
    store.record_refusals(&[("digits", "github", "forged")]).unwrap();
    assert!(seen().since(&third).deliveries);
}
