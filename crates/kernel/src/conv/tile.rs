//! The inner kernel of the forward pass: a few outputs next to each other, for a few vectors of
//! filters, in registers.
//!
//! Each lane is a filter. For every weight, a vector of filters is loaded once and multiplied with
//! one pixel after another, each in all lanes; the accumulators stay in registers over all weights,
//! and so does the pool.

use crate::simd::{InEight, Outlined, Simd};

/// What the tiles of a block of filters have in common.
pub(super) struct TileSource<'a> {
    /// The padded planes of an image.
    pub planes: &'a [f32],
    /// For each weight, the offset of its pixel.
    pub taps: &'a [u32],
    /// Weights of each channel.
    pub channel_taps: usize,
    /// From one row of the convolution to the next.
    pub row_step: usize,
    /// Biases, then weights: `lanes` numbers each.
    pub filters: &'a [f32],
    pub lanes: usize,
}

/// Where tiles leave their results: `[place, lanes]`.
pub(super) struct TileSink<'a> {
    pub values: &'a mut [f32],
    /// Which of a pool's four was the largest, 0 to 3; empty if it is not needed.
    pub picks: &'a mut [f32],
}

/// Where one tile lies.
#[derive(Clone, Copy)]
pub(super) struct TilePlace {
    /// The offset of the pixel under the first weight of the first output.
    pub planes_at: usize,
    /// Of each channel's weights, the first and the one after the last that are used: the others
    /// see zeros alone.
    pub taps: [usize; 2],
    /// The place of the first result.
    pub sink_at: usize,
    /// From the place of a result to that of the one below.
    pub sink_row: usize,
    /// The first of the tile's lanes.
    pub lane: usize,
}

/// `R` rows of `T` outputs for `V` vectors of filters; with a 2×2 pool if `POOL`.
struct Tile<'a, 'b, 'c, const R: usize, const T: usize, const V: usize, const POOL: bool> {
    source: &'a TileSource<'b>,
    sink: &'a mut TileSink<'c>,
    place: TilePlace,
}

/// The widest tile of `vectors` vectors and two rows that leaves no accumulator without a register.
pub(super) const fn columns_max<S: Simd>(vectors: usize, pool: bool) -> usize {
    let columns = (S::REGISTERS - vectors - 1) / (2 * vectors);
    let columns = if columns < 14 { columns } else { 14 };
    if pool { columns & !1 } else { columns }
}

/// Runs the tile of `R` rows and `columns` columns, in vectors of eight lanes if `EIGHT`.
///
/// # Safety
/// The pixels under all of its outputs lie inside the planes, its lanes among the filters', its
/// places in the sink. `columns` is at most [`columns_max`], and even where there is a pool.
#[inline(always)]
pub(super) unsafe fn run_tile<
    S: Simd,
    const R: usize,
    const V: usize,
    const EIGHT: bool,
    const POOL: bool,
>(
    s: S,
    columns: usize,
    source: &TileSource<'_>,
    sink: &mut TileSink<'_>,
    place: TilePlace,
) {
    macro_rules! dispatch {
        ($($t:literal)*) => {
            match columns {
                $($t if const { $t <= columns_max::<S>(V, POOL) && !(POOL && $t % 2 == 1) } => {
                    let tile = Tile::<'_, '_, '_, R, $t, V, POOL> { source, sink, place };
                    if EIGHT { s.outline(InEight(tile)) } else { s.outline(tile) }
                })*
                _ => unreachable!("no tile of {columns} columns"),
            }
        };
    }
    dispatch!(1 2 3 4 5 6 7 8 9 10 11 12 13 14);
}

impl<const R: usize, const T: usize, const V: usize, const POOL: bool> Outlined
    for Tile<'_, '_, '_, R, T, V, POOL>
{
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        // SAFETY: as `run_tile` demands of its caller.
        unsafe {
            let sums = self.convolve(s);
            if POOL {
                self.store_pooled(s, &sums);
            } else {
                self.store(s, &sums);
            }
        }
    }
}

