//! A drawing as the amount of ink in each pixel.

use image::imageops::{self, FilterType};
use image::{ImageBuffer, Luma};

/// A drawing: how much ink each pixel has, 0 for none, `[height, width]`.
#[derive(Debug, Clone)]
pub struct Drawing {
    /// The ink of each pixel, row by row.
    pub ink: Vec<f32>,
    /// The number of columns.
    pub width: usize,
    /// The number of rows.
    pub height: usize,
}

/// The edge of a stroke, in pictures that were enlarged or blurred, is where its ink falls to this share of the strongest.
const EDGE_SHARE: f32 = 0.3;

impl Drawing {
    /// Less ink than this is the fading edge of a stroke.
    pub fn edge(&self) -> f32 {
        EDGE_SHARE * self.ink.iter().fold(0.0_f32, |most, &ink| most.max(ink))
    }
}

/// Resamples values from 0 to 1 with a filter that covers all old pixels within each new one, so that thin strokes in
/// large pictures are kept.
pub fn resample(
    values: Vec<f32>,
    width: u32,
    height: u32,
    new_width: u32,
    new_height: u32,
) -> Vec<f32> {
    let plane = ImageBuffer::<Luma<f32>, _>::from_raw(width, height, values).unwrap_or_default();
    imageops::resize(&plane, new_width, new_height, FilterType::Triangle).into_raw()
}
