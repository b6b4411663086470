//! Finds ink on paper that itself has edges, for example where a shadow falls across it: the black top-hat (Meyer,
//! "Contrast feature extraction", 1979). A closing fills what is too narrow for a disc, and leaves the edges of wide areas
//! in place. What was filled is the ink; for light ink, the same is done on the negative.

use super::areas::Mask;
use super::side::CONTRAST_MIN;
use super::threshold::by_sauvola;
use crate::drawing::Drawing;
use crate::{Grey, Invert};

/// Larger pictures are shrunk first, because the time grows with the area of the disc; a digit of a fifth of a picture's
/// height still has more pixels than a network takes.
pub(super) const SIDE_MAX: u32 = 192;

/// The disc's radius, as a share of the shorter side: strokes are less than twice as wide, and shadows wider.
const DISC_RADIUS: f32 = 0.22;
/// How far edges of shadows are blurred, as a share of the shorter side, but at least a pixel.
const BLUR_RADIUS: f32 = 1.0 / 64.0;
/// Paper darker than this has more noise than ink in it.
const PAPER_MIN: f32 = 0.3;
/// A digit is at least as long as this share of the shorter side.
const LENGTH_MIN: f32 = 0.15;
/// Parts smaller than this share of the largest are specks.
const PART_MIN: f32 = 0.1;
/// Of two drawings, the ink is the one whose strokes are at least this many times thinner for their length.
const THINNER: f32 = 1.25;
/// A shape is a blob if half of it is covered by squares with a side of this share of its length.
const BLOB_SHARE: f32 = 0.45;

/// The strokes in a picture, if there are any and all are dark or all are light.
pub(super) fn strokes(picture: Grey, invert: Invert) -> Option<Drawing> {
    let mut negative = picture.clone();
    negative.values.iter_mut().for_each(|value| *value = 1.0 - *value);
    let (dark, light) = match invert {
        Invert::Auto => (dark_strokes(&picture), dark_strokes(&negative)),
        Invert::Always => (dark_strokes(&picture), None),
        Invert::Never => (None, dark_strokes(&negative)),
    };
    match (dark, light) {
        (Some(dark), Some(light)) => thinner_of(dark, light),
        (dark, light) => dark.or(light),
    }
}

/// Of two drawings, the one that has clearly thinner strokes: paper that shows between strokes is a blob.
fn thinner_of(one: Drawing, other: Drawing) -> Option<Drawing> {
    let thickness = |drawing| {
        let part = Mask::strong(drawing).largest_part();
        part.thickness() / part.extent().map_or(1, |[across, down]| across.max(down)) as f32
    };
    let (first, second) = (thickness(&one), thickness(&other));
    if first * THINNER < second {
        Some(one)
    } else if second * THINNER < first {
        Some(other)
    } else {
        None
    }
}

fn dark_strokes(picture: &Grey) -> Option<Drawing> {
    let size = [picture.width, picture.height];
    let shorter = size[0].min(size[1]);
    let radius = |share: f32| ((share * shorter as f32).ceil() as usize).max(1);
    let disc = radius(DISC_RADIUS);
    // Noise would raise the paper to its brightest grains.
    let smooth = blurred(&picture.values, size);
    let filled = eroded(&dilated(&smooth, size, disc), size, disc);
    // Where a shadow's edge is blurred, paper is as dark as within the shadow.
    let paper = eroded(&filled, size, radius(BLUR_RADIUS));
    let inks_of = |values: &[f32]| -> Vec<f32> {
        values
            .iter()
            .zip(&paper)
            .map(|(value, paper)| (paper - value) / paper.max(PAPER_MIN))
            .collect()
    };
    let most = |inks: &[f32]| inks.iter().copied().fold(0.0, f32::max);
    if most(&inks_of(&smooth)) < CONTRAST_MIN {
        return None;
    }
    let inks = inks_of(&picture.values);
    let strongest = most(&inks);
    let brightness: Vec<f32> = inks.iter().map(|ink| 1.0 - (ink / strongest).max(0.0)).collect();
    let drawing = inside(by_sauvola(&brightness, size))?;
    // What remains may be grains of paper beside a strong edge.
    let marks = Mask::strong(&drawing).marks;
    let inks = inks_of(&smooth);
    let sum: f32 = inks.iter().zip(&marks).filter(|(_, mark)| **mark).map(|(ink, _)| ink).sum();
    let is_ink = sum >= CONTRAST_MIN * marks.iter().filter(|mark| **mark).count() as f32;
    (is_ink && is_strokes(&drawing, shorter)).then_some(drawing)
}

