//! The forward pass of a conv block: each chunk takes a few images from pixels to pooled activations.

use super::columns::{self, ColumnSource};
use super::filters::FilterBlock;
use super::planes::Planes;
use super::shape::{ConvShape, Pool};
use super::tile::{TilePlace, TileSink, TileSource, columns_max, run_tile};
use super::transpose::{Rows, transpose};
use crate::kernel::simd::{Outlined, Simd};
use crate::kernel::{Activation, DisjointMut, Kernel, scratch};

/// Results are written to the output when there are at least so many, to transpose them in whole blocks.
const PLACES_MIN: usize = 48;

/// The most lanes that a block of filters has.
const LANES_MAX: usize = 32;

/// What the lanes of a vector are.
#[derive(Clone, Copy)]
pub(super) enum Lanes<'a> {
    /// Filters, packed in blocks.
    Filters { blocks: &'a [FilterBlock], packed: &'a [f32] },
    /// Columns of the output. The weights are as the caller has them.
    Columns { weight: &'a [f32], bias: &'a [f32] },
}

/// The forward pass of a batch.
pub(super) struct Forward<'a> {
    pub shape: &'a ConvShape,
    pub planes: &'a Planes,
    pub lanes: Lanes<'a>,
    pub batch: usize,
    pub images_per_chunk: usize,
    /// `[batch, channels, height, width]`
    pub images: &'a [f32],
    /// `[batch, filters, height, width]`
    pub output: DisjointMut<'a, f32>,
    /// For each output, which of the pool's four it is; empty if nobody wants to know.
    pub picks: DisjointMut<'a, u8>,
    /// For each output, what went into the activation; empty if nobody wants to know.
    pub pre_activation: DisjointMut<'a, f32>,
}

/// What belongs to one image.
struct Image<'a> {
    planes: &'a [f32],
    output: &'a mut [f32],
    picks: &'a mut [u8],
    pre_activation: &'a mut [f32],
}

impl Kernel for Forward<'_> {
    #[inline(always)]
    fn run<S: Simd>(&self, s: S, chunk: usize) {
        let first = chunk * self.images_per_chunk;
        let images = first..self.batch.min(first + self.images_per_chunk);
        let places_max = PLACES_MIN + 2 * self.shape.conv_size()[1];
        let [planes_len, conv_len] = [self.planes.len() + Planes::SLACK, self.conv_len()];
        scratch::with(planes_len + 2 * conv_len + 3 * places_max * LANES_MAX, |memory| {
            let (planes, memory) = memory.split_at_mut(planes_len);
            let (conv, sink) = memory.split_at_mut(2 * conv_len);
            for n in images {
                let image = &self.images[n * self.shape.image_len()..][..self.shape.image_len()];
                let planes: &[f32] = if self.reads_images() {
                    image
                } else {
                    self.planes.fill(image, &mut planes[..self.planes.len()]);
                    planes
                };
                s.outline(ForwardImage { forward: self, image: self.image(n, planes), conv, sink });
            }
        });
    }
}

impl<'a> Forward<'a> {
    /// Whether images can be read where they are.
    fn reads_images(&self) -> bool {
        matches!(self.lanes, Lanes::Filters { .. }) && self.planes.is_image()
    }

    /// Numbers of an image before the pool, if they have to be kept until after the activation.
    fn conv_len(&self) -> usize {
        if self.shape.fused_pool() != self.shape.pool {
            self.shape.filters * self.shape.conv_size().iter().product::<usize>()
        } else {
            0
        }
    }

    #[inline(always)]
    fn image<'b>(&'b self, n: usize, planes: &'b [f32]) -> Image<'b> {
        let len = self.shape.output_len();
        let range = |whole: usize| if whole == 0 { 0..0 } else { n * len..(n + 1) * len };
        // SAFETY: each image is in one chunk, and images do not overlap.
        unsafe {
            Image {
                planes,
                output: self.output.range(range(self.output.len())),
                picks: self.picks.range(range(self.picks.len())),
                pre_activation: self.pre_activation.range(range(self.pre_activation.len())),
            }
        }
    }
}

struct ForwardImage<'a, 'b> {
    forward: &'a Forward<'a>,
    image: Image<'b>,
    /// Room for numbers before the pool, and for their activations.
    conv: &'b mut [f32],
    /// Room for results on their way to where they belong.
    sink: &'b mut [f32],
}

impl Outlined for ForwardImage<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Self { forward, image, conv, sink } = self;
        let shape = forward.shape;
        if !conv.is_empty() {
            return forward.pool_after_activation(s, image, conv, sink);
        }
        forward.convolve(s, image.planes, shape.pool, image.output, image.picks, sink);
        if !image.pre_activation.is_empty() {
            image.pre_activation.copy_from_slice(image.output);
        }
        activate(s, shape.activation, image.output);
    }
}

