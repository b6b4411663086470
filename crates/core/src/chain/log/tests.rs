//! Tests of `chain::log`.

use super::*;

#[test]
fn a_long_log_keeps_its_beginning_and_its_end_and_stays_within_its_limit() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log.txt");
    let mut log = BuildLog::open(&path, 10_000).unwrap();
    for line in 0..5000 {
        log.say(StageName::Train, &format!("line {line}"));
        assert!(std::fs::metadata(&path).unwrap().len() <= 10_000, "{line}");
    }
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.starts_with("[train] line 0\n") && text.ends_with("[train] line 4999\n"));
    assert!(text.contains("bytes are left out"), "{text}");
    drop(log);
    BuildLog::open(&path, 10_000).unwrap().print(&[b'x'; 50_000]);
    assert!(std::fs::metadata(&path).unwrap().len() <= 10_000);
}
