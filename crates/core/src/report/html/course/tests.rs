//! Tests of `report::html::course`.

use super::super::super::samples::{accepted, hostile, records};
use super::*;
use crate::ledger::Event;

fn page(mut events: Vec<Event>, forecast: Option<[f64; 3]>) -> String {
    for event in &mut events {
        if let Event::TrialStarted { trial: 2, forecast: made, .. } = event {
            *made = forecast.map(|[low, accuracy, high]| Forecast {
                accuracy,
                low,
                high,
                passes: 0.5,
                training_flops: 1e9,
                images: 1,
                out_of_reach: None,
            });
        }
    }
    Report::from_records(&records(events)).to_html()
}

#[test]
fn a_prediction_stands_beside_what_came_of_it() {
    let held = page(accepted(), Some([0.8, 0.85, 0.9]));
    assert!(held.contains("1 of 1 within the interval"), "{held}");
    for cell in ["85.00 %", "80.00 % to 90.00 %", "87.18 %"] {
        assert!(held.contains(&format!("<td>{cell}</td>")), "{cell}: {held}");
    }
    // 7.18 of 10 parts of the way between the margins.
    assert!(held.contains("<circle cx=\"112.7\""), "{held}");
    assert!(page(accepted(), Some([0.9, 0.95, 0.99])).contains("0 of 1 within the interval"));
    assert!(!page(accepted(), None).contains("Predicted and reached"));
}

#[test]
fn numbers_that_are_none_draw_nothing_strange() {
    for ends in [[f64::NAN; 3], [0.5; 3], [f64::INFINITY, 0.5, f64::NEG_INFINITY]] {
        let page = page(hostile(), Some(ends));
        assert!(page.contains("Predicted and reached"));
        assert!(!page.contains("=\"NaN") && !page.contains("=\"inf"), "{page}");
    }
}

#[test]
fn the_time_is_told_by_its_parts() {
    let page = page(accepted(), None);
    assert!(page.contains("<h2>Where the time went</h2>"), "{page}");
    // Three epochs of 55,000 images and 1.5 s.
    assert!(
        page.contains("165,000 training images in 4.5 s of training: 36,666 images/s"),
        "{page}"
    );
}
