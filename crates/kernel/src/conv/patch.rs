//! The inner kernels of the backward pass: what gradients do to the weights of their filters, and
//! to the image.
//!
//! A patch is what lies under a filter: a run of numbers from each of a few rows of pixels. Every
//! gradient has a patch; the sums over patches, or the weights to be added to them, stay in
//! registers from one gradient to the next.

use super::gradient::Entries;
use super::parts::{Part, PartKernel, for_each_part, load_part};
use super::pixels::Pixels;
use super::positions::PositionList;
use crate::simd::Simd;

/// Adds the patches of `pixels` at the entries of one filter, each times its gradient, to
/// `d_filter`.
///
/// # Safety
/// All patches lie inside `pixels`, with [`Pixels::SLACK`] floats after them.
#[inline(always)]
pub(super) unsafe fn add_weight_gradient<S: Simd>(
    s: S,
    layout: &Pixels,
    entries: Entries<'_>,
    pixels: &[f32],
    d_filter: &mut [f32],
) {
    assert!(d_filter.len() == layout.filter_len());
    // SAFETY: passed on.
    unsafe { for_each_part(s, layout, &mut WeightGradient { entries, pixels, d_filter }) };
}

/// Adds one filter, times the gradient of each of its entries, to their patches of `d_pixels`.
///
/// # Safety
/// All patches lie inside `d_pixels`, with [`Pixels::SLACK`] floats after them.
#[inline(always)]
pub(super) unsafe fn scatter_image_gradient<S: Simd>(
    s: S,
    layout: &Pixels,
    entries: Entries<'_>,
    filter: &[f32],
    d_pixels: &mut [f32],
) {
    assert!(filter.len() == layout.filter_len());
    // SAFETY: passed on.
    unsafe { for_each_part(s, layout, &mut ScatteredGradient { entries, filter, d_pixels }) };
}

/// Adds the filters at each position, times their gradients, to the patch there.
///
/// It does what [`scatter_image_gradient`] does for one filter after another, but goes to memory
/// once a position.
///
/// # Safety
/// All patches lie inside `d_pixels`, with [`Pixels::SLACK`] floats after them, and all weights in
/// `filters`.
#[inline(always)]
pub(super) unsafe fn gather_image_gradient<S: Simd>(
    s: S,
    layout: &Pixels,
    positions: &PositionList,
    filters: &[f32],
    d_pixels: &mut [f32],
) {
    // SAFETY: passed on.
    unsafe { for_each_part(s, layout, &mut GatheredGradient { positions, filters, d_pixels }) };
}

/// Filters that are gathered together.
pub(super) const GATHERED_FILTERS: usize = 64;

struct WeightGradient<'a> {
    entries: Entries<'a>,
    pixels: &'a [f32],
    d_filter: &'a mut [f32],
}

impl PartKernel for WeightGradient<'_> {
    #[inline(always)]
    unsafe fn run<S: Simd, const R: usize, const M: usize>(&mut self, s: S, part: Part) {
        // SAFETY: the part is the filter's.
        let mut sums = unsafe { load_part::<S, R, M>(s, self.d_filter, part) };
        let Entries { pixels: at, gradients } = self.entries;
        // Few sums would wait for one another: every other entry gets sums of its own.
        if const { R * M <= 6 } {
            let mut odd_sums = [[s.zero(); M]; R];
            let (at, last_at) = at.as_chunks::<2>();
            let (gradients, last_gradient) = gradients.as_chunks::<2>();
            for (at, gradient) in at.iter().zip(gradients) {
                // SAFETY: the patches lie inside the pixels.
                unsafe {
                    add_patch(s, &mut sums, self.pixels, part, at[0], gradient[0]);
                    add_patch(s, &mut odd_sums, self.pixels, part, at[1], gradient[1]);
                }
            }
            for (at, gradient) in last_at.iter().zip(last_gradient) {
                // SAFETY: as above.
                unsafe { add_patch(s, &mut sums, self.pixels, part, *at, *gradient) };
            }
            for (sum, odd) in sums.as_flattened_mut().iter_mut().zip(odd_sums.as_flattened()) {
                *sum = s.add(*sum, *odd);
            }
        } else {
            for (at, gradient) in at.iter().zip(gradients) {
                // SAFETY: as above.
                unsafe { add_patch(s, &mut sums, self.pixels, part, *at, *gradient) };
            }
        }
        for (r, row) in sums.iter().enumerate() {
            for (m, sum) in row.iter().enumerate() {
                // SAFETY: the part is the filter's.
                unsafe {
                    s.store(self.d_filter, part.filter_at + r * part.run_len + m * S::LANES, *sum)
                };
            }
        }
    }
}

