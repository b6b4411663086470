//! The gradient of the weights where hardly any gradient is zero: each weight's is the sum, over all
//! places of its filter, of the pixel under it times the gradient there.
//!
//! Each lane is a place. Gradients are spread out to the rows of the padded image, with zeros in
//! between, so that the places of an image are one run of numbers, and so are the pixels under a
//! weight. A tile is a few weights of a few filters: their sums stay in registers over all places of
//! a few images, and each vector of pixels or gradients is used for all of them.

use std::ops::Range;

use super::planes::Planes;
use super::shape::ConvShape;
use super::weights::{chunk_count, sums_len};
use crate::simd::{Outlined, Simd};
use crate::{Activation, DisjointMut, Kernel, scratch};

/// How a batch is cut up, which depends on shapes alone.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cut {
    /// Images whose planes are in memory at the same time: many small ones, so that there is some
    /// work for each tile, but no more than the caches hold.
    group: usize,
    images_per_chunk: usize,
    pub chunks: usize,
}

impl Cut {
    pub fn new(shape: &ConvShape, planes: &Planes, batch: usize) -> Self {
        const PLACES: usize = 2048;
        const FLOATS_MAX: usize = 1 << 17;
        let (places, filters) = (places_len(shape, planes), shape.filters);
        let fitting = FLOATS_MAX / (planes.len() + filters * places).max(1);
        let group = PLACES.div_ceil(places.max(1)).min(fitting).max(1);
        let chunks = chunk_count(sums_len(filters, shape.filter_len()));
        let images_per_chunk =
            batch.div_ceil(chunks).next_multiple_of(group).min(batch.div_ceil(4)).max(1);
        Self { group, images_per_chunk, chunks: batch.div_ceil(images_per_chunk) }
    }
}

/// The length of a filter's gradients, spread out; whole vectors.
fn places_len(shape: &ConvShape, planes: &Planes) -> usize {
    let [rows, columns] = shape.conv_size();
    (rows.saturating_sub(1) * planes.row_step() + columns).next_multiple_of(Planes::SLACK)
}

/// The sums of each chunk of a batch.
pub(super) struct Correlate<'a> {
    pub shape: &'a ConvShape,
    /// With neighbouring pixels for neighbouring outputs.
    pub planes: &'a Planes,
    pub cut: Cut,
    pub batch: usize,
    /// `[batch, channels, height, width]`
    pub images: &'a [f32],
    /// The gradient of the output, `[batch, filters, rows, columns]`, and what the derivative of the
    /// activation between it and the convolution is computed from.
    pub d_output: &'a [f32],
    pub kept: &'a [f32],
    pub activation: Activation,
    /// For each chunk, its [`sums_len`] sums, laid out as the weights are.
    pub sums: DisjointMut<'a, f32>,
}

impl Kernel for Correlate<'_> {
    #[inline(always)]
    fn run<S: Simd>(&self, s: S, chunk: usize) {
        let Cut { group, images_per_chunk, .. } = self.cut;
        let filters = self.shape.filters;
        let sums_len = sums_len(filters, self.shape.filter_len());
        // SAFETY: every chunk has its own range.
        let sums = unsafe { self.sums.range(chunk * sums_len..(chunk + 1) * sums_len) };
        sums.fill(0.0);
        let first = chunk * images_per_chunk;
        let images = first..self.batch.min(first + images_per_chunk);
        let deltas_len = group * filters * places_len(self.shape, self.planes);
        let planes_len = group * self.planes.len() + Planes::SLACK;
        scratch::with(deltas_len + planes_len, |memory| {
            memory.fill(0.0);
            let (deltas, planes) = memory.split_at_mut(deltas_len);
            for start in images.clone().step_by(group) {
                let images = start..images.end.min(start + group);
                s.outline(Group { correlate: self, images, deltas, planes, sums });
            }
        });
    }
}

/// A group of images on its way to the sums.
struct Group<'a, 'b> {
    correlate: &'a Correlate<'a>,
    images: Range<usize>,
    /// Room for gradients, spread out, with zeros between the rows.
    deltas: &'b mut [f32],
    /// Room for planes, with [`Planes::SLACK`] numbers after them.
    planes: &'b mut [f32],
    sums: &'b mut [f32],
}

