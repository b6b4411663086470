//! Tests of `report::html::trials`.

use super::*;
use crate::report::samples::{accepted, records, started};

fn tree(report: &Report) -> String {
    let mut markup = Markup::default();
    report.lineage_list(&mut markup);
    markup.finish()
}

#[test]
fn a_chain_is_one_list_and_a_branch_a_list_within() {
    let chain = (1..=30).map(|trial| started(trial, (trial > 1).then(|| trial - 1)));
    assert_eq!(tree(&Report::from_records(&records(chain))).matches("<ol").count(), 1);
    let forked = [started(1, None), started(2, Some(1)), started(3, Some(1))];
    let tree = tree(&Report::from_records(&records(forked)));
    let at = |text: &str| tree.find(text).unwrap();
    assert_eq!(tree.matches("<ol").count(), 2, "{tree}");
    // The branch closes before the line goes on with the younger child.
    assert!(at("Trial 2") < at("</ol>") && at("</ol>") < at("Trial 3"), "{tree}");
}

#[test]
fn a_trial_tells_what_changed_why_what_was_kept_what_it_cost_and_what_it_lacked() {
    let tree = tree(&Report::from_records(&records(accepted())));
    for said in [
        "<li>train for 2 more epochs</li>",
        "<dd>why not</dd>",
        "from trial 1: continues from its parent&#39;s last state",
        "1,370 parameters, 20.0 k FLOPs per image, 2 epochs, 3.0 s, 36,000 images/s",
        "underfit: too few filters",
        "passed the gate",
    ] {
        assert!(tree.contains(said), "{said}: {tree}");
    }
}
