//! Decides which pixels are ink, with the local threshold of Sauvola and Pietikäinen ("Adaptive document image
//! binarization", 2000), which follows the rest of shadows.

use super::sums::Sums;
use crate::drawing::Drawing;

/// Ink fainter than this share of the strongest counts as paper, because scans and JPEG are never clean.
const INK_SHARE_MIN: f32 = 0.1;

/// Sauvola's k: how far below the local mean the threshold lies where nothing varies.
const SAUVOLA_K: f64 = 0.3;
/// Sauvola's R: the largest standard deviation of values from 0 to 1.
const SAUVOLA_R: f64 = 0.5;

/// Ink where the brightness is below mean · (1 + k (deviation / R − 1)) of a window of half the picture's size, and in a
/// margin of 1/28 of the picture around that, where strokes fade out.
pub(super) fn by_sauvola(brightness: &[f32], [width, height]: [usize; 2]) -> Drawing {
    let reach = (width.max(height) / 4).max(2);
    let values = Sums::of(width, height, |at| f64::from(brightness[at]));
    let squares = Sums::of(width, height, |at| f64::from(brightness[at]).powi(2));
    let is_ink: Vec<bool> = (0..brightness.len())
        .map(|at| {
            let (mean, count) = (values.around(at, reach), values.count_around(at, reach));
            let mean = mean / count;
            let variance = (squares.around(at, reach) / count - mean * mean).max(0.0);
            let threshold = mean * (1.0 + SAUVOLA_K * (variance.sqrt() / SAUVOLA_R - 1.0));
            f64::from(brightness[at]) < threshold
        })
        .collect();
    let marks = Sums::of(width, height, |at| f64::from(u8::from(is_ink[at])));
    let paper = Sums::of(width, height, |at| match is_ink[at] {
        true => 0.0,
        false => f64::from(brightness[at]),
    });
    let margin = (width.min(height) / 28).max(1);
    let ink = (0..brightness.len()).map(|at| {
        if marks.around(at, margin) < 0.5 {
            return 0.0;
        }
        let papers = paper.count_around(at, reach) - marks.around(at, reach);
        let level = if papers < 0.5 { 1.0 } else { paper.around(at, reach) / papers };
        let ink = 1.0 - brightness[at] / (level as f32).max(0.1);
        if ink < INK_SHARE_MIN { 0.0 } else { ink }
    });
    Drawing { ink: ink.collect(), width, height }
}