impl Outlined for Group<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(mut self, s: S) {
        self.fill(s);
        let Correlate { shape, planes: layout, .. } = *self.correlate;
        let (d_weight, _) = self.sums.split_at_mut(shape.weight_len());
        let tiles = TileSource {
            images: self.images.len(),
            planes: self.planes,
            planes_len: layout.len(),
            deltas: self.deltas,
            filters: shape.filters,
            places_len: places_len(shape, layout),
        };
        let taps = layout.taps()[0];
        let (tap_max, filter_max) = const { (taps_max::<S>(), filters_max::<S>()) };
        let groups = shape.filters.div_ceil(filter_max);
        let mut filter = 0;
        for group in 0..groups {
            let count = (shape.filters - filter).div_ceil(groups - group);
            let d_filters = &mut d_weight[filter * taps.len()..(filter + count) * taps.len()];
            for tap in (0..taps.len()).step_by(tap_max) {
                let tile_taps = &taps[tap..taps.len().min(tap + tap_max)];
                // SAFETY: the filters exist; the taps are those of the planes, which have slack.
                unsafe { run_tile(s, count, &tiles, [filter, tap], tile_taps, d_filters) };
            }
            filter += count;
        }
    }
}

impl Group<'_, '_> {
    /// Lays out the images and their gradients, and adds up the latter.
    #[inline(always)]
    fn fill<S: Simd>(&mut self, s: S) {
        let Correlate { shape, planes: layout, images, d_output, kept, activation, .. } =
            *self.correlate;
        let (image_len, delta_len) = (shape.image_len(), shape.output_len());
        let places_len = places_len(shape, layout);
        let [rows, columns] = shape.conv_size();
        let (_, d_bias) = self.sums.split_at_mut(shape.weight_len());
        for (i, n) in self.images.clone().enumerate() {
            let planes = &mut self.planes[i * layout.len()..][..layout.len()];
            layout.fill(&images[n * image_len..][..image_len], planes);
            let of_image = n * delta_len..(n + 1) * delta_len;
            // Whatever a linear layer gave out, its slope is one.
            let kept = if activation == Activation::Linear { d_output } else { kept };
            let [d_output, kept] = [d_output, kept]
                .map(|numbers| numbers[of_image.clone()].chunks_exact(rows * columns));
            for (filter, (d_output, kept)) in d_output.zip(kept).enumerate() {
                let at = (i * shape.filters + filter) * places_len;
                let to = &mut self.deltas[at..at + places_len];
                let mut sum = s.zero();
                let rows = d_output.chunks_exact(columns).zip(kept.chunks_exact(columns));
                for (row, (d_output, kept)) in rows.enumerate() {
                    let to = &mut to[row * layout.row_step()..][..columns];
                    for at in (0..columns).step_by(S::LANES) {
                        let lanes = S::LANES.min(columns - at);
                        // SAFETY: the lanes end with the row.
                        unsafe {
                            let kept = s.load_partial(kept, at, lanes);
                            let d_output = s.load_partial(d_output, at, lanes);
                            let delta = s.mul(activation.derivative(s, kept), d_output);
                            s.store_partial(to, at, lanes, delta);
                            sum = s.add(sum, delta);
                        }
                    }
                }
                d_bias[filter] += s.sum(sum);
            }
        }
    }
}

/// Weights of a filter in a tile.
const fn taps_max<S: Simd>() -> usize {
    match S::REGISTERS {
        32.. => 5,
        16.. => 4,
        _ => 2,
    }
}

/// Filters of a tile: with one vector of pixels, and one of gradients for each, the sums fill the
/// registers.
const fn filters_max<S: Simd>() -> usize {
    match S::REGISTERS {
        32.. => 5,
        16.. => 3,
        _ => 2,
    }
}

/// What the tiles of a group of images have in common.
struct TileSource<'a> {
    images: usize,
    planes: &'a [f32],
    /// From one image's planes to the next.
    planes_len: usize,
    /// `[images, filters, places_len]`
    deltas: &'a [f32],
    filters: usize,
    places_len: usize,
}

