//! Tests of `center`.

use super::*;

/// A hook, thicker at its foot: longer one way and heavier at one end.
fn hook(side: usize) -> Drawing {
    let mut drawing = Drawing { ink: vec![0.0; side * side], width: side, height: side };
    for y in side / 4..side * 3 / 4 {
        for x in side / 8..if y > side / 2 { side / 3 } else { side / 5 } {
            drawing.ink[y * side + x] = 0.5;
        }
    }
    drawing
}

#[test]
fn the_longer_side_fills_the_box_and_the_mass_is_centred() {
    for side in [24, 100, 700] {
        let frame = center(&hook(side), 28, 28).unwrap();
        let rows = frame.chunks(28).filter(|row| row.iter().any(|&ink| ink > 127)).count();
        assert!((19..=20).contains(&rows), "{rows} rows of ink at {side}");
        let mass: f32 = frame.iter().map(|&ink| f32::from(ink)).sum();
        let x =
            frame.iter().enumerate().map(|(i, &ink)| f32::from(ink) * (i % 28) as f32).sum::<f32>();
        assert!((x / mass - 14.0).abs() <= 0.55, "{}", x / mass);
        assert_eq!(frame.iter().max(), Some(&255));
    }
}

#[test]
fn frames_of_other_sizes_are_filled_in_proportion() {
    let frame = center(&hook(100), 56, 42).unwrap();
    let rows = frame.chunks(56).filter(|row| row.iter().any(|&ink| ink > 127)).count();
    assert_eq!(rows, 30);
}

#[test]
fn paper_without_ink_has_no_centre() {
    assert!(center(&Drawing { ink: vec![0.0; 12], width: 4, height: 3 }, 28, 28).is_none());
}

#[test]
fn one_speck_survives() {
    let mut speck = Drawing { ink: vec![0.0; 50 * 50], width: 50, height: 50 };
    speck.ink[17] = 1.0;
    assert!(center(&speck, 28, 28).unwrap().contains(&255));
}
