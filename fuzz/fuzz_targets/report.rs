//! Reports over any events that can be read: they are written, and text in them stays text.
#![no_main]

use burgeon::ledger::parse_events;
use burgeon::report::Report;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(parsed) = parse_events(bytes) else { return };
    let report = Report::from_records(&parsed.records);
    let page = report.to_html();
    for forbidden in ["<script", "<style", "<img", "javascript:\""] {
        assert!(!page.contains(forbidden), "{forbidden}");
    }
    assert!(!report.to_markdown().is_empty());
    let cases = report.to_junit().expect("any text can be a test case's");
    assert!(cases.contains("name=\"gate\""));
    let tree = report.lineage.tree();
    assert!(report.lineage.trials.is_empty() || !tree.is_empty());
});
