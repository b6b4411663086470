//! Tests of `report::runs::size`.

use super::*;

#[test]
fn a_file_counts_once_and_what_a_link_leads_to_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let empty = size_of(folder.path());
    fs::create_dir_all(at("a/b")).unwrap();
    let folders = size_of(folder.path()).bytes - empty.bytes;
    fs::write(at("a/b/file"), vec![7; 100_000]).unwrap();
    let one = size_of(folder.path());
    assert!(one.is_whole && one.bytes - folders >= 100_000 && one.bytes < 200_000, "{one:?}");
    fs::hard_link(at("a/b/file"), at("again")).unwrap();
    std::os::unix::fs::symlink("/", at("root")).unwrap();
    std::os::unix::fs::symlink(folder.path(), at("a/circle")).unwrap();
    let more = size_of(folder.path());
    assert!(more.is_whole && more.bytes < one.bytes + 10_000, "{more:?}");
}

#[test]
fn what_is_too_deep_is_told() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir_all(folder.path().join("deeper/".repeat(100))).unwrap();
    assert!(!size_of(folder.path()).is_whole);
    assert!(size_of(&folder.path().join("nowhere")).is_whole);
}
