//! Tests of `top_hat`.

use super::*;

#[test]
fn a_disc_takes_the_greatest_value_around_each_pixel() {
    let size = [13, 9];
    let value = |at: usize| (at * 7919 % 101) as f32;
    let values: Vec<f32> = (0..13 * 9).map(value).collect();
    for radius in [0, 1, 2, 4, 20] {
        let found = dilated(&values, size, radius);
        for (at, found) in found.into_iter().enumerate() {
            let (x, y) = (at % 13, at / 13);
            let is_near = |other: &usize| {
                (other % 13).abs_diff(x).pow(2) + (other / 13).abs_diff(y).pow(2) <= radius * radius
            };
            let expected = (0..values.len()).filter(is_near).map(value).fold(0.0, f32::max);
            assert_eq!(found, expected, "radius {radius} at {x}, {y}");
        }
    }
}

#[test]
fn a_closing_leaves_straight_edges_where_they_are() {
    let size = [40, 40];
    let edge = |at: usize| if 3 * (at % 40) + 2 * (at / 40) < 95 { 0.3 } else { 0.9 };
    let values: Vec<f32> = (0..1600).map(edge).collect();
    let closed = eroded(&dilated(&values, size, 9), size, 9);
    let inner = (0..1600).filter(|at| (8..32).contains(&(at % 40)) && (8..32).contains(&(at / 40)));
    let moved = inner.filter(|&at| closed[at] != values[at]).count();
    assert!(moved < 12, "{moved} pixels of a slanted edge were filled");
    assert!(closed.iter().zip(&values).all(|(closed, value)| closed >= value));
}
