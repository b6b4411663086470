//! Tests of `registry::judge`.

use super::*;
use crate::spec::Bytes;

/// 1,000 images of two classes, of which the first so many are right.
fn right(count: usize) -> Vec<bool> {
    (0..1000).map(|at| at < count).collect()
}

fn measured(version: u64, right: &[bool]) -> Measured<'_> {
    Measured { version, right, seen: &[], size_bytes: 1000, latency_ms: 1.0, data_checked: true }
}

fn judged(settings: &PromotionSettings, new: &Measured, before: Option<&Measured>) -> Judgement {
    let labels: Vec<u16> = (0..1000).map(|at| at % 2).collect();
    let classes = ["cat".to_owned(), "dog".to_owned()];
    let judges = Judges { held_out: "h", labels: &labels, classes: &classes };
    judge(settings, judges, new, before)
}

fn gate(accuracy: f64) -> PromotionSettings {
    PromotionSettings { accuracy, ..PromotionSettings::default() }
}

#[test]
fn the_gate_is_absolute() {
    let (good, bad) = (right(900), right(899));
    assert!(judged(&gate(0.9), &measured(1, &good), None).accepted);
    let refused = judged(&gate(0.9), &measured(1, &bad), None);
    assert!(!refused.accepted);
    assert_eq!(refused.reasons, ["accuracy 89.90 % is below the gate of 90.00 %"]);
}

#[test]
fn a_version_that_is_worse_by_more_than_chance_or_may_be_is_refused() {
    let before = right(950);
    let (much, little, same) = (right(900), right(940), right(950));
    let refusal = |right: &[bool]| {
        let judged = judged(&gate(0.5), &measured(2, right), Some(&measured(1, &before)));
        judged.reasons.first().cloned().unwrap_or_default()
    };
    assert!(refusal(&much).contains("significantly worse than version 1"));
    assert!(refusal(&little).contains("significantly worse"), "10 to 0 is no chance");
    assert_eq!(refusal(&same), "");
    // 20 images that only one has right, on each side: equal, but not known within a point.
    let mut other = right(930);
    other[950..970].fill(true);
    assert!(refusal(&other).contains("may be worse"), "{}", refusal(&other));
    let wide = PromotionSettings { margin: 0.05, ..gate(0.5) };
    assert!(judged(&wide, &measured(2, &other), Some(&measured(1, &before))).accepted);
    // Known to be a point worse, which may be within what is given up for other images.
    let within = PromotionSettings { require: Requirement::WithinMargin, ..wide };
    assert!(judged(&within, &measured(2, &little), Some(&measured(1, &before))).accepted);
    assert!(!judged(&within, &measured(2, &much), Some(&measured(1, &before))).accepted);
}

#[test]
fn better_means_by_more_than_chance() {
    let settings = PromotionSettings { require: Requirement::Better, ..gate(0.5) };
    let (before, same, better) = (right(900), right(900), right(920));
    let accepted = |right: &[bool]| {
        judged(&settings, &measured(2, right), Some(&measured(1, &before))).accepted
    };
    assert!(!accepted(&same));
    assert!(accepted(&better));
}

#[test]
fn floors_of_classes_size_and_latency_hold() {
    // All dogs of the second half are wrong.
    let uneven: Vec<bool> = (0..1000).map(|at| at < 500 || at % 2 == 0).collect();
    let reasons = |settings: PromotionSettings| {
        judged(&settings, &measured(1, &uneven), None).reasons.join("; ")
    };
    let floor = PromotionSettings { least_recall: Some(0.6), ..gate(0.5) };
    assert!(reasons(floor).contains("class dog is 50.00 %, below its minimum of 60.00 %"));
    let own = [("dog".to_owned(), 0.4)].into();
    let own = PromotionSettings { least_recall: Some(0.6), recall: own, ..gate(0.5) };
    assert_eq!(reasons(own), "");
    let unknown = PromotionSettings { recall: [("cow".to_owned(), 0.4)].into(), ..gate(0.5) };
    assert!(reasons(unknown).contains("cow"));
    let size = PromotionSettings { size_max: Some(Bytes(999)), ..gate(0.5) };
    assert!(reasons(size).contains("1000 bytes"));
    let latency = PromotionSettings { latency_ms_max: Some(0.5), ..gate(0.5) };
    assert!(reasons(latency).contains("1.000 ms"));
}

#[test]
fn images_that_either_has_seen_are_not_counted() {
    let (new, before) = (right(900), right(900));
    // The first has seen what it has wrong, the other what both have right.
    let (seen, others): (Vec<u32>, Vec<u32>) = ((900..1000).collect(), (0..90).collect());
    let new = Measured { seen: &seen, ..measured(2, &new) };
    let before = Measured { seen: &others, ..measured(1, &before) };
    let judged = judged(&gate(0.5), &new, Some(&before));
    assert_eq!((judged.images, judged.left_out, judged.accuracy), (810, 190, 1.0));
    let all: Vec<u32> = (0..1000).collect();
    let none = Measured { seen: &all, ..new };
    let none = self::judged(&gate(0.0), &none, None);
    assert!(!none.accepted && none.reasons[0].contains("no held-out image"));
}

#[test]
fn a_version_whose_data_was_not_checked_is_refused() {
    let good = right(1000);
    let unchecked = Measured { data_checked: false, ..measured(1, &good) };
    assert!(judged(&gate(0.5), &unchecked, None).reasons[0].contains("not known"));
}

#[test]
fn feedback_asks_for_accuracy_and_for_nothing_worse_than_chance_however_few_images() {
    let labels: Vec<u16> = (0..40).map(|at| at % 2).collect();
    let classes = ["cat".to_owned(), "dog".to_owned()];
    let judges = Judges { held_out: "h", labels: &labels, classes: &classes };
    let right = |count: usize| -> Vec<bool> { (0..40).map(|at| at < count).collect() };
    let judged =
        |new: &[bool], before: &[bool]| judge_feedback(&gate(0.5), 0.9, judges, new, (1, before));
    assert!(judged(&right(36), &right(10)).accepted);
    assert!(
        judged(&right(38), &right(38)).accepted,
        "few images show no margin, and none is asked for"
    );
    let poisoned = judged(&right(28), &right(10));
    assert_eq!(poisoned.reasons, ["accuracy 70.00 % is below the gate of 90.00 %"]);
    let worse = judge_feedback(&gate(0.5), 0.5, judges, &right(30), (1, &right(40)));
    assert!(worse.reasons[0].contains("significantly worse"), "{:?}", worse.reasons);
}