impl<const R: usize, const T: usize, const V: usize, const POOL: bool>
    Tile<'_, '_, '_, R, T, V, POOL>
{
    /// # Safety
    /// As for [`run_tile`].
    #[inline(always)]
    unsafe fn convolve<S: Simd>(&self, s: S) -> [[[S::V; V]; T]; R] {
        let TileSource { planes, taps, channel_taps, row_step, filters, lanes } = *self.source;
        let [first_tap, end_tap] = self.place.taps;
        let mut bias = [s.zero(); V];
        for (v, bias) in bias.iter_mut().enumerate() {
            // SAFETY: the filters start with a bias for each lane.
            *bias = unsafe { s.load(filters, self.place.lane + v * S::LANES) };
        }
        let mut sums = [[bias; T]; R];
        for (channel, taps) in taps.chunks_exact(channel_taps).enumerate() {
            let mut filters_at = self.place.lane + (channel * channel_taps + first_tap) * lanes;
            for tap in &taps[first_tap..end_tap] {
                filters_at += lanes;
                let at = self.place.planes_at + *tap as usize;
                let mut weights = [s.zero(); V];
                for (v, weights) in weights.iter_mut().enumerate() {
                    // SAFETY: after the biases the filters have `lanes` numbers for each tap.
                    *weights = unsafe { s.load(filters, filters_at + v * S::LANES) };
                }
                for (r, sums) in sums.iter_mut().enumerate() {
                    for (t, sums) in sums.iter_mut().enumerate() {
                        // SAFETY: a pixel under the output in row `r` and column `t`.
                        let pixel = unsafe { s.load_splat(planes, at + r * row_step + t) };
                        for (sum, weights) in sums.iter_mut().zip(weights) {
                            *sum = s.fma(pixel, weights, *sum);
                        }
                    }
                }
            }
        }
        sums
    }

    /// # Safety
    /// As for [`run_tile`].
    #[inline(always)]
    unsafe fn store<S: Simd>(self, s: S, sums: &[[[S::V; V]; T]; R]) {
        for (r, row) in sums.iter().enumerate() {
            for (t, sums) in row.iter().enumerate() {
                let at = self.sink_at(r * self.place.sink_row + t);
                for (v, sum) in sums.iter().enumerate() {
                    // SAFETY: the place of the output in row `r` and column `t`.
                    unsafe { s.store(self.sink.values, at + v * S::LANES, *sum) };
                }
            }
        }
    }

    /// # Safety
    /// As for [`run_tile`]; there are two rows.
    #[inline(always)]
    #[expect(clippy::needless_range_loop, reason = "`v` indexes four arrays")]
    unsafe fn store_pooled<S: Simd>(self, s: S, sums: &[[[S::V; V]; T]; R]) {
        for t in 0..T / 2 {
            let at = self.sink_at(t);
            for v in 0..V {
                let square = [
                    sums[0][2 * t][v],
                    sums[0][2 * t + 1][v],
                    sums[1][2 * t][v],
                    sums[1][2 * t + 1][v],
                ];
                let (largest, pick) = largest_of(s, square);
                // SAFETY: the place of the output in column `t`; picks has as many places, or none.
                unsafe {
                    s.store(self.sink.values, at + v * S::LANES, largest);
                    if !self.sink.picks.is_empty() {
                        s.store(self.sink.picks, at + v * S::LANES, pick);
                    }
                }
            }
        }
    }

    #[inline(always)]
    fn sink_at(&self, place: usize) -> usize {
        (self.place.sink_at + place) * self.source.lanes + self.place.lane
    }
}

/// The largest of four in each lane, and which it is: the first of equals. NaN if any of them is.
#[inline(always)]
pub(super) fn largest_of<S: Simd>(s: S, [a, b, c, d]: [S::V; 4]) -> (S::V, S::V) {
    let (b_wins, d_wins) = (s.gt(b, a), s.gt(d, c));
    let (top, bottom) = (s.select(b_wins, b, a), s.select(d_wins, d, c));
    let bottom_wins = s.gt(bottom, top);
    let top_pick = s.select(b_wins, s.splat(1.0), s.zero());
    let bottom_pick = s.select(d_wins, s.splat(3.0), s.splat(2.0));
    let largest = s.select(bottom_wins, bottom, top);
    let nan = s.splat(f32::NAN);
    let largest = s.select(s.either_nan(a, b), nan, s.select(s.either_nan(c, d), nan, largest));
    (largest, s.select(bottom_wins, bottom_pick, top_pick))
}
