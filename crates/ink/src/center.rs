//! Puts a drawing into the frame that MNIST's digits lie in.
//!
//! MNIST scaled each digit into a box of 20 × 20 pixels, keeping its proportions, and placed the box so that the
//! digit's centre of mass lies in the centre of 28 × 28 (LeCun et al., "Gradient-based learning applied to document
//! recognition", 1998, section III-A).

use super::drawing::{Drawing, resample};

/// The share of a frame's side that the longer side of the ink fills.
const BOX_SHARE: f32 = 20.0 / 28.0;

/// Crops, scales and centres a drawing into a frame of `width × height`, ink 0 to 255; `None` if it has no ink.
pub fn center(drawing: &Drawing, width: usize, height: usize) -> Option<Vec<u8>> {
    let cropped = crop(drawing, drawing.edge())?;
    let room = [width as f32 * BOX_SHARE, height as f32 * BOX_SHARE];
    let scale = (room[0] / cropped.width as f32).min(room[1] / cropped.height as f32);
    let side = |len: usize| ((len as f32 * scale).round() as usize).max(1);
    let (new_width, new_height) = (side(cropped.width), side(cropped.height));
    let [old_width, old_height] = [cropped.width as u32, cropped.height as u32];
    let ink = resample(cropped.ink, old_width, old_height, new_width as u32, new_height as u32);
    let scaled = at_full_strength(Drawing { ink, width: new_width, height: new_height });
    let mut out = vec![0; width * height];
    place(&scaled, width, height, &mut out);
    Some(out)
}

/// The part of a drawing that has more ink than `least`.
pub fn crop(drawing: &Drawing, least: f32) -> Option<Drawing> {
    let rows = || drawing.ink.chunks_exact(drawing.width);
    let has_ink = |row: &[f32]| row.iter().any(|&ink| ink > least);
    let top = rows().position(has_ink)?;
    let bottom = rows().rposition(has_ink)?;
    let left = rows().filter_map(|row| row.iter().position(|&ink| ink > least)).min()?;
    let right = rows().filter_map(|row| row.iter().rposition(|&ink| ink > least)).max()?;
    let kept = rows().take(bottom + 1).skip(top);
    let ink = kept.flat_map(|row| &row[left..=right]).copied().collect();
    Some(Drawing { ink, width: right + 1 - left, height: bottom + 1 - top })
}

/// Shifts a cropped drawing by whole pixels so that its centre of mass comes within half a pixel of the frame's centre.
///
/// As in MNIST's files, the centre of a frame 28 wide is the middle of pixel 14, half a pixel from the true one.
pub fn place(drawing: &Drawing, width: usize, height: usize, out: &mut [u8]) {
    let mass: f32 = drawing.ink.iter().sum::<f32>().max(f32::MIN_POSITIVE);
    let centre = |coordinate: &dyn Fn(usize) -> usize| {
        drawing.ink.iter().enumerate().map(|(i, ink)| ink * coordinate(i) as f32).sum::<f32>()
            / mass
    };
    let start = |frame: usize, len: usize, centre: f32| {
        let start = (frame as f32 / 2.0 - centre).round().max(0.0) as usize;
        start.min(frame.saturating_sub(len))
    };
    let left = start(width, drawing.width, centre(&|i| i % drawing.width));
    let top = start(height, drawing.height, centre(&|i| i / drawing.width));
    for (y, row) in drawing.ink.chunks_exact(drawing.width).enumerate() {
        for (x, ink) in row.iter().enumerate() {
            out[(top + y) * width + left + x] = (ink * 255.0 + 0.5) as u8;
        }
    }
}

/// Scales ink so that the strongest is full ink, as a pen leaves it, however thin its line became.
fn at_full_strength(mut drawing: Drawing) -> Drawing {
    let peak = drawing.ink.iter().fold(f32::MIN_POSITIVE, |peak, &ink| peak.max(ink));
    drawing.ink.iter_mut().for_each(|ink| *ink /= peak);
    drawing
}

#[cfg(test)]
mod tests;
