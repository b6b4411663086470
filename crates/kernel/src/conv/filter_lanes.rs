//! The forward pass where lanes are filters: tile after tile, and results to where they belong.

use super::filters::FilterBlock;
use super::planes::Planes;
use super::shape::{ConvShape, Pool};
use super::tile::{TilePlace, TileSink, TileSource, columns_max, run_tile};
use super::transpose::{Rows, transpose};
use crate::simd::Simd;

/// Results are written to the output when there are at least so many, to transpose them in whole
/// blocks.
const PLACES_MIN: usize = 48;

/// The most lanes that a block of filters has.
const LANES_MAX: usize = 32;

/// Floats of room for results on their way to the output: for values, for picks, and for picks
/// transposed.
pub(super) fn sink_len(shape: &ConvShape) -> usize {
    3 * (PLACES_MIN + 2 * shape.conv_size()[1]) * LANES_MAX
}

/// One image and the filters.
pub(super) struct FilterSource<'a> {
    pub layout: &'a Planes,
    /// The padded planes of the image.
    pub planes: &'a [f32],
    pub blocks: &'a [FilterBlock],
    pub packed: &'a [f32],
    /// Rows and columns of the output.
    pub size: [usize; 2],
    pub pool: Pool,
}

/// Convolution, bias and pool of one image, whose `output` is `[filters, rows, columns]`; `picks`
/// may be empty. `sink` is room for [`sink_len`] floats.
#[inline(always)]
pub(super) fn convolve<S: Simd>(
    s: S,
    source: &FilterSource<'_>,
    output: &mut [f32],
    picks: &mut [u8],
    sink: &mut [f32],
) {
    let [rows, columns] = source.size;
    let (values, sink) = sink.split_at_mut(sink.len() / 3);
    let (pick_values, turned) = sink.split_at_mut(sink.len() / 2);
    assert!(values.len() >= (PLACES_MIN + 2 * columns) * LANES_MAX);
    let pick_values = if picks.is_empty() { &mut [] } else { pick_values };
    let mut sink = TileSink { values, picks: pick_values };
    // The convolution is computed two rows at a time, of which a pool makes one.
    let step = 2 / source.pool.size();
    for block in source.blocks {
        let tiles = TileSource {
            planes: source.planes,
            taps: source.layout.taps()[0],
            channel_taps: source.layout.channel_taps(),
            row_step: source.layout.row_step(),
            filters: block.of(source.packed),
            lanes: block.lanes,
        };
        let mut flush = Flush { block, places: 0, done: 0, plane_len: rows * columns };
        for y in (0..rows).step_by(step) {
            let computed = step.min(rows - y);
            let top = y * source.pool.size();
            let place = TilePlace {
                planes_at: source.layout.row_at(top),
                taps: source.layout.taps_on_image(top, computed * source.pool.size()),
                sink_at: flush.places,
                sink_row: columns,
                lane: 0,
            };
            // SAFETY: the rows exist, and the sink has room for two rows' results after
            // `flush.places`, which is less than `PLACES_MIN`.
            unsafe { convolve_rows(s, &tiles, &mut sink, place, source.pool, computed == 2) };
            flush.places += computed * columns;
            if flush.places >= PLACES_MIN || y + step >= rows {
                flush.values(s, sink.values, output);
                if !picks.is_empty() {
                    flush.picks(s, sink.picks, turned, picks);
                }
                flush.done += flush.places;
                flush.places = 0;
            }
        }
    }
}

/// One or two rows of the convolution, from the left to the right.
///
/// # Safety
/// The rows exist, and the sink has room for their results.
#[inline(always)]
unsafe fn convolve_rows<S: Simd>(
    s: S,
    source: &TileSource<'_>,
    sink: &mut TileSink<'_>,
    place: TilePlace,
    pool: Pool,
    two_rows: bool,
) {
    macro_rules! with_lanes {
        ($vectors:literal, $eight:literal) => {
            for lane in (0..source.lanes).step_by($vectors * if $eight { 8 } else { S::LANES }) {
                let place = TilePlace { lane, ..place };
                // SAFETY: passed on; the lanes are the block's.
                unsafe {
                    match (pool, two_rows) {
                        (Pool::Max2x2, _) => {
                            row_of_tiles::<S, 2, $vectors, $eight, true>(s, source, sink, place)
                        }
                        (Pool::None, true) => {
                            row_of_tiles::<S, 2, $vectors, $eight, false>(s, source, sink, place)
                        }
                        (Pool::None, false) => {
                            row_of_tiles::<S, 1, $vectors, $eight, false>(s, source, sink, place)
                        }
                    }
                }
            }
        };
    }
    // With few registers a pool's even width suits one vector better than two.
    let two_vectors = source.lanes >= 2 * S::LANES
        && S::REGISTERS >= 16
        && (pool == Pool::None || S::REGISTERS >= 32);
    if source.lanes < S::LANES {
        with_lanes!(1, true);
    } else if two_vectors {
        with_lanes!(2, false);
    } else {
        with_lanes!(1, false);
    }
}

/// # Safety
/// As for [`convolve_rows`].
#[inline(always)]
unsafe fn row_of_tiles<
    S: Simd,
    const R: usize,
    const V: usize,
    const EIGHT: bool,
    const POOL: bool,
>(
    s: S,
    source: &TileSource<'_>,
    sink: &mut TileSink<'_>,
    place: TilePlace,
) {
    // Results of a tile: two columns of the convolution make one of a pool.
    let columns = if POOL { 2 } else { 1 };
    let results = place.sink_row;
    let tiles = results.div_ceil(columns_max::<S>(V, POOL) / columns);
    let mut done = 0;
    for tile in 0..tiles {
        let width = (results - done).div_ceil(tiles - tile);
        let place = TilePlace {
            planes_at: place.planes_at + done * columns,
            sink_at: place.sink_at + done,
            ..place
        };
        // SAFETY: results up to `results` exist.
        unsafe { run_tile::<S, R, V, EIGHT, POOL>(s, width * columns, source, sink, place) };
        done += width;
    }
}

/// Takes the results of some rows, `[place, lane]`, to where they belong, `[filter, place]`.
struct Flush<'a> {
    block: &'a FilterBlock,
    places: usize,
    /// Places that were taken there before.
    done: usize,
    plane_len: usize,
}

impl Flush<'_> {
    #[inline(always)]
    fn values<S: Simd>(&self, s: S, values: &[f32], output: &mut [f32]) {
        let from = Rows { at: 0, stride: self.block.lanes };
        let to = Rows { at: self.block.first * self.plane_len + self.done, stride: self.plane_len };
        // SAFETY: `values` has `places` rows of `lanes`; each of the block's filters has a plane in
        // the output.
        unsafe { transpose(s, (values, from), [self.places, self.block.filters], (output, to)) };
    }

    #[inline(always)]
    fn picks<S: Simd>(&self, s: S, picks: &[f32], turned: &mut [f32], output: &mut [u8]) {
        let from = Rows { at: 0, stride: self.block.lanes };
        let to = Rows { at: 0, stride: self.places };
        // SAFETY: as in `values`; `turned` is as large as `picks`.
        unsafe { transpose(s, (picks, from), [self.places, self.block.filters], (turned, to)) };
        for (i, turned) in turned.chunks_exact(self.places).take(self.block.filters).enumerate() {
            let at = (self.block.first + i) * self.plane_len + self.done;
            for (to, from) in output[at..at + self.places].iter_mut().zip(turned) {
                *to = *from as i32 as u8;
            }
        }
    }
}
