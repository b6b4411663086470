//! Finds the ink in a picture of a digit: light on dark or dark on light, on paper that may be of any brightness and
//! unevenly lit.
//!
//! 1. Paper is a smooth surface that most of the picture lies on: a quadratic polynomial (as in Lu, Su and Tan,
//!    "Document image binarization using background estimation and stroke edges", 2010), fitted by least trimmed squares
//!    (Rousseeuw and Van Driessen, "Computing LTS regression for large data sets", 2006) so that strokes do not pull it.
//! 2. Ink is what lies on one side of that surface.
//! 3. Which pixels are ink is decided by the threshold of Sauvola and Pietikäinen ("Adaptive document image
//!    binarization", 2000), which follows what is left of shadows.

// In a circle with center: centring asks for the ink, and the ink is returned as the grey picture
// that is centred.

use image::imageops::{self, FilterType};
use image::{ImageBuffer, Luma};

use super::center::Drawing;
use super::image_file::{Grey, Invert, PictureError};

/// Less contrast between ink and paper than this, out of 1, is noise rather than writing.
const CONTRAST_MIN: f32 = 0.12;

/// Ink fainter than this share of the strongest is paper: scans and JPEG are never clean.
const INK_SHARE_MIN: f32 = 0.1;

/// Larger pictures are shrunk first: a stroke is still several pixels wide.
const SIDE_MAX: u32 = 1024;

/// The ink of a picture, 0 for paper and 1 for the strongest.
///
/// # Errors
/// [`PictureError::Blank`] when nothing stands out, [`PictureError::Undecided`] when light and dark have equal claims to
/// be the ink.
pub(crate) fn find(grey: Grey, invert: Invert) -> Result<Drawing, PictureError> {
    let picture = shrunk(composed(grey, invert)?);
    let paper = Paper::fit(&picture);
    let (side, paper) = choose_side(&picture, paper, invert)?;
    let brightness = normalized(&picture, &paper, side)?;
    without_frame(by_sauvola(&picture, &brightness))
}

/// Takes a frame around the digit away: ink that fills the border, and all that touches it.
fn without_frame(mut drawing: Drawing) -> Result<Drawing, PictureError> {
    let (width, height) = (drawing.width, drawing.height);
    let is_border = |at: usize| {
        let (x, y) = (at % width, at / width);
        x == 0 || y == 0 || x + 1 == width || y + 1 == height
    };
    let border: Vec<usize> = (0..drawing.ink.len()).filter(|&at| is_border(at)).collect();
    let inked = border.iter().filter(|&&at| drawing.ink[at] > 0.0).count();
    if (inked as f32) < FRAME_BORDER * border.len() as f32 {
        return Ok(drawing);
    }
    let mut open = border;
    while let Some(at) = open.pop() {
        if std::mem::take(&mut drawing.ink[at]) > 0.0 {
            let (x, y) = (at % width, at / width);
            open.extend((x > 0).then(|| at - 1));
            open.extend((x + 1 < width).then(|| at + 1));
            open.extend((y > 0).then(|| at - width));
            open.extend((y + 1 < height).then(|| at + width));
        }
    }
    if drawing.ink.iter().any(|&ink| ink > 0.0) {
        Ok(drawing)
    } else {
        Err(PictureError::Undecided)
    }
}

/// On which side of the paper's brightness the ink is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Darker,
    Lighter,
}

/// Puts transparent parts on paper that the ink stands out from.
fn composed(grey: Grey, invert: Invert) -> Result<Grey, PictureError> {
    let Some(alpha) = &grey.alpha else {
        return Ok(grey);
    };
    let visible = |at: &usize| alpha[*at] > 0.5;
    let mut values: Vec<f32> =
        (0..grey.values.len()).filter(visible).map(|at| grey.values[at]).collect();
    if values.is_empty() {
        // Nothing but traces: they are the ink.
        let traces = (0..grey.values.len()).filter(|&at| alpha[at] > 0.0);
        values = traces.map(|at| grey.values[at]).collect();
    }
    if values.is_empty() {
        return Err(PictureError::Blank);
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
        for (axis, place) in [at % grey.width, at / grey.width].into_iter().enumerate() {
            low[axis] = low[axis].min(place);
            high[axis] = high[axis].max(place + 1);
        }
    }
    let area = high[0].saturating_sub(low[0]) * high[1].saturating_sub(low[1]);
    count as f32 / area.max(1) as f32
}

fn shrunk(grey: Grey) -> Grey {
    let (width, height) = (grey.width as u32, grey.height as u32);
    let longer = width.max(height);
    if longer <= SIDE_MAX {
        return grey;
    }
    let side = |len: u32| (u64::from(len) * u64::from(SIDE_MAX) / u64::from(longer)).max(1) as u32;
    resized(grey, side(width), side(height))
}

