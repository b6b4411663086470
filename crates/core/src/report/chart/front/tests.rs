//! Tests of `report::chart::front`.

use super::*;
use crate::report::chart::growth::tests::all;
use crate::report::front::tests::study;

#[test]
fn everything_lies_within_the_picture_whatever_the_costs_are() {
    let studies = [
        study(&[(1, 0.1, 1e-7), (u64::MAX, 0.99, 1e9)]),
        study(&[(500, 0.5, 0.02), (500, 0.5, 0.02)]),
        study(&[(900, 0.7, 0.02), (1100, 0.8, 0.03), (1300, 0.75, 0.04)]),
    ];
    for report in &studies {
        for cost in Cost::ALL {
            let svg = front_chart(report, cost).unwrap().finish();
            for (attribute, most) in [("x", 300.0), ("cx", 300.0), ("y", 240.0), ("cy", 240.0)] {
                for element in ["circle", "text"] {
                    let found = all(&svg, element, attribute);
                    assert!(found.iter().all(|at| (0.0..=most).contains(at)), "{svg}");
                }
            }
            let labels = all(&svg, "text class=\"tick middle", "x");
            assert!((1..=12).contains(&labels.len()), "{svg}");
            assert!(labels.windows(2).all(|two| two[1] - two[0] > 20.0), "{labels:?} {svg}");
        }
    }
}

#[test]
fn the_front_is_joined_the_rest_is_not_and_the_best_has_a_ring() {
    let report = study(&[(100, 0.5, 3.0), (1000, 0.4, 1.0), (10_000, 0.9, 2.0)]);
    let svg = front_chart(&report, Cost::Parameters).unwrap().finish();
    let (_, line) = svg.split_once("<polyline class=\"curve main\" points=\"").unwrap();
    assert_eq!(line.split_once('"').unwrap().0.split(' ').count(), 2, "{svg}");
    assert_eq!(all(&svg, "circle class=\"main\"", "cx").len(), 2);
    assert_eq!(all(&svg, "circle class=\"side\"", "cx").len(), 1);
    let ring = all(&svg, "circle class=\"published\"", "cx");
    assert_eq!(ring, all(&svg, "circle class=\"main\"", "cx")[1..], "{svg}");
    assert!(svg.contains("<title>trial 3: 90.00 %, 10,000 parameters</title>"), "{svg}");
}
