//! Finds the ink in a picture of a digit: light on dark or dark on light, on paper that may be of any brightness and
//! unevenly lit.
//!
//! 1. `paper`: the paper's brightness is a smooth surface that most pixels are close to.
//! 2. `side`: ink is either darker or lighter than that surface.
//! 3. `threshold`: whether a pixel is ink is decided by a local threshold, which follows the rest of shadows.
//! 4. `areas`: strokes are thin. What is wide and reaches the border is not ink, but a shadow or another sheet.
//! 5. `top_hat`: in that case, paper is what remains after a morphological closing of thin shapes, whatever its edges.
//!
//! Also the strokes of digits as people write them, [`choose_skeleton`], and [`center`], which puts ink into the frame of MNIST.

mod areas;
mod center;
mod curve;
mod drawing;
mod grey;
mod paper;
mod side;
mod skeletons;
mod sums;
mod threshold;
mod top_hat;

use drawing::resample;

pub use center::{center, crop, place};
pub use curve::{Point, flatten};
pub use drawing::Drawing;
pub use grey::{Grey, border};
pub use skeletons::{Skeleton, choose_skeleton};

/// Whether ink is dark or light.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Invert {
    /// Detect it: the paper is what covers most of the picture.
    #[default]
    Auto,
    /// Dark ink on light paper.
    Always,
    /// Light ink on dark paper, as in MNIST.
    Never,
}

/// A picture in which no ink is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InkError {
    /// Nothing differs from the background.
    #[error("the picture is blank: no stroke stands out from the background")]
    Blank,
    /// Ink and paper cannot be distinguished.
    #[error("cannot tell whether the ink is dark or light")]
    Undecided,
}

/// Larger pictures are shrunk first: a stroke is still several pixels wide.
const SIDE_MAX: u32 = 1024;

/// The ink of a picture, 0 for paper and 1 for the strongest.
///
/// # Errors
/// [`InkError::Blank`] when nothing differs from the paper, [`InkError::Undecided`] when either light or dark
/// could be the ink, or what differs from the paper does not consist of strokes.
pub fn find(grey: Grey, invert: Invert) -> Result<Drawing, InkError> {
    let picture = shrunk(composed(grey, invert)?, SIDE_MAX);
    let found = on_smooth_paper(&picture, invert);
    let is_certain = match &found {
        Ok(drawing) => !areas::touches_border(drawing) || areas::may_fill_picture(drawing),
        Err(InkError::Undecided) => false,
        Err(_) => true,
    };
    if is_certain {
        return found;
    }
    match (top_hat::strokes(shrunk(picture, top_hat::SIDE_MAX), invert), found) {
        (Some(drawing), _) => Ok(drawing),
        (None, Ok(drawing)) if invert == Invert::Auto && !areas::may_end_at_border(&drawing) => {
            Err(InkError::Undecided)
        }
        (None, found) => found,
    }
}

fn on_smooth_paper(picture: &Grey, invert: Invert) -> Result<Drawing, InkError> {
    let paper = paper::Paper::fit(picture);
    let (side, paper) = side::choose_side(picture, paper, invert)?;
    let brightness = side::normalized(picture, &paper, side)?;
    let size = [picture.width, picture.height];
    areas::without_frame(threshold::by_sauvola(&brightness, size))
}

/// Puts transparent parts on paper that the ink stands out from.
fn composed(grey: Grey, invert: Invert) -> Result<Grey, InkError> {
    let Some(alpha) = &grey.alpha else {
        return Ok(grey);
    };
    let visible = |at: &usize| alpha[*at] > 0.5;
    let mut values: Vec<f32> =
        (0..grey.values.len()).filter(visible).map(|at| grey.values[at]).collect();
    if values.is_empty() {
        // Only nearly transparent pixels: they are the ink.
        let traces = (0..grey.values.len()).filter(|&at| alpha[at] > 0.0);
        values = traces.map(|at| grey.values[at]).collect();
    }
    if values.is_empty() {
        return Err(InkError::Blank);
    }
    values.sort_unstable_by(f32::total_cmp);
    let at_share = |share: f32| values[((values.len() - 1) as f32 * share) as usize];
    let median = at_share(0.5);
    // A sheet with transparent surroundings shows its own paper; otherwise what is visible is ink.
    let has_paper = at_share(0.998) - at_share(0.002) >= 0.25
        && fill_of_bounds(&grey, visible, values.len()) >= 0.6;
    let background = match invert {
        _ if has_paper => median,
        Invert::Always => 1.0,
        Invert::Never => 0.0,
        Invert::Auto => f32::from(u8::from(median <= 0.5)),
    };
    Ok(grey.over(background))
}

/// The share of the visible pixels' bounding box that is visible.
fn fill_of_bounds(grey: &Grey, visible: impl Fn(&usize) -> bool, count: usize) -> f32 {
    let (mut low, mut high) = ([usize::MAX; 2], [0; 2]);
    for at in (0..grey.values.len()).filter(visible) {
        for (axis, coordinate) in [at % grey.width, at / grey.width].into_iter().enumerate() {
            low[axis] = low[axis].min(coordinate);
            high[axis] = high[axis].max(coordinate + 1);
        }
    }
    let area = high[0].saturating_sub(low[0]) * high[1].saturating_sub(low[1]);
    count as f32 / area.max(1) as f32
}

fn shrunk(grey: Grey, side_max: u32) -> Grey {
    let (width, height) = (grey.width as u32, grey.height as u32);
    let longer = width.max(height);
    if longer <= side_max {
        return grey;
    }
    let side = |len: u32| (u64::from(len) * u64::from(side_max) / u64::from(longer)).max(1) as u32;
    resized(grey, side(width), side(height))
}

/// Resamples with a filter that covers what falls into each new pixel.
pub fn resized(grey: Grey, width: u32, height: u32) -> Grey {
    let (old_width, old_height) = (grey.width as u32, grey.height as u32);
    let values = resample(grey.values, old_width, old_height, width, height);
    Grey { values, alpha: None, width: width as usize, height: height as usize }
}
