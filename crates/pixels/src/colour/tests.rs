//! Tests of `colour`.

use super::*;

const NORMALIZATION: Normalization = Normalization { mean: [0.4, 0.5, 0.6], std: [0.2, 0.25, 0.3] };

/// Two colour pixels, changed; in and out as fractions of white.
fn changed(change: ColourChange, pixels: [f32; 6], channels: usize) -> Vec<f32> {
    let plane = 6 / channels;
    let of = |at: usize| (NORMALIZATION.mean[at / plane], NORMALIZATION.std[at / plane]);
    let mut image: Vec<f32> =
        pixels.iter().enumerate().map(|(at, value)| (value - of(at).0) / of(at).1).collect();
    change.apply(&mut image, channels, NORMALIZATION);
    image.iter().enumerate().map(|(at, value)| value * of(at).1 + of(at).0).collect()
}

#[track_caller]
fn assert_close(found: &[f32], expected: &[f32]) {
    for (a, b) in found.iter().zip(expected) {
        assert!((a - b).abs() < 1e-5, "{found:?} instead of {expected:?}");
    }
}

const NONE: ColourChange = ColourChange { brightness: 1.0, contrast: 1.0, saturation: 1.0 };
// Planes of red, green and blue; the first pixel is orange, the second grey.
const PIXELS: [f32; 6] = [0.8, 0.4, 0.5, 0.4, 0.1, 0.4];

#[test]
fn factors_of_one_change_nothing() {
    assert_close(&changed(NONE, PIXELS, 3), &PIXELS);
    assert_close(&changed(NONE, PIXELS, 1), &PIXELS);
}

#[test]
fn brightness_multiplies_and_ends_at_white() {
    let brighter = ColourChange { brightness: 1.5, ..NONE };
    assert_close(&changed(brighter, PIXELS, 3), &[1.0, 0.6, 0.75, 0.6, 0.15, 0.6]);
}

#[test]
fn no_contrast_leaves_the_mean_brightness_and_no_saturation_leaves_grey() {
    let flat = changed(ColourChange { contrast: 0.0, ..NONE }, PIXELS, 3);
    let orange = 0.8 * LUMA[0] + 0.5 * LUMA[1] + 0.1 * LUMA[2];
    assert_close(&flat, &[(orange + 0.4) / 2.0; 6]);
    let grey = changed(ColourChange { saturation: 0.0, ..NONE }, PIXELS, 3);
    assert_close(&grey, &[orange, 0.4, orange, 0.4, orange, 0.4]);
    // Grey images have no saturation to change.
    assert_close(&changed(ColourChange { saturation: 0.0, ..NONE }, PIXELS, 1), &PIXELS);
}

#[test]
fn every_draw_is_within_its_reach() {
    let jitter = ColourJitter { brightness: 0.2, contrast: 0.0, saturation: 0.5 };
    let draws = (0..100).filter_map(|seed| jitter.draw(&mut CounterRng::new(seed)));
    let draws: Vec<ColourChange> = draws.collect();
    assert_eq!(draws.len(), 100);
    assert!(draws.iter().all(|draw| (draw.brightness - 1.0).abs() <= 0.2));
    assert!(draws.iter().all(|draw| draw.contrast == 1.0));
    assert!(draws.iter().any(|draw| (draw.saturation - 1.0).abs() > 0.3));
    assert_eq!(ColourJitter::default().draw(&mut CounterRng::new(1)), None);
}
