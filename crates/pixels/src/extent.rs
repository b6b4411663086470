//! Which part of a pixel buffer the picture covers.

use image::metadata::Orientation;

/// The part of a pixel buffer that the picture covers, in pixels: all of it, unless the picture was decoded at a reduced
/// size. Then the last row and column, as it was stored, may be covered only in part.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Extent {
    pub top: f64,
    pub left: f64,
    pub height: f64,
    pub width: f64,
}

impl Extent {
    /// All of this many rows and columns.
    pub fn whole((height, width): (usize, usize)) -> Self {
        Self { top: 0.0, left: 0.0, height: height as f64, width: width as f64 }
    }

    /// The extent of a picture that was stored in this many rows and columns, reduced by the factor `step`, and then
    /// turned upright.
    pub fn reduced([height, width]: [usize; 2], step: usize, orientation: Orientation) -> Self {
        let reduced = |side: usize| side as f64 / step as f64;
        // The part of the last row and column that the picture does not cover.
        let missing = |side: usize| side.div_ceil(step) as f64 - reduced(side);
        let (below, right) = (missing(height), missing(width));
        let (top, left) = match orientation {
            Orientation::NoTransforms | Orientation::Rotate90FlipH => (0.0, 0.0),
            Orientation::FlipHorizontal => (0.0, right),
            Orientation::FlipVertical => (below, 0.0),
            Orientation::Rotate180 => (below, right),
            Orientation::Rotate90 => (0.0, below),
            Orientation::Rotate270 => (right, 0.0),
            Orientation::Rotate270FlipH => (right, below),
        };
        let (height, width) = match is_turned(orientation) {
            true => (reduced(width), reduced(height)),
            false => (reduced(height), reduced(width)),
        };
        Self { top, left, height, width }
    }
}

/// Whether rows become columns.
pub(crate) fn is_turned(orientation: Orientation) -> bool {
    use Orientation::{Rotate90, Rotate90FlipH, Rotate270, Rotate270FlipH};
    matches!(orientation, Rotate90 | Rotate90FlipH | Rotate270 | Rotate270FlipH)
}

#[cfg(test)]
mod tests;
