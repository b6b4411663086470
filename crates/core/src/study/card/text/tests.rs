//! Tests of `study::card::text`.

use super::*;
use crate::data::Normalization;
use crate::record::CrossValidation;
use crate::record::SplitCounts;
use crate::spec::{InputShape, StudyDocument};
use crate::study::card::TestFigures;
use crate::study::card::tests::figures;

const HOSTILE: &str = "a\n---\n<script>|`x`| ``` \u{7}\"";

fn card_of(test: Option<TestFigures>, test_readings: u64) -> String {
    card_with(None, test, test_readings)
}

fn card_with(
    folds: Option<CrossValidation>,
    test: Option<TestFigures>,
    test_readings: u64,
) -> String {
    let spec = StudyDocument::new("a.toml", "name = \"plain\"\n[model]\nlayers = []\n");
    let spec = spec.validate(InputShape { classes: 2, ..InputShape::MNIST }).unwrap();
    let classes = vec![HOSTILE.to_owned(), "b".into()];
    let normalization = Normalization::of_all(0.1, 0.3);
    let mut figures = figures(2);
    figures.validation.confusion = vec![(0, 0, 9), (0, 1, 1)];
    let card = Card {
        spec: &spec,
        preparation: &Preparation::grey(spec.input(), normalization, classes, Subject::Whole),
        weights_hash: "ab".into(),
        data: HOSTILE,
        figures: &figures,
        counts: Some(SplitCounts { train: vec![5, 4], validation: vec![10, 0], test: vec![] }),
        findings: Vec::new(),
        provenance: None,
        folds,
        test,
        test_readings,
    };
    card.to_markdown().unwrap()
}

#[test]
fn a_cross_validation_is_a_row_of_its_own_with_its_interval() {
    let folds =
        CrossValidation { folds: 5, measured: 5, images: 200, correct: 170, recalls: Vec::new() };
    let text = card_with(Some(folds), None, 0);
    let row = "| cross-validated, 5 folds | 85.00 % | 79.39 to 89.29 % | 200 | | |";
    assert!(text.contains(row), "{text}");
    assert!(text.contains("The gate judged the cross-validated accuracy"), "{text}");
    assert!(!card_of(None, 0).contains("cross-validated"));
}

#[test]
fn names_from_outside_change_neither_the_block_nor_the_text() {
    let text = card_of(None, 0);
    let block = text.strip_prefix("---\n").unwrap();
    let (block, body) = block.split_once("\n---\n").unwrap();
    assert!(block.contains(r#"name: "a\n---\n<script>|`x`| ``` \u0007\"""#), "{block}");
    assert!(block.lines().all(|line| !line.starts_with('<')), "{block}");
    assert!(body.starts_with("\n# plain\n"), "{body}");
    // Raw only within the JSON, whose fence is longer than any in it.
    let (before, json) = body.split_once("````json\n").unwrap();
    assert!(!before.contains("<script>") && !before.contains('\u{7}'), "{before}");
    assert!(json.contains("\n````\n"), "{json}");
    let row = before.lines().find(|line| line.contains("0.900")).unwrap();
    assert_eq!(row.replace("\\|", "").matches('|').count(), 6, "{row}");
}

#[test]
fn what_was_not_measured_is_said() {
    let text = card_of(None, 0);
    assert!(text.contains("The test images were not read."), "{text}");
    assert!(text.contains("accuracy on 1 of its classes was not measured"), "{text}");
    assert!(text.contains("| licence | unknown: MNIST was published without one |"), "{text}");
    let text = card_of(None, 1);
    assert!(text.contains("The test images were read once, not for this model."), "{text}");
    let text = card_of(Some(TestFigures { images: 100, accuracy: 0.8 }), 2);
    assert!(text.contains("| test | 80.00 % | 71.12 to 86.66 % | 100 | | |"), "{text}");
    assert!(text.contains("They were read 2 times so far."), "{text}");
}