/// Adds the gradients of a few weights, whose first filter and tap are given, to `d_filters`.
///
/// # Safety
/// The filters exist; the taps are those of the planes, which have slack.
#[inline(always)]
unsafe fn run_tile<S: Simd>(
    s: S,
    filters: usize,
    source: &TileSource<'_>,
    [filter, tap]: [usize; 2],
    taps: &[u32],
    d_filters: &mut [f32],
) {
    macro_rules! dispatch {
        ($($t:literal: $($f:literal)*;)*) => {
            match (filters, const { taps_max::<S>() }) {
                $($(($f, $t) if const { $t == taps_max::<S>() && $f <= filters_max::<S>() } => {
                    s.outline(Tile::<'_, '_, $f, $t> { source, filter, tap, taps, d_filters });
                })*)*
                _ => unreachable!("no tile of {filters} filters"),
            }
        };
    }
    dispatch!(
        2: 1 2;
        4: 1 2 3;
        5: 1 2 3 4 5;
    );
}

/// `F` filters and up to `T` taps.
struct Tile<'a, 'b, const F: usize, const T: usize> {
    source: &'a TileSource<'b>,
    filter: usize,
    /// The number of the first tap, and the offsets of all.
    tap: usize,
    taps: &'a [u32],
    /// Of the tile's filters.
    d_filters: &'a mut [f32],
}

impl<const F: usize, const T: usize> Outlined for Tile<'_, '_, F, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        // SAFETY: as `run_tile` demands of its caller.
        let sums = unsafe { self.correlate(s) };
        let mut numbers = [[0.0; F]; T];
        sum_lanes(s, sums.as_flattened(), numbers.as_flattened_mut());
        let filter_len = self.d_filters.len() / F;
        for (tap, numbers) in numbers.iter().enumerate().take(self.taps.len()) {
            for (filter, number) in numbers.iter().enumerate() {
                self.d_filters[filter * filter_len + self.tap + tap] += number;
            }
        }
    }
}

impl<const F: usize, const T: usize> Tile<'_, '_, F, T> {
    /// # Safety
    /// As for [`run_tile`].
    #[inline(always)]
    unsafe fn correlate<S: Simd>(&self, s: S) -> [[S::V; F]; T] {
        let TileSource { images, planes, planes_len, deltas, filters, places_len } = *self.source;
        // Where a tile has fewer, the last is computed once more.
        let last = self.taps.len() - 1;
        let taps: [usize; T] = std::array::from_fn(|t| self.taps[t.min(last)] as usize);
        let mut sums = [[s.zero(); F]; T];
        for image in 0..images {
            let planes_at = image * planes_len;
            let deltas_at = (image * filters + self.filter) * places_len;
            for place in (0..places_len).step_by(S::LANES) {
                let mut delta = [s.zero(); F];
                for (f, delta) in delta.iter_mut().enumerate() {
                    // SAFETY: the filter exists, and its places are whole vectors.
                    *delta = unsafe { s.load(deltas, deltas_at + f * places_len + place) };
                }
                for (tap, sums) in taps.iter().zip(&mut sums) {
                    // SAFETY: the pixels of places that exist lie inside the planes, and the others
                    // at most a vector beyond.
                    let pixels = unsafe { s.load(planes, planes_at + tap + place) };
                    for (sum, delta) in sums.iter_mut().zip(delta) {
                        *sum = s.fma(pixels, delta, *sum);
                    }
                }
            }
        }
        sums
    }
}

/// Sets each of `to` to the sum of the lanes of one vector.
#[inline(always)]
fn sum_lanes<S: Simd>(s: S, vectors: &[S::V], to: &mut [f32]) {
    for (vectors, to) in vectors.chunks(S::LANES).zip(to.chunks_mut(S::LANES)) {
        let mut sums = [s.zero(); 16];
        sums[..vectors.len()].copy_from_slice(vectors);
        let mut count = S::LANES;
        // The sums of neighbours, of two vectors in one, until every lane is the sum of a vector.
        while count > 1 {
            count /= 2;
            for i in 0..count {
                let (even, odd) = s.deinterleave(sums[2 * i], sums[2 * i + 1]);
                sums[i] = s.add(even, odd);
            }
        }
        // SAFETY: there are at most as many numbers as lanes.
        unsafe { s.store_partial(to, 0, to.len(), sums[0]) };
    }
}
