//! Tests of `chain::training`.

use std::fs::File;
use std::time::SystemTime;

use super::*;
use crate::report::samples::{accepted, records};

#[test]
fn reports_are_written_again_only_if_they_are_older_than_the_record() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let lines = records(accepted()).into_iter().map(|one| one.to_line().unwrap() + "\n");
    std::fs::write(at("events.jsonl"), lines.collect::<String>()).unwrap();
    std::fs::write(at("study.toml"), "[model]\nlayers = []\n").unwrap();
    write_missing_reports(folder.path()).unwrap();
    assert!(at("report.md").exists());
    std::fs::remove_file(at("report.md")).unwrap();
    let recorded_at = |at: SystemTime, path: PathBuf| {
        File::options().write(true).open(path).unwrap().set_modified(at).unwrap();
    };
    let now = SystemTime::now();
    recorded_at(now, at("events.jsonl"));
    recorded_at(now, at("junit.xml"));
    write_missing_reports(folder.path()).unwrap();
    assert!(!at("report.md").exists(), "they are those of this record");
    recorded_at(now + Duration::from_secs(1), at("events.jsonl"));
    write_missing_reports(folder.path()).unwrap();
    assert!(at("report.md").exists());
}
