//! The weights at the points, once for a batch, and their gradient on its way back.

use super::Side;
use super::product::panel_vectors;
use super::rows::{LINE, stride};
use super::transform;
use crate::conv::shape::ConvShape;
use crate::conv::transpose::{Rows, transpose};
use crate::simd::{Outlined, Simd};
use crate::{DisjointMut, Kernel, scratch};

/// Columns of a chunk of work: whole panels for any instruction set.
const CHUNK: usize = 32;

/// Which way the weights are multiplied with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    /// Channels are terms, filters are columns.
    Forward,
    /// Filters are terms, channels are columns.
    Backward,
}

/// Weights at the points, in panels of columns: for each point `[panel, term, column]`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Packed {
    points: usize,
    direction: Direction,
    terms: usize,
    columns: usize,
}

impl Packed {
    pub fn new(side: Side, shape: &ConvShape, direction: Direction) -> Self {
        let [terms, columns] = match direction {
            Direction::Forward => [shape.in_channels, shape.filters],
            Direction::Backward => [shape.filters, shape.in_channels],
        };
        Self { points: side.points(), direction, terms, columns }
    }

    /// From one point to the next; no multiple of a page, so that points do not crowd into one set of the caches.
    pub fn step(&self) -> usize {
        self.columns.next_multiple_of(CHUNK) * self.terms + LINE
    }

    pub fn len(&self) -> usize {
        self.points * self.step()
    }

    /// From one panel to the next, and from one term to the next.
    pub fn steps<S: Simd>(&self) -> [usize; 2] {
        let width = const { panel_vectors::<S>() } * S::LANES;
        [self.terms * width, width]
    }

    /// Vectors of columns.
    pub fn vectors<S: Simd>(&self) -> usize {
        self.columns.div_ceil(S::LANES)
    }

    pub fn chunks(&self) -> usize {
        self.columns.div_ceil(CHUNK)
    }
}

/// Sets `packed` from `weight`, `[filters, channels, K, K]`.
pub(super) struct Pack<'a, const K: usize, const SIDE: usize> {
    pub layout: Packed,
    pub weight: &'a [f32],
    pub packed: DisjointMut<'a, f32>,
}

impl<const K: usize, const SIDE: usize> Pack<'_, K, SIDE> {
    /// Weights of a filter for one channel.
    const TAPS: usize = K * K;
}

impl<const K: usize, const SIDE: usize> Kernel for Pack<'_, K, SIDE> {
    #[inline(always)]
    fn run<S: Simd>(&self, s: S, chunk: usize) {
        let first = chunk * CHUNK;
        let end = self.layout.columns.min(first + CHUNK);
        let terms = match self.layout.direction {
            Direction::Forward => self.layout.terms,
            Direction::Backward => 1,
        };
        scratch::with(terms * Self::TAPS * S::LANES, |turned| {
            turned.fill(0.0);
            for column in (first..end).step_by(S::LANES) {
                let lanes = S::LANES.min(end - column);
                s.outline(PackVector { pack: self, column, lanes, turned: &mut *turned });
            }
        });
    }
}

/// A vector of columns.
struct PackVector<'a, 'b, const K: usize, const SIDE: usize> {
    pack: &'a Pack<'a, K, SIDE>,
    column: usize,
    lanes: usize,
    /// Room for the taps of a term, or of all, with columns in lanes; zero beyond the last column.
    turned: &'b mut [f32],
}

impl<const K: usize, const SIDE: usize> Outlined for PackVector<'_, '_, K, SIDE> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Self { pack, column, lanes, turned } = self;
        let taps_len = Pack::<K, SIDE>::TAPS;
        let Packed { direction, terms, columns, .. } = pack.layout;
        let to = Rows { at: 0, stride: S::LANES };
        match direction {
            Direction::Forward => {
                let row = terms * taps_len;
                let from = Rows { at: column * row, stride: row };
                // SAFETY: the filters exist, and a vector has room for a number of each.
                unsafe { transpose(s, (pack.weight, from), [lanes, row], (turned, to)) };
                for term in 0..terms {
                    let taps = &turned[term * taps_len * S::LANES..][..taps_len * S::LANES];
                    pack.term(s, [term, column], taps);
                }
            }
            Direction::Backward => {
                for term in 0..terms {
                    let from = Rows { at: (term * columns + column) * taps_len, stride: taps_len };
                    // SAFETY: the channels of the filter exist, and a vector has room for a number of each.
                    unsafe { transpose(s, (pack.weight, from), [lanes, taps_len], (turned, to)) };
                    pack.term(s, [term, column], turned);
                }
            }
        }
    }
}