/// Resamples with a filter that covers what falls into each new pixel, so that thin strokes of large pictures stay.
pub(crate) fn resized(grey: Grey, width: u32, height: u32) -> Grey {
    let (old_width, old_height) = (grey.width as u32, grey.height as u32);
    let values = resample(grey.values, old_width, old_height, width, height);
    Grey { values, alpha: None, width: width as usize, height: height as usize }
}

/// The same for bare values, 0 to 1.
pub(crate) fn resample(
    values: Vec<f32>,
    width: u32,
    height: u32,
    new_width: u32,
    new_height: u32,
) -> Vec<f32> {
    let plane = ImageBuffer::<Luma<f32>, _>::from_raw(width, height, values).unwrap_or_default();
    imageops::resize(&plane, new_width, new_height, FilterType::Triangle).into_raw()
}

/// The paper's brightness at every place: c₀ + c₁x + c₂y + c₃x² + c₄xy + c₅y² for x and y from −1 to 1.
#[derive(Debug, Clone, Copy)]
struct Paper {
    coefficients: [f64; 6],
}

/// The share of pixels that the surface is fitted to: those that lie closest to it.
const TRIMMED_SHARE: f64 = 0.6;
/// Pixels that the surface is fitted to at most.
const SAMPLES_MAX: usize = 20_000;
const FIT_STEPS: usize = 12;

impl Paper {
    fn fit(picture: &Grey) -> Self {
        let stride = picture.values.len().div_ceil(SAMPLES_MAX);
        let all: Vec<([f64; 6], f64)> = (0..picture.values.len())
            .step_by(stride)
            .map(|at| (terms(picture, at), f64::from(picture.values[at])))
            .collect();
        let kept = ((all.len() as f64 * TRIMMED_SHARE) as usize).max(1);
        let mut best: Option<(f64, Self)> = None;
        // A flat start at each end and the plain fit: the closest fit of the trimmed ones wins.
        for start in [
            Self::flat(quantile(&all, 0.2)),
            Self::flat(quantile(&all, 0.8)),
            Self::least_squares(&all),
        ] {
            let mut paper = start;
            let mut error = f64::INFINITY;
            for _ in 0..FIT_STEPS {
                let mut ranked: Vec<(f64, usize)> = all
                    .iter()
                    .enumerate()
                    .map(|(at, (terms, value))| ((paper.value(terms) - value).abs(), at))
                    .collect();
                ranked.select_nth_unstable_by(kept - 1, |a, b| {
                    a.0.total_cmp(&b.0).then(a.1.cmp(&b.1))
                });
                ranked.truncate(kept);
                let chosen: Vec<_> = ranked.iter().map(|&(_, at)| all[at]).collect();
                paper = Self::least_squares(&chosen);
                let errors =
                    chosen.iter().map(|(terms, value)| (paper.value(terms) - value).powi(2));
                let now = errors.sum::<f64>();
                if now >= error * 0.999 {
                    break;
                }
                error = now;
            }
            if best.is_none_or(|(least, _)| error < least) {
                best = Some((error, paper));
            }
        }
        best.map_or_else(|| Self::flat(0.0), |(_, paper)| paper)
    }

    fn flat(value: f64) -> Self {
        Self { coefficients: [value, 0.0, 0.0, 0.0, 0.0, 0.0] }
    }

    /// Solves the normal equations; a ridge keeps them solvable for pictures of one row.
    fn least_squares(points: &[([f64; 6], f64)]) -> Self {
        let mut matrix = [[0.0; 7]; 6];
        for (terms, value) in points {
            for (row, term) in matrix.iter_mut().zip(terms) {
                for (cell, other) in row.iter_mut().zip(terms) {
                    *cell += term * other;
                }
                row[6] += term * value;
            }
        }
        let ridge = 1e-6 * points.len().max(1) as f64;
        for (at, row) in matrix.iter_mut().enumerate() {
            row[at] += if at == 0 { 1e-9 } else { ridge };
        }
        Self { coefficients: solve(matrix) }
    }

    fn value(&self, terms: &[f64; 6]) -> f64 {
        self.coefficients.iter().zip(terms).map(|(coefficient, term)| coefficient * term).sum()
    }

    fn at(&self, picture: &Grey, index: usize) -> f32 {
        self.value(&terms(picture, index)) as f32
    }
}

fn terms(picture: &Grey, index: usize) -> [f64; 6] {
    let scale = |place: usize, len: usize| (2 * place + 1) as f64 / len as f64 - 1.0;
    let x = scale(index % picture.width, picture.width);
    let y = scale(index / picture.width, picture.height);
    [1.0, x, y, x * x, x * y, y * y]
}

fn quantile(points: &[([f64; 6], f64)], share: f64) -> f64 {
    let mut values: Vec<f64> = points.iter().map(|point| point.1).collect();
    let at = ((values.len() - 1) as f64 * share) as usize;
    *values.select_nth_unstable_by(at, f64::total_cmp).1
}

