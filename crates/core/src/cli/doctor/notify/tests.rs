//! Tests of `cli::doctor::notify`.

use super::*;

#[test]
fn programs_are_found_as_the_system_finds_them() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    for (name, mode) in [("tell", 0o755), ("text", 0o644)] {
        std::fs::write(at(name), "").unwrap();
        std::fs::set_permissions(at(name), std::fs::Permissions::from_mode(mode)).unwrap();
    }
    let path = std::env::join_paths(["/nowhere".into(), folder.path().to_owned()]).unwrap();
    assert_eq!(find("tell", &path), Some(at("tell")));
    assert_eq!(find("text", &path), None);
    assert_eq!(find(at("tell").to_str().unwrap(), OsStr::new("")), Some(at("tell")));
    assert_eq!(find("missing", &path), None);
    let spec = NotifySpec { command: Some(vec!["/nowhere/tell".into()]), ..NotifySpec::default() };
    assert!(notify(&spec)[0].remedy.is_some());
    assert_eq!(notify(&NotifySpec::default()), []);
}