/// # Safety
/// The entry's patch lies inside `pixels`.
#[inline(always)]
unsafe fn add_patch<S: Simd, const R: usize, const M: usize>(
    s: S,
    sums: &mut [[S::V; M]; R],
    pixels: &[f32],
    part: Part,
    pixel: u32,
    gradient: f32,
) {
    let gradient = s.splat(gradient);
    let at = pixel as usize * part.pixel_len + part.offset;
    for (r, row) in sums.iter_mut().enumerate() {
        for (m, sum) in row.iter_mut().enumerate() {
            // SAFETY: as the caller promises.
            let pixels = unsafe { s.load(pixels, at + r * part.row_len + m * S::LANES) };
            *sum = s.fma(gradient, pixels, *sum);
        }
    }
}

struct ScatteredGradient<'a> {
    entries: Entries<'a>,
    filter: &'a [f32],
    d_pixels: &'a mut [f32],
}

impl PartKernel for ScatteredGradient<'_> {
    #[inline(always)]
    unsafe fn run<S: Simd, const R: usize, const M: usize>(&mut self, s: S, part: Part) {
        // SAFETY: the part is the filter's.
        let weights = unsafe { load_part::<S, R, M>(s, self.filter, part) };
        for (pixel, gradient) in self.entries.pixels.iter().zip(self.entries.gradients) {
            let gradient = s.splat(*gradient);
            let at = *pixel as usize * part.pixel_len + part.offset;
            for (r, row) in weights.iter().enumerate() {
                for (m, weights) in row.iter().enumerate() {
                    let at = at + r * part.row_len + m * S::LANES;
                    // SAFETY: the patches lie inside the pixels.
                    unsafe {
                        let sum = s.fma(gradient, *weights, s.load(self.d_pixels, at));
                        s.store(self.d_pixels, at, sum);
                    }
                }
            }
        }
    }
}

struct GatheredGradient<'a> {
    positions: &'a PositionList,
    filters: &'a [f32],
    d_pixels: &'a mut [f32],
}

impl PartKernel for GatheredGradient<'_> {
    /// The parts of all filters that are gathered stay in the first-level cache from one position to the
    /// next.
    const VECTORS_MAX: usize = 10;

    #[inline(always)]
    unsafe fn run<S: Simd, const R: usize, const M: usize>(&mut self, s: S, part: Part) {
        for position in self.positions.iter() {
            let mut sums = [[s.zero(); M]; R];
            for (weights_at, gradient) in position.weights_at.iter().zip(position.gradients) {
                let gradient = s.splat(*gradient);
                let at = *weights_at as usize + part.filter_at;
                for (r, row) in sums.iter_mut().enumerate() {
                    for (m, sum) in row.iter_mut().enumerate() {
                        // SAFETY: the part is the filter's.
                        let weights =
                            unsafe { s.load(self.filters, at + r * part.run_len + m * S::LANES) };
                        *sum = s.fma(gradient, weights, *sum);
                    }
                }
            }
            let at = position.pixel * part.pixel_len + part.offset;
            for (r, row) in sums.iter().enumerate() {
                for (m, sum) in row.iter().enumerate() {
                    let at = at + r * part.row_len + m * S::LANES;
                    // SAFETY: the patches lie inside the pixels.
                    unsafe { s.store(self.d_pixels, at, s.add(*sum, s.load(self.d_pixels, at))) };
                }
            }
        }
    }
}