/// Gaussian elimination of a positive definite matrix with its right side in the last column.
fn solve(mut matrix: [[f64; 7]; 6]) -> [f64; 6] {
    for pivot in 0..6 {
        let lead = matrix[pivot];
        for (at, row) in matrix.iter_mut().enumerate() {
            if at != pivot {
                let factor = row[pivot] / lead[pivot];
                row.iter_mut().zip(lead).for_each(|(cell, lead)| *cell -= factor * lead);
            }
        }
    }
    std::array::from_fn(|at| matrix[at][6] / matrix[at][at])
}

/// How many pixels stand out from the paper, and how many of those at the border, by side.
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

/// Of two sides, one has to have so many times the other's pixels to be the ink.
const LEAD: f32 = 2.0;
/// A picture cut to the digit can have more ink than paper; what stands out is the paper then, and fills at least these
/// shares of the picture and of its border, but not all of the border, as a frame does.
const TIGHT_SHARE: f32 = 0.25;
const TIGHT_BORDER: f32 = 0.65;
const FRAME_BORDER: f32 = 0.95;
/// Two halves have equal claims, unless one of them keeps away from the border.
const HALF_SHARE: f32 = 0.42;
const HALF_BORDER: f32 = 0.35;

/// Which side of the paper the ink is on, and the paper, which is another one where the picture is cut to the digit.
fn choose_side(
    picture: &Grey,
    paper: Paper,
    invert: Invert,
) -> Result<(Side, Paper), PictureError> {
    let (census, strongest) = Census::of(picture, &paper);
    if strongest < CONTRAST_MIN {
        return Err(PictureError::Blank);
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
        return Err(PictureError::Undecided);
    }
    let (share, border) = (census.share(most), census.border_share(most));
    if border >= FRAME_BORDER {
        return Ok((most, paper));
    }
    if share >= TIGHT_SHARE && border >= TIGHT_BORDER {
        return Ok((least, other_level(picture, &paper, most)));
    }
    let is_half = share >= HALF_SHARE && border > HALF_BORDER;
    if border >= 0.5 || is_half { Err(PictureError::Undecided) } else { Ok((most, paper)) }
}

/// Whether half of the picture and half of its border are dark, and no surface holds most of it, as of stripes.
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

/// The mean brightness of what stands out on one side, as paper.
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
fn normalized(picture: &Grey, paper: &Paper, side: Side) -> Result<Vec<f32>, PictureError> {
    // Ink takes a share of the light that falls on the paper; light ink leaves a share of the dark.
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
        return Err(PictureError::Blank);
    }
    Ok(inks.into_iter().map(|ink| 1.0 - (ink / strongest).max(0.0)).collect())
}

/// Sauvola's k: how far below the local mean the threshold lies where nothing varies.
const SAUVOLA_K: f64 = 0.3;
/// Sauvola's R: the largest standard deviation of values from 0 to 1.
const SAUVOLA_R: f64 = 0.5;

/// Ink where brightness is below mean · (1 + k (deviation / R − 1)) of a window of half the picture, and one pixel
/// of 28 around it, where strokes fade out.
fn by_sauvola(picture: &Grey, brightness: &[f32]) -> Drawing {
    let (width, height) = (picture.width, picture.height);
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

/// Sums over rectangles in four look-ups (Crow, "Summed-area tables for texture mapping", 1984).
struct Sums {
    table: Vec<f64>,
    width: usize,
    height: usize,
}

impl Sums {
    fn of(width: usize, height: usize, value: impl Fn(usize) -> f64) -> Self {
        let row = width + 1;
        let mut table = vec![0.0; row * (height + 1)];
        for y in 0..height {
            let mut sum = 0.0;
            for x in 0..width {
                sum += value(y * width + x);
                table[(y + 1) * row + x + 1] = table[y * row + x + 1] + sum;
            }
        }
        Self { table, width, height }
    }

    /// Of the square with sides of `2 · reach + 1` around a pixel, as far as it lies in the picture.
    fn around(&self, at: usize, reach: usize) -> f64 {
        let ([left, right], [top, bottom]) = self.bounds(at, reach);
        let corner = |x: usize, y: usize| self.table[y * (self.width + 1) + x];
        corner(right, bottom) - corner(left, bottom) - corner(right, top) + corner(left, top)
    }

    fn count_around(&self, at: usize, reach: usize) -> f64 {
        let ([left, right], [top, bottom]) = self.bounds(at, reach);
        ((right - left) * (bottom - top)) as f64
    }

    fn bounds(&self, at: usize, reach: usize) -> ([usize; 2], [usize; 2]) {
        let range =
            |place: usize, len: usize| [place.saturating_sub(reach), (place + reach + 1).min(len)];
        (range(at % self.width, self.width), range(at / self.width, self.height))
    }
}