impl<const K: usize, const SIDE: usize> Pack<'_, K, SIDE> {
    /// A vector of columns of one term, whose `taps` are `[K, K, column]`.
    #[inline(always)]
    fn term<S: Simd>(&self, s: S, [term, column]: [usize; 2], taps: &[f32]) {
        let Pack { layout, packed, .. } = self;
        assert!(taps.len() >= Self::TAPS * S::LANES);
        let [panel_step, term_step] = layout.steps::<S>();
        let (panel, column) = (column / term_step, column % term_step);
        let at = panel * panel_step + term * term_step + column;
        let mut down = [[s.zero(); K]; SIDE];
        for x in 0..K {
            let mut rows = [s.zero(); K];
            for (y, row) in rows.iter_mut().enumerate() {
                // SAFETY: there are `K` rows of `K` vectors.
                *row = unsafe { s.load(taps, (y * K + x) * S::LANES) };
            }
            for (row, v) in down.iter_mut().zip(transform::weights::<S, SIDE, K>(s, rows)) {
                row[x] = v;
            }
        }
        for (i, along) in down.into_iter().enumerate() {
            for (j, v) in transform::weights::<S, SIDE, K>(s, along).into_iter().enumerate() {
                let at = (i * SIDE + j) * layout.step() + at;
                // SAFETY: a column is in one chunk, and columns do not overlap.
                unsafe { s.store(packed.range(at..at + S::LANES), 0, v) };
            }
        }
    }
}

/// The sums of a chunk of a batch: for each point `[filter, channel]`, then the biases.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sums {
    pub points: usize,
    pub filters: usize,
    pub channels: usize,
}

impl Sums {
    /// From one filter to the next.
    pub fn row(&self) -> usize {
        stride(self.channels)
    }

    /// From one point to the next.
    pub fn step(&self) -> usize {
        self.filters * self.row() + LINE
    }

    pub fn bias_at(&self) -> usize {
        self.points * self.step()
    }

    pub fn len(&self) -> usize {
        self.bias_at() + stride(self.filters)
    }
}

/// Adds the sums of all chunks of a batch, in their order, and takes them to the weights.
pub(super) struct AddSums<'a, const K: usize, const SIDE: usize> {
    pub layout: Sums,
    pub sums: &'a [f32],
    /// `[filters, channels, K, K]`
    pub d_weight: DisjointMut<'a, f32>,
    /// `[filters]`
    pub d_bias: DisjointMut<'a, f32>,
}

impl<const K: usize, const SIDE: usize> AddSums<'_, K, SIDE> {
    const FILTERS: usize = 8;

    pub fn chunks(&self) -> usize {
        self.layout.filters.div_ceil(Self::FILTERS)
    }
}

impl<const K: usize, const SIDE: usize> Kernel for AddSums<'_, K, SIDE> {
    #[inline(always)]
    fn run<S: Simd>(&self, s: S, chunk: usize) {
        let first = chunk * Self::FILTERS;
        for filter in first..self.layout.filters.min(first + Self::FILTERS) {
            s.outline(AddFilter { add: self, filter });
        }
    }
}

struct AddFilter<'a, const K: usize, const SIDE: usize> {
    add: &'a AddSums<'a, K, SIDE>,
    filter: usize,
}

impl<const K: usize, const SIDE: usize> Outlined for AddFilter<'_, K, SIDE> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let AddSums { layout, sums, d_weight, d_bias } = self.add;
        let (filter, channels) = (self.filter, layout.channels);
        let taps_len = K * K;
        // SAFETY: each filter is in one chunk, and filters do not overlap.
        let (d_weight, d_bias) = unsafe {
            (
                d_weight.range(filter * channels * taps_len..(filter + 1) * channels * taps_len),
                d_bias.range(filter..filter + 1),
            )
        };
        d_bias[0] =
            sums.chunks_exact(layout.len()).map(|sums| sums[layout.bias_at() + filter]).sum();
        let mut taps = [[[0.0; LINE]; K]; K];
        for channel in (0..channels).step_by(S::LANES) {
            let at = filter * layout.row() + channel;
            let mut down = [[s.zero(); SIDE]; K];
            for j in 0..SIDE {
                let mut column = [s.zero(); SIDE];
                for sums in sums.chunks_exact(layout.len()) {
                    for (i, sum) in column.iter_mut().enumerate() {
                        let at = (i * SIDE + j) * layout.step() + at;
                        // The points are too many streams for the machine to foresee.
                        s.prefetch(sums, at + LINE);
                        // SAFETY: a row of sums is whole vectors.
                        *sum = s.add(*sum, unsafe { s.load(sums, at) });
                    }
                }
                for (row, v) in
                    down.iter_mut().zip(transform::weights_gradient::<S, SIDE, K>(s, column))
                {
                    row[j] = v;
                }
            }
            for (y, along) in down.into_iter().enumerate() {
                for (x, v) in
                    transform::weights_gradient::<S, SIDE, K>(s, along).into_iter().enumerate()
                {
                    // SAFETY: a line has room for a vector.
                    unsafe { s.store(&mut taps[y][x], 0, v) };
                }
            }
            let count = S::LANES.min(channels - channel);
            let from = Rows { at: 0, stride: LINE };
            let to = Rows { at: channel * taps_len, stride: taps_len };
            // SAFETY: the channels are the filter's.
            unsafe {
                transpose(
                    s,
                    (taps.as_flattened().as_flattened(), from),
                    [taps_len, count],
                    (d_weight, to),
                )
            };
        }
    }
}