/// The parts of a drawing that do not touch the border, without specks.
fn inside(mut drawing: Drawing) -> Option<Drawing> {
    let mut mask = Mask::strong(&drawing);
    let mut is_border = vec![false; mask.marks.len()];
    mask.border().for_each(|at| is_border[at] = true);
    let mut parts = mask.parts();
    parts.retain(|part| !part.iter().any(|&at| is_border[at]));
    let largest = parts.iter().map(Vec::len).max()?;
    parts.retain(|part| part.len() as f32 >= PART_MIN * largest as f32);
    mask.marks.fill(false);
    parts.iter().flatten().for_each(|&at| mask.marks[at] = true);
    let [left, top, right, bottom] = mask.bounds()?;
    for (at, ink) in drawing.ink.iter_mut().enumerate() {
        let (x, y) = (at % drawing.width, at / drawing.width);
        // With the pixels beside them, where strokes fade out.
        let near = |y: usize, x: usize| mask.marks[y * mask.width + x];
        let is_kept = (left.saturating_sub(1)..=right).contains(&x)
            && (top.saturating_sub(1)..=bottom).contains(&y)
            && (y.saturating_sub(1)..(y + 2).min(mask.height))
                .any(|y| (x.saturating_sub(1)..(x + 2).min(mask.width)).any(|x| near(y, x)));
        if !is_kept {
            *ink = 0.0;
        }
    }
    Some(drawing)
}

fn is_strokes(drawing: &Drawing, shorter: usize) -> bool {
    let mask = Mask::strong(drawing);
    let Some([across, down]) = mask.extent() else {
        return false;
    };
    let length = across.max(down) as f32;
    let blob = mask.opened(((BLOB_SHARE * length) as usize).max(2));
    length >= LENGTH_MIN * shorter as f32 && 2 * blob.count() < mask.count()
}

/// Means of three by three pixels.
fn blurred(values: &[f32], [width, height]: [usize; 2]) -> Vec<f32> {
    let mean = |at: usize| {
        let (x, y) = (at % width, at / width);
        let (mut sum, mut count) = (0.0, 0.0);
        for row in y.saturating_sub(1)..(y + 2).min(height) {
            for column in x.saturating_sub(1)..(x + 2).min(width) {
                sum += values[row * width + column];
                count += 1.0;
            }
        }
        sum / count
    };
    (0..values.len()).map(mean).collect()
}

fn eroded(values: &[f32], size: [usize; 2], radius: usize) -> Vec<f32> {
    let negative: Vec<f32> = values.iter().map(|value| -value).collect();
    dilated(&negative, size, radius).into_iter().map(|value| -value).collect()
}

/// The greatest value within a disc around each pixel, as far as it lies in the picture.
fn dilated(values: &[f32], [width, height]: [usize; 2], radius: usize) -> Vec<f32> {
    // By row, the greatest value up to `reach` pixels to the left and right. Rows of the disc get wider towards its middle.
    let mut wide = values.to_vec();
    let mut reach = 0_usize;
    let mut greatest = values.to_vec();
    for distance in (0..=radius).rev() {
        while (reach + 1).pow(2) + distance.pow(2) <= radius.pow(2) {
            reach += 1;
            for (row, out) in values.chunks_exact(width).zip(wide.chunks_exact_mut(width)) {
                let farther = row.get(reach..).unwrap_or_default();
                out.iter_mut().zip(farther).for_each(|(most, &value)| *most = most.max(value));
                let nearer = out.get_mut(reach..).unwrap_or_default();
                nearer.iter_mut().zip(row).for_each(|(most, &value)| *most = most.max(value));
            }
        }
        for y in 0..height {
            let out = &mut greatest[y * width..(y + 1) * width];
            let below = Some(y + distance).filter(|&row| row < height);
            for row in [y.checked_sub(distance), below].into_iter().flatten() {
                let row = &wide[row * width..(row + 1) * width];
                out.iter_mut().zip(row).for_each(|(most, &value)| *most = most.max(value));
            }
        }
    }
    greatest
}

#[cfg(test)]
mod tests;
