//! Tests of `report::runs::listing`.

use super::*;

#[test]
fn runs_are_told_from_what_lies_beside_them() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    for name in ["b-0001", "a-0001", "photos", ".hidden"] {
        fs::create_dir(at(name)).unwrap();
    }
    for name in ["b-0001/study.toml", "a-0001/study.toml", ".hidden/study.toml", "notes"] {
        fs::write(at(name), "").unwrap();
    }
    std::os::unix::fs::symlink(at("a-0001"), at("link")).unwrap();
    std::os::unix::fs::symlink(at("nowhere"), at("broken")).unwrap();
    let found = find(folder.path()).unwrap();
    assert_eq!(found.runs, [at("a-0001"), at("b-0001"), at("link")]);
    assert_eq!(found.foreign.len(), 1, "{:?}", found.foreign);
    assert_eq!(found.foreign[0].path, at("photos"));
    assert_eq!(find(&at("nowhere")).unwrap(), Found::default());
    assert!(find(&at("notes")).is_err());
}