impl Forward<'_> {
    /// Convolution, bias and pool of one image. `picks` may be empty.
    #[inline(always)]
    fn convolve<S: Simd>(
        &self,
        s: S,
        planes: &[f32],
        pool: Pool,
        output: &mut [f32],
        picks: &mut [u8],
        sink: &mut [f32],
    ) {
        let size = self.shape.conv_size().map(|size| size / pool.size());
        if output.is_empty() {
            return;
        }
        match self.lanes {
            Lanes::Filters { blocks, packed } => {
                self.convolve_filters(s, (blocks, packed), planes, pool, output, picks, sink);
            }
            Lanes::Columns { weight, bias } => {
                let source = ColumnSource { layout: self.planes, planes, weight, bias, size, pool };
                columns::convolve(s, &source, output, picks);
            }
        }
    }

    #[inline(always)]
    #[expect(clippy::too_many_arguments, reason = "the arguments of `convolve` and one more")]
    fn convolve_filters<S: Simd>(
        &self,
        s: S,
        (blocks, packed): (&[FilterBlock], &[f32]),
        planes: &[f32],
        pool: Pool,
        output: &mut [f32],
        picks: &mut [u8],
        sink: &mut [f32],
    ) {
        let [rows, columns] = self.shape.conv_size().map(|size| size / pool.size());
        // The convolution is computed two rows at a time, of which a pool makes one.
        let step = 2 / pool.size();
        let (values, sink) = sink.split_at_mut(sink.len() / 3);
        let (pick_values, turned) = sink.split_at_mut(sink.len() / 2);
        let pick_values = if picks.is_empty() { &mut [] } else { pick_values };
        let mut sink = TileSink { values, picks: pick_values };
        for block in blocks {
            let source = TileSource {
                planes,
                taps: self.planes.taps()[0],
                row_step: self.planes.row_step(),
                filters: block.of(packed),
                lanes: block.lanes,
            };
            let mut flush = Flush { block, places: 0, done: 0, plane_len: rows * columns };
            for y in (0..rows).step_by(step) {
                let computed = step.min(rows - y);
                let planes_at = self.planes.row_at(y * pool.size());
                let place =
                    TilePlace { planes_at, sink_at: flush.places, sink_row: columns, lane: 0 };
                // SAFETY: the rows exist, and the sink has room for two rows' results after `flush.places`, which is
                // less than `PLACES_MIN`.
                unsafe { convolve_rows(s, &source, &mut sink, place, pool, computed == 2) };
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

    /// The whole block for an activation that may prefer a smaller number: it comes before the pool.
    #[inline(always)]
    fn pool_after_activation<S: Simd>(
        &self,
        s: S,
        image: Image<'_>,
        conv: &mut [f32],
        sink: &mut [f32],
    ) {
        let [rows, columns] = self.shape.conv_size();
        let (before, after) = conv.split_at_mut(conv.len() / 2);
        self.convolve(s, image.planes, Pool::None, before, &mut [], sink);
        after.copy_from_slice(before);
        activate(s, self.shape.activation, after);
        let (out_rows, out_columns) = (rows / 2, columns / 2);
        for i in 0..image.output.len() {
            let (plane, place) = (i / (out_rows * out_columns), i % (out_rows * out_columns));
            let corner =
                (plane * rows + place / out_columns * 2) * columns + place % out_columns * 2;
            let square = [corner, corner + 1, corner + columns, corner + columns + 1];
            let pick = largest(square.map(|at| after[at]));
            image.output[i] = after[square[pick]];
            if !image.picks.is_empty() {
                image.picks[i] = pick as u8;
            }
            if !image.pre_activation.is_empty() {
                image.pre_activation[i] = before[square[pick]];
            }
        }
    }
}

/// Which of four is the largest: the first of equals, and the first NaN before all others.
fn largest(square: [f32; 4]) -> usize {
    let mut best = 0;
    for next in 1..4 {
        if square[next] > square[best] || (square[next].is_nan() && !square[best].is_nan()) {
            best = next;
        }
    }
    best
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
        // SAFETY: `values` has `places` rows of `lanes`; each of the block's filters has a plane in the output.
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

/// Applies the activation to all of `values`.
#[inline(always)]
pub(super) fn activate<S: Simd>(s: S, activation: Activation, values: &mut [f32]) {
    if activation == Activation::Linear {
        return;
    }
    for at in (0..values.len()).step_by(S::LANES) {
        let lanes = S::LANES.min(values.len() - at);
        // SAFETY: `at + lanes` is at most the length.
        unsafe {
            let before = s.load_partial(values, at, lanes);
            s.store_partial(values, at, lanes, activation.forward(s, before));
        }
    }
}
