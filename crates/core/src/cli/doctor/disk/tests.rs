//! Tests of `cli::doctor::disk`.

use super::*;
use crate::sys::files::RealFiles;

#[test]
fn a_folder_that_does_not_exist_yet_is_judged_by_the_one_above_it() {
    let folder = tempfile::tempdir().unwrap();
    let runs_folder = folder.path().join("a/b/runs");
    let checks = runs(&RealFiles, &runs_folder);
    assert!(
        checks[0].status == Status::Ok && checks[0].found.contains("will be created"),
        "{checks:?}"
    );
    assert!(!folder.path().join("a").exists());
    assert_eq!(existing(Path::new("nowhere/runs")), Some(".".into()));
}

#[test]
fn a_file_in_the_place_of_the_folder_is_a_fault() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("runs");
    std::fs::write(&file, "").unwrap();
    let checks = runs(&RealFiles, &file);
    assert_eq!(checks[0].status, Status::Fault, "{checks:?}");
    assert!(checks[0].remedy.as_ref().unwrap().contains("--runs"));
}
