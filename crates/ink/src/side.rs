//! Decides whether the ink is darker or lighter than the paper, by counting the pixels that differ from the paper, in the
//! picture and at its border.

use super::paper::Paper;
use crate::{Grey, InkError, Invert};

/// Smallest contrast between ink and paper, out of 1; less is noise.
pub(super) const CONTRAST_MIN: f32 = 0.12;

/// On which side of the paper's brightness the ink is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Darker,
    Lighter,
}

/// Shares of pixels that are darker and lighter than the paper, in the picture and at its border.
#[derive(Debug, Default)]
struct Census {
    darker: f32,
    lighter: f32,
    border_darker: f32,
    border_lighter: f32,
}

impl Census {
    fn of(picture: &Grey, paper: &Paper) -> (Self, f32) {
        let residual = |at: usize| picture.values[at] - paper.at(picture, at);
        let strongest =
            (0..picture.values.len()).map(|at| residual(at).abs()).fold(0.0_f32, f32::max);
        let least = 0.3 * strongest;
        let mut census = Self::default();
        let mut border = 0.0_f32;
        for at in 0..picture.values.len() {
            let (x, y) = (at % picture.width, at / picture.width);
            let is_border = x == 0 || y == 0 || x + 1 == picture.width || y + 1 == picture.height;
            border += f32::from(u8::from(is_border));
            let (all, at_border) = match residual(at) {
                r if r <= -least => (&mut census.darker, &mut census.border_darker),
                r if r >= least => (&mut census.lighter, &mut census.border_lighter),
                _ => continue,
            };
            *all += 1.0;
            *at_border += f32::from(u8::from(is_border));
        }
        let pixels = picture.values.len() as f32;
        census.darker /= pixels;
        census.lighter /= pixels;
        census.border_darker /= border;
        census.border_lighter /= border;
        (census, strongest)
    }

    fn share(&self, side: Side) -> f32 {
        match side {
            Side::Darker => self.darker,
            Side::Lighter => self.lighter,
        }
    }

    fn border_share(&self, side: Side) -> f32 {
        match side {
            Side::Darker => self.border_darker,
            Side::Lighter => self.border_lighter,
        }
    }
}

/// One side must have this many times the other's pixels to be the ink.
pub(super) const LEAD: f32 = 2.0;
/// A picture cropped to its digit can have more ink than paper. Then what differs is the paper; it fills at least these
/// shares of the picture and of its border, but not the whole border, as a frame would.
const TIGHT_SHARE: f32 = 0.25;
const TIGHT_BORDER: f32 = 0.65;
pub(super) const FRAME_BORDER: f32 = 0.95;
/// Two halves cannot be told apart, unless one of them keeps away from the border.
const HALF_SHARE: f32 = 0.42;
const HALF_BORDER: f32 = 0.35;

/// Whether the ink is darker or lighter than the paper, and the paper, which is another one if the picture is cropped to
/// its digit.
pub(super) fn choose_side(
    picture: &Grey,
    paper: Paper,
    invert: Invert,
) -> Result<(Side, Paper), InkError> {
    let (census, strongest) = Census::of(picture, &paper);
    if strongest < CONTRAST_MIN {
        return Err(InkError::Blank);
    }
    let (most, least) = match census.darker >= census.lighter {
        true => (Side::Darker, Side::Lighter),
        false => (Side::Lighter, Side::Darker),
    };
    let wanted = match invert {
        Invert::Auto => None,
        Invert::Always => Some(Side::Darker),
        Invert::Never => Some(Side::Lighter),
    };
    if let Some(wanted) = wanted {
        let is_there = census.share(wanted) * LEAD >= census.share(most);
        return Ok(if is_there {
            (wanted, paper)
        } else {
            (wanted, other_level(picture, &paper, most))
        });
    }
    if census.share(most) < LEAD * census.share(least) || is_in_halves(picture, &census) {
        return Err(InkError::Undecided);
    }
    let (share, border) = (census.share(most), census.border_share(most));
    if border >= FRAME_BORDER {
        return Ok((most, paper));
    }
    if share >= TIGHT_SHARE && border >= TIGHT_BORDER {
        return Ok((least, other_level(picture, &paper, most)));
    }
    let is_half = share >= HALF_SHARE && border > HALF_BORDER;
    if border >= 0.5 || is_half { Err(InkError::Undecided) } else { Ok((most, paper)) }
}

/// Whether half of the picture and half of its border are dark, and no smooth surface fits most of it, as with stripes.
fn is_in_halves(picture: &Grey, census: &Census) -> bool {
    let low = picture.values.iter().copied().fold(f32::INFINITY, f32::min);
    let high = picture.values.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let dark_share = |values: &[f32]| {
        let dark = values.iter().filter(|&&value| value < (low + high) / 2.0).count();
        dark as f32 / values.len() as f32
    };
    census.darker + census.lighter > 0.25
        && (0.42..=0.58).contains(&dark_share(&picture.values))
        && (0.35..=0.65).contains(&dark_share(&picture.border()))
}

/// The mean brightness of the pixels that differ on one side, as paper.
fn other_level(picture: &Grey, paper: &Paper, side: Side) -> Paper {
    let residual = |at: usize| match side {
        Side::Darker => paper.at(picture, at) - picture.values[at],
        Side::Lighter => picture.values[at] - paper.at(picture, at),
    };
    let strongest = (0..picture.values.len()).map(residual).fold(0.0, f32::max);
    let chosen = (0..picture.values.len()).filter(|&at| residual(at) >= 0.5 * strongest);
    let (sum, count) = chosen.fold((0.0, 0.0_f64), |(sum, count), at| {
        (sum + f64::from(picture.values[at]), count + 1.0)
    });
    Paper::flat(sum / count.max(1.0))
}

/// Brightness as if the paper were 1 everywhere and the strongest ink 0.
pub(super) fn normalized(picture: &Grey, paper: &Paper, side: Side) -> Result<Vec<f32>, InkError> {
    // Dark ink absorbs a share of the paper's light; light ink removes a share of its darkness.
    let ink = |at: usize| {
        let (value, paper) = (picture.values[at], paper.at(picture, at).clamp(0.0, 1.0));
        match side {
            Side::Darker => (paper - value) / paper.max(0.1),
            Side::Lighter => (value - paper) / (1.0 - paper).max(0.1),
        }
    };
    let inks: Vec<f32> = (0..picture.values.len()).map(ink).collect();
    let strongest = inks.iter().copied().fold(0.0, f32::max);
    if strongest < CONTRAST_MIN {
        return Err(InkError::Blank);
    }
    Ok(inks.into_iter().map(|ink| 1.0 - (ink / strongest).max(0.0)).collect())
}
