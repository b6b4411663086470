//! Tests of `chain::clear`.

use super::*;
use crate::chain::failed_builds_tests::chain_with_failed_builds;

#[test]
fn what_a_crash_left_of_a_cleared_build_is_removed_and_other_builds_stay() {
    let folder = tempfile::tempdir().unwrap();
    let text = "[[repository]]\nname = \"digits\"\nurl = \"/srv/git/digits.git\"\n";
    let chain = chain_with_failed_builds(folder.path(), text);
    for id in [1, 2] {
        std::fs::create_dir_all(chain.places.build(id).join("checkout")).unwrap();
    }
    assert!(chain.store.set_cleared(1).unwrap());
    remove_what_was_cleared(&chain).unwrap();
    assert!(!chain.places.build(1).exists() && chain.places.build(2).exists());
}
