//! Tests of `chain::store::listing`.

use super::*;
use crate::chain::store::{BuildRequest, Cause, Queued, StageState};

#[test]
fn stages_and_figures_of_many_builds_are_read_at_once() {
    let store = Store::in_memory();
    for commit in ["a", "b", "c"] {
        let asked =
            BuildRequest { repository: "digits", branch: "main", commit, cause: Cause::Push };
        let Queued::New(id) = store.enqueue(asked).unwrap() else { panic!() };
        store.start(id).unwrap();
        store.begin_stage(id, StageName::Detect).unwrap();
        store.begin_stage(id, StageName::Pull).unwrap();
        store.end_stage(id, StageName::Pull, StageState::Done, "").unwrap();
        if commit != "b" {
            store.set_accuracy(id, Some(0.5), Some(0.8)).unwrap();
        }
    }
    let names = |builds: &[i64]| -> Vec<_> {
        let stages = store.stages_of(builds).unwrap();
        stages.iter().map(|(build, stage)| (*build, stage.name)).collect()
    };
    let (pull, detect) = (StageName::Pull, StageName::Detect);
    assert_eq!(names(&[3, 2]), [(2, pull), (2, detect), (3, pull), (3, detect)]);
    assert_eq!(names(&[1, 3]).len(), 4, "those in between are not read");
    assert_eq!(names(&[]), []);
    let measured = store.measured("digits", 10).unwrap();
    assert_eq!(measured.iter().map(|one| one.build).collect::<Vec<_>>(), [1, 3]);
}
