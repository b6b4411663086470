//! Tests of `report::markdown`.

use super::super::samples::{accepted, hostile, records};
use super::*;

#[test]
fn an_accepted_study_fits_a_pull_request() {
    let text = Report::from_records(&records(accepted())).to_markdown();
    assert!(text.starts_with("# seedling\n\n✅ Accepted: trial 2, 87.18 %"), "{text}");
    assert!(text.contains("| 2 | 1 | train for 2 more epochs | 87.18 % | 1,370 | 20.0 k |"));
    assert!(text.contains("```text\ntrial 1  40.00 %"), "{text}");
    assert!(text.contains("└─ trial 2") && text.contains("None."), "{text}");
}

#[test]
fn what_was_inherited_and_forgotten_is_said() {
    let text = Report::from_records(&records(super::super::samples::continued())).to_markdown();
    let inherited = "Trial 1 started with the weights of runs/old-0001: 1 class kept, 1 new (dog), no dropped ones.";
    assert!(text.contains(inherited), "{text}");
    assert!(text.contains("Old validation images: 97.00 % correct before, 93.00 % now (100 images of 1 shared classes)."), "{text}");
    assert!(text.contains("| started with | runs/old-0001 |"), "{text}");
}

#[test]
fn what_is_odd_about_the_data_and_what_the_gate_missed_is_said() {
    let text = Report::from_records(&records(super::super::samples::imbalanced())).to_markdown();
    assert!(text.contains("- ⚠️ 99.00 % of the training images are of class cat"), "{text}");
    assert!(text.contains("- trial 1: least recall 0.00 % is below the gate of 50.00 %"), "{text}");
    assert!(text.contains("Rejected: least recall 0.00 % is below the gate of 50.00 %"), "{text}");
}

#[test]
fn a_cross_validation_is_said_with_its_interval() {
    let events = super::super::samples::cross_validated();
    let text = Report::from_records(&records(events)).to_markdown();
    let said = "- trial 2: cross-validated over 3 folds: 87.50 % (80.4 % to 92.3 %)";
    assert!(text.contains(said), "{text}");
    assert!(text.contains("- trial 1: cross-validated over 1 of 3 folds"), "{text}");
}

#[test]
fn hostile_text_stays_on_its_line_and_in_its_cell() {
    let text = Report::from_records(&records(hostile())).to_markdown();
    let (before, after) = text.split_once("```text\n").unwrap();
    let (tree, after) = after.split_once("\n```\n").unwrap();
    assert!(tree.contains("<script>") && tree.contains("`x`"), "{tree}");
    for text in [before, after] {
        assert!(!text.replace("\\<", "").contains('<'), "{text}");
    }
    let headings = text.lines().filter(|line| line.starts_with('#')).count();
    assert_eq!(headings, 5, "{text}");
    let unescaped = |line: &str| line.replace("\\|", "").matches('|').count();
    let rows: Vec<_> = before.lines().filter(|line| line.starts_with('|')).collect();
    assert!(rows.len() == 4 && rows.iter().all(|row| unescaped(row) == 11), "{rows:?}");
}

#[test]
fn a_tree_too_long_for_a_comment_is_cut_at_a_line() {
    use super::super::samples::started;
    let chain = (1..=100).map(|trial| {
        let mut event = started(trial, (trial > 1).then(|| trial - 1));
        if let crate::ledger::Event::TrialStarted { reason, .. } = &mut event {
            *reason = "because ".repeat(60);
        }
        event
    });
    let text = Report::from_records(&records(chain)).to_markdown();
    assert!(text.len() < 60_000 && text.contains("… the rest is in report.html\n```\n"));
}
