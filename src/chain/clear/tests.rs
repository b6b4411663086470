//! Tests of `chain::clear`.

use std::path::Path;

use super::*;
use crate::chain::{BuildRequest, Cause, Config, Queued, Verdict};

#[test]
fn what_a_crash_left_of_a_cleared_build_is_removed_and_other_builds_stay() {
    let folder = tempfile::tempdir().unwrap();
    let text = "[[repository]]\nname = \"digits\"\nurl = \"/srv/git/digits.git\"\n";
    let config = Config::parse(Path::new("server.toml"), folder.path(), text).unwrap();
    let chain = Chain::open(config, "burgeon".into()).unwrap();
    for commit in ["a", "b"] {
        let asked =
            BuildRequest { repository: "digits", branch: "main", commit, cause: Cause::Push };
        let Queued::New(id) = chain.store.enqueue(asked).unwrap() else { panic!() };
        chain.store.start(id).unwrap();
        chain.store.end(id, Verdict::Failed, "").unwrap();
        std::fs::create_dir_all(chain.places.build(id).join("checkout")).unwrap();
    }
    assert!(chain.store.set_cleared(1).unwrap());
    remove_what_was_cleared(&chain).unwrap();
    assert!(!chain.places.build(1).exists() && chain.places.build(2).exists());
}
