//! The gradient that reaches the convolution, as a list of its non-zero elements.
//!
//! A 2×2 pool hands back one gradient in four, and relu zeroes more of them: the backward pass
//! visits only what is left.

use super::pixels::Pixels;
use crate::Activation;
use crate::simd::{Outlined, Simd};

/// The non-zero elements of the gradient and their positions.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entries<'a> {
    /// The number of the first pixel under the filter.
    pub pixels: &'a [u32],
    pub gradients: &'a [f32],
}

/// A growable list of [`Entries`].
#[derive(Debug, Default)]
pub(super) struct EntryList {
    pixels: Vec<u32>,
    gradients: Vec<f32>,
    count: usize,
}

/// Entries are written by whole vectors, of which the last may reach so far beyond the list.
const SLACK: usize = 16;

impl EntryList {
    /// An empty list with room for `len` entries.
    pub fn reserve(&mut self, len: usize) {
        let len = self.pixels.len().max(len + SLACK);
        self.pixels.resize(len, 0);
        self.gradients.resize(len, 0.0);
        self.count = 0;
    }

    /// Removes all entries.
    pub fn clear(&mut self) {
        self.count = 0;
    }

    /// The number of entries.
    pub fn len(&self) -> usize {
        self.count
    }

    /// The entries from number `start` on.
    pub fn since(&self, start: usize) -> Entries<'_> {
        Entries {
            pixels: &self.pixels[start..self.count],
            gradients: &self.gradients[start..self.count],
        }
    }

    /// Appends the entries of a plane; returns the sum of their gradients.
    ///
    /// # Panics
    /// There is no room for all.
    #[inline(always)]
    pub fn append<S: Simd>(&mut self, s: S, plane: Plane<'_>) -> f32 {
        s.outline(Append { plane, list: self })
    }
}

/// The gradient of a plane of the output, or of some of its rows.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plane<'a> {
    pub activation: Activation,
    /// What the activation's derivative is computed from.
    pub kept: &'a [f32],
    pub d_output: &'a [f32],
    /// Which of the pool's four each output is, and [`Pixels::SLACK`] more; empty where there is no
    /// pool.
    pub picks: &'a [u8],
    /// For each output, the number of the first pixel under its filter; and [`Pixels::SLACK`] more.
    pub cells: &'a [u32],
    /// What to add to a cell for the second column and for the second row that a pool picks from.
    pub pick_steps: [u32; 2],
    /// The offset of the image.
    pub image_at: u32,
}

struct Append<'a> {
    plane: Plane<'a>,
    list: &'a mut EntryList,
}

impl Outlined for Append<'_> {
    type Output = f32;

    #[inline(always)]
    fn run<S: Simd>(self, s: S) -> f32 {
        let Self { plane, list } = self;
        let len = plane.d_output.len();
        let has_picks = !plane.picks.is_empty();
        assert!(plane.kept.len() == len && plane.cells.len() >= len + Pixels::SLACK);
        assert!(!has_picks || plane.picks.len() >= len + Pixels::SLACK);
        assert!(
            list.count + len + SLACK <= list.pixels.len()
                && list.pixels.len() == list.gradients.len()
        );
        let (mut sum, mut count) = (s.zero(), list.count);
        for at in (0..len).step_by(S::LANES) {
            // SAFETY: `at` is less than the length of all slices, of which `cells` and `picks` have
            // a vector more. At most `at` entries were appended, so a vector fits into the list and
            // its slack.
            unsafe {
                let (gradient, pixels) = plane.load(s, at, (len - at).min(S::LANES), has_picks);
                let used = s.nonzero(gradient);
                s.store(&mut list.gradients, count, s.compress(used, gradient));
                s.store_integers(&mut list.pixels, count, s.compress(used, pixels));
                count += s.mask_bits(used).count_ones() as usize;
                sum = s.add(sum, gradient);
            }
        }
        list.count = count;
        s.sum(sum)
    }
}

impl Plane<'_> {
    /// The gradients and pixels from `at` on.
    ///
    /// # Safety
    /// `at + lanes` is at most the length of all slices, and `LANES` numbers of `cells` and `picks`
    /// from `at` on exist.
    #[inline(always)]
    unsafe fn load<S: Simd>(&self, s: S, at: usize, lanes: usize, has_picks: bool) -> (S::V, S::V) {
        // SAFETY: as the caller promises.
        let (kept, d_output, cells, picks) = unsafe {
            (
                s.load_partial(self.kept, at, lanes),
                s.load_partial(self.d_output, at, lanes),
                s.load_integers(self.cells, at),
                if has_picks { s.load_u8(self.picks, at) } else { s.zero() },
            )
        };
        let gradient = s.mul(self.activation.derivative(s, kept), d_output);
        let pixels = s.add_integers(cells, s.splat(f32::from_bits(self.image_at)));
        if !has_picks {
            return (gradient, pixels);
        }
        let [column, row] = self.pick_steps.map(|step| s.splat(step as f32));
        // Picks are 0 and 1 in the first row, 2 and 3 in the second.
        let second_row = s.gt(picks, s.splat(1.5));
        let in_row = s.sub(picks, s.select(second_row, s.splat(2.0), s.zero()));
        let step = s.fma(in_row, column, s.select(second_row, row, s.zero()));
        (gradient, s.add_integers(pixels, s.to_integers(step)))
    }
}
