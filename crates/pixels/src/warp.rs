//! Warps an image: an affine map and a smooth random field determine where each pixel comes from.

use burgeon_counter::CounterRng;

/// Turns an image about its centre by `radians`, enlarges it by `scale`, then moves it by `shift` pixels (x, y).
#[derive(Debug, Clone, Copy)]
pub(crate) struct Affine {
    pub radians: f32,
    pub scale: f32,
    pub shift: [f32; 2],
}

/// What fills the area outside an image that is shifted, rotated or shrunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Border {
    /// Black.
    #[default]
    Black,
    /// The image, mirrored at its edge.
    Reflect,
}

/// The row or column in `0..len` for an index `at` that may be outside it, in an image that is mirrored at its edges:
/// −1 gives 1, and `len` gives `len − 2`.
pub(crate) fn reflected(at: isize, len: usize) -> usize {
    let last = len as isize - 1;
    if last == 0 {
        return 0;
    }
    let folded = at.rem_euclid(2 * last);
    folded.min(2 * last - folded) as usize
}

/// One side of a Gaussian from its centre outwards. Two passes of it multiply a field by `alpha`.
#[derive(Debug, Clone)]
pub(crate) struct Gaussian(Vec<f32>);

impl Gaussian {
    /// Truncated after three standard deviations, where about a hundredth of the peak is left.
    pub fn new(alpha: f32, sigma: f32) -> Self {
        let reach = (3.0 * sigma).ceil().clamp(1.0, 255.0) as usize;
        let weight = |distance: usize| {
            libm::expf(-0.5 * (distance as f32 / sigma.max(f32::MIN_POSITIVE)).powi(2))
        };
        let half: Vec<f32> = (0..=reach).map(weight).collect();
        let sum = 2.0 * half[1..].iter().sum::<f32>() + half[0];
        let factor = alpha.max(0.0).sqrt() / sum;
        Self(half.into_iter().map(|weight| weight * factor).collect())
    }
}

/// A smooth random displacement of every pixel.
#[derive(Debug, Default)]
pub(crate) struct Field {
    noise: Vec<u8>,
    line: Vec<f32>,
    rows: Vec<f32>,
    /// Displacements along x and along y, `[height, width]` each.
    axes: [Vec<f32>; 2],
}

impl Field {
    /// Draws a new field of `width × height`.
    pub fn draw(&mut self, rng: &mut CounterRng, width: usize, height: usize, gaussian: &Gaussian) {
        for axis in 0..2 {
            self.noise.resize(width * height, 0);
            rng.fill_bytes(&mut self.noise);
            self.smooth_along_rows(width, &gaussian.0);
            self.smooth_across_rows(axis, width, &gaussian.0);
        }
    }

    fn smooth_along_rows(&mut self, width: usize, half: &[f32]) {
        let reach = half.len() - 1;
        self.line.clear();
        self.line.resize(width + 2 * reach, 0.0);
        self.rows.resize(self.noise.len(), 0.0);
        for (noise, row) in self.noise.chunks_exact(width).zip(self.rows.chunks_exact_mut(width)) {
            for (value, &byte) in self.line[reach..].iter_mut().zip(noise) {
                *value = (f32::from(byte) - 127.5) / 127.5;
            }
            scaled(row, &self.line[reach..], half[0]);
            for (distance, &weight) in half.iter().enumerate().skip(1) {
                add_pair(
                    row,
                    &self.line[reach - distance..],
                    &self.line[reach + distance..],
                    weight,
                );
            }
        }
    }

    fn smooth_across_rows(&mut self, axis: usize, width: usize, half: &[f32]) {
        let rows = &self.rows;
        self.axes[axis].resize(rows.len(), 0.0);
        let height = rows.len() / width;
        for (y, out) in self.axes[axis].chunks_exact_mut(width).enumerate() {
            scaled(out, &rows[y * width..], half[0]);
            for (distance, &weight) in half.iter().enumerate().skip(1) {
                let above = y.checked_sub(distance).map(|y| &rows[y * width..]);
                let below = (y + distance < height).then(|| &rows[(y + distance) * width..]);
                match (above, below) {
                    (Some(above), Some(below)) => add_pair(out, above, below, weight),
                    (Some(row), None) | (None, Some(row)) => add_one(out, row, weight),
                    (None, None) => break,
                }
            }
        }
    }
}

