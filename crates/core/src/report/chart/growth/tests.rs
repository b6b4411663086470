//! Tests of `report::chart::growth`.

use super::*;
use crate::ledger::Event;
use crate::report::samples::{accepted, epoch, finished, hostile, records, started, study_started};

fn chart(events: impl IntoIterator<Item = Event>, size: Size) -> String {
    growth_chart(&Report::from_records(&records(events)), size).finish()
}

/// The value of an attribute in every element of a kind.
pub(in crate::report::chart) fn all(svg: &str, element: &str, attribute: &str) -> Vec<f64> {
    let elements = svg.split('<').filter(|text| text.starts_with(element));
    let value = |text: &str| {
        let (_, rest) = text.split_once(&format!(" {attribute}=\""))?;
        rest.split_once('"')?.0.parse().ok()
    };
    elements.filter_map(value).collect()
}

fn gate(svg: &str) -> f64 {
    all(svg, "line class=\"gate\"", "y1")[0]
}

fn many(trials: u32, epochs: u32, accuracy: impl Fn(u32, u32) -> f64) -> Vec<Event> {
    let mut events = vec![study_started()];
    for trial in 1..=trials {
        events.push(started(trial, (trial > 1).then_some(trial / 2)));
        events.extend((1..=epochs).map(|at| epoch(trial, at, accuracy(trial, at))));
        events.push(finished(trial, accuracy(trial, epochs)));
    }
    events
}

#[test]
fn everything_lies_within_the_picture() {
    let studies = [
        accepted(),
        hostile(),
        many(1, 1, |_, _| 0.5),
        many(30, 3, |trial, at| f64::from(trial * at) / 91.0),
        many(2, 100, |trial, at| 1.0 - 0.03 / f64::from(trial * at)),
        many(3, 2, |_, _| f64::NAN),
        vec![study_started()],
    ];
    for events in studies {
        for (size, width, height) in [(Size::Wide, 860.0, 360.0), (Size::Narrow, 380.0, 300.0)] {
            let svg = chart(events.clone(), size);
            for (attribute, most) in [("x", width), ("cx", width), ("y", height), ("cy", height)] {
                for element in ["circle", "text", "rect"] {
                    let found = all(&svg, element, attribute);
                    assert!(found.iter().all(|at| (0.0..=most).contains(at)), "{svg}");
                }
            }
            let (left, right) = (all(&svg, "line", "x1"), all(&svg, "line", "x2"));
            assert!(left.iter().chain(&right).all(|x| (0.0..=width).contains(x)), "{svg}");
            assert!(!svg.contains("inf"), "{svg}");
        }
    }
}

#[test]
fn the_gate_is_where_an_accuracy_of_its_threshold_would_be() {
    let exact = many(3, 1, |trial, _| [0.5, 0.8, 0.9][trial as usize - 1]);
    let svg = chart(exact, Size::Wide);
    let heights = all(&svg, "circle", "cy");
    assert_eq!(heights.len(), 3);
    let at = |trial: u32| {
        let title = format!("<title>trial {trial}, epoch");
        let (before, _) = svg.split_once(&title).unwrap();
        all(before, "circle", "cy").pop().unwrap()
    };
    assert!((at(2) - gate(&svg)).abs() < 0.11, "{svg}");
    assert!(at(1) > gate(&svg) && at(3) < gate(&svg), "{svg}");
}

#[test]
fn a_child_is_joined_to_the_end_of_its_parent() {
    let svg = chart(accepted(), Size::Wide);
    let (x, y) = (all(&svg, "circle", "cx"), all(&svg, "circle", "cy"));
    let join = |attribute| all(&svg, "line class=\"join", attribute)[0];
    assert_eq!((join("x1"), join("y1")), (x[1], y[1]), "{svg}");
    assert_eq!((join("x2"), join("y2")), (x[2], y[2]), "{svg}");
}

#[test]
fn every_epoch_can_be_pointed_at() {
    let svg = chart(many(2, 100, |_, at| f64::from(at) / 100.0), Size::Narrow);
    assert_eq!(all(&svg, "circle", "cx").len(), 200);
    assert!(svg.contains("<title>trial 2, epoch 37: 37.00 %</title>"));
}

#[test]
fn labels_never_run_into_each_other() {
    for trials in [1, 2, 5, 8, 13, 30, 90] {
        let best = trials / 2 + 1;
        let accuracy = |trial, _| if trial == best { 0.9 } else { 0.5 };
        let svg = chart(many(trials, 2, accuracy), Size::Narrow);
        let labels = svg.split("<text class=\"label middle\" x=\"").skip(1);
        let mut end = 0.0;
        for label in labels {
            let x: f64 = label.split_once('"').unwrap().0.parse().unwrap();
            let (_, said) = label.split_once('>').unwrap();
            let said = said.split_once('<').unwrap().0;
            let half = said.chars().count() as f64 * LETTER / 2.0;
            assert!(x - half > end, "{trials} trials: {said}");
            end = x + half;
        }
        let is_named = [format!(">{best}</text>"), format!(">trial {best}")]
            .iter()
            .any(|label| svg.contains(label));
        assert!(is_named, "the best of {trials} trials has no label");
    }
}
