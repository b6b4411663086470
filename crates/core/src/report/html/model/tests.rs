//! Tests of `report::html::model`.

use super::super::super::samples::{HOSTILE, accepted, records};
use super::*;
use crate::ledger::Event;
use crate::record::SplitCounts;

fn model(classes: usize) -> ModelFigures {
    let confusion = vec![(0, 0, 90), (0, 1, 10), (1, 1, 100)];
    let mistake = Mistake { image: 7, label: 0, predicted: 1, confidence: 0.987 };
    ModelFigures {
        version: 1,
        trial: 2,
        epoch: 3,
        weights_hash: "ab".into(),
        validation: SplitFigures {
            images: 200,
            accuracy: 0.95,
            interval: [0.91, 0.97],
            loss: 0.2,
            calibration_error: 0.034,
            classes,
            confusion,
            mistakes: vec![mistake; 6],
        },
        int8: None,
    }
}

fn page(classes: Vec<String>, model: ModelFigures) -> String {
    let mut events = accepted();
    let (counts, findings) = (SplitCounts::default(), Vec::new());
    events.insert(1, Event::DataExamined { classes, counts, findings, image: None });
    let report = Report::from_records(&records(events)).with_model(Some(model));
    report.with_mistakes_picture(Some([332, 134])).to_html()
}

#[test]
fn every_class_has_its_figures_and_its_row_of_the_matrix() {
    let page = page(vec!["cat".into(), "dog".into()], model(2));
    assert!(page.contains("95.00 % (95 % interval 91.00 % to 97.00 %)"), "{page}");
    assert!(page.contains("calibration error 3.4 points"), "{page}");
    // Precision 100 / 110, recall 1.
    for cell in
        ["<td>90.91 %</td>", "<td class=\"wrong s3\">10</td>", "<td class=\"right s5\">90</td>"]
    {
        assert!(page.contains(cell), "{cell}: {page}");
    }
}

#[test]
fn each_mistake_shows_its_own_image() {
    let page = page(vec!["cat".into(), "dog".into()], model(2));
    assert_eq!(page.matches("cat, taken for dog, 98.7 %").count(), 2 * 6, "{page}");
    // The sixth is the first of the second row.
    assert!(page.contains("viewBox=\"2 68 64 64\""), "{page}");
    assert_eq!(page.matches("href=\"#mistakes\"").count(), 6);
    assert_eq!(page.matches("href=\"report/mistakes-002.png\"").count(), 1);
}

#[test]
fn of_many_classes_the_worst_are_shown() {
    let page = page(Vec::new(), model(300));
    assert!(page.contains("20 of 300 classes with the lowest F1"), "{page}");
    assert!(page.contains("<li>10 images of 0 as 1</li>"), "{page}");
}

#[test]
fn figures_of_other_classes_and_hostile_names_do_no_harm() {
    let mut odd = model(1);
    odd.validation.confusion.push((9, 9, 9));
    let page = page(vec![HOSTILE.into()], odd);
    assert!(!page.contains("<script"), "{page}");
}