fn scaled(out: &mut [f32], row: &[f32], weight: f32) {
    for (out, value) in out.iter_mut().zip(row) {
        *out = value * weight;
    }
}

fn add_one(out: &mut [f32], row: &[f32], weight: f32) {
    for (out, value) in out.iter_mut().zip(row) {
        *out += value * weight;
    }
}

fn add_pair(out: &mut [f32], first: &[f32], second: &[f32], weight: f32) {
    for ((out, first), second) in out.iter_mut().zip(first).zip(second) {
        *out += (first + second) * weight;
    }
}

/// A position between pixels, mirrored into the image as [`reflected`] mirrors rows and columns.
fn folded(at: f32, len: usize) -> f32 {
    let last = len as f32 - 1.0;
    if last == 0.0 {
        return 0.0;
    }
    let folded = at.rem_euclid(2.0 * last);
    folded.min(2.0 * last - folded)
}

/// Reads an image between its pixels.
#[derive(Debug, Default)]
pub(crate) struct Sampler {
    /// The normalized image in a frame of background: one pixel before, two after each axis.
    framed: Vec<f32>,
}

impl Sampler {
    /// Writes the warped image, normalized by a factor and a term; `image` and `out` are `[height, width]`.
    #[expect(
        clippy::too_many_arguments,
        reason = "an image, what is done to it, and where it goes"
    )]
    pub fn sample(
        &mut self,
        image: &[u8],
        width: usize,
        affine: Affine,
        field: Option<&Field>,
        border: Border,
        normalize: (f32, f32),
        out: &mut [f32],
    ) {
        let height = image.len() / width;
        self.frame(image, width, height, normalize);
        let stride = width + 3;
        let (sin, cos) = libm::sincosf(affine.radians);
        // The inverse map: from where in the image does this pixel come?
        let scale = 1.0 / affine.scale.max(1e-3);
        let (sin, cos) = (sin * scale, cos * scale);
        let centre = [(width as f32 - 1.0) / 2.0, (height as f32 - 1.0) / 2.0];
        for (y, row) in out.chunks_exact_mut(width).enumerate() {
            let dy = y as f32 - centre[1] - affine.shift[1];
            let start = -centre[0] - affine.shift[0];
            let (x0, y0) = (cos * start + sin * dy + centre[0], cos * dy - sin * start + centre[1]);
            let bends =
                field.map(|field| field.axes.each_ref().map(|axis| &axis[y * width..][..width]));
            for (x, value) in row.iter_mut().enumerate() {
                let along = x as f32;
                let mut from = [x0 + cos * along, y0 - sin * along];
                if let Some([bend_x, bend_y]) = bends {
                    from = [from[0] + bend_x[x], from[1] + bend_y[x]];
                }
                if border == Border::Reflect {
                    from = [folded(from[0], width), folded(from[1], height)];
                }
                *value = self.between(from, width, height, stride);
            }
        }
    }

    fn frame(&mut self, image: &[u8], width: usize, height: usize, (factor, term): (f32, f32)) {
        self.framed.clear();
        self.framed.resize((width + 3) * (height + 3), term);
        let rows = self.framed.chunks_exact_mut(width + 3).skip(1);
        for (row, pixels) in rows.zip(image.chunks_exact(width)) {
            for (value, &pixel) in row[1..].iter_mut().zip(pixels) {
                *value = f32::from(pixel) * factor + term;
            }
        }
    }

    /// Bilinear interpolation; positions outside the image land in the frame.
    fn between(&self, [x, y]: [f32; 2], width: usize, height: usize, stride: usize) -> f32 {
        let x = (x + 1.0).clamp(0.0, width as f32 + 1.0);
        let y = (y + 1.0).clamp(0.0, height as f32 + 1.0);
        let (left, top) = (x as usize, y as usize);
        let (right_share, bottom_share) = (x - left as f32, y - top as f32);
        let corner = top * stride + left;
        let upper = &self.framed[corner..corner + 2];
        let lower = &self.framed[corner + stride..corner + stride + 2];
        let upper = upper[0] + (upper[1] - upper[0]) * right_share;
        let lower = lower[0] + (lower[1] - lower[0]) * right_share;
        upper + (lower - upper) * bottom_share
    }
}
