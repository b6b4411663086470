//! Rows of tiles on their way to the points and back, channels in lanes.
//!
//! There are no closures here: one that the compiler decides not to inline is compiled without the instruction set.
//!
//! A row of tiles is transformed down its columns first, once for all tiles that share a column, then along its rows.

use std::marker::PhantomData;

use super::rows::{LINE, PixelRows};
use super::transform;
use crate::simd::{Outlined, Simd};

/// Rows and columns of results of a tile, and how far one tile is from the next.
pub(super) const TILE: usize = 4;

/// A transform of `N` numbers to `SIDE` points.
pub(super) trait ToPoints<const N: usize, const SIDE: usize> {
    fn apply<S: Simd>(s: S, from: [S::V; N]) -> [S::V; SIDE];
}

/// A transform from `SIDE` points to `N` numbers.
pub(super) trait FromPoints<const N: usize, const SIDE: usize> {
    fn apply<S: Simd>(s: S, from: [S::V; SIDE]) -> [S::V; N];
}

/// The inputs of the convolution.
pub(super) struct Numbers;
/// The results of the convolution.
pub(super) struct Results;

impl<const SIDE: usize> ToPoints<SIDE, SIDE> for Numbers {
    #[inline(always)]
    fn apply<S: Simd>(s: S, from: [S::V; SIDE]) -> [S::V; SIDE] {
        transform::numbers(s, from)
    }
}

impl<const SIDE: usize> FromPoints<SIDE, SIDE> for Numbers {
    #[inline(always)]
    fn apply<S: Simd>(s: S, from: [S::V; SIDE]) -> [S::V; SIDE] {
        transform::numbers_gradient(s, from)
    }
}

impl<const SIDE: usize> FromPoints<TILE, SIDE> for Results {
    #[inline(always)]
    fn apply<S: Simd>(s: S, from: [S::V; SIDE]) -> [S::V; TILE] {
        transform::results(s, from)
    }
}

impl<const SIDE: usize> ToPoints<TILE, SIDE> for Results {
    #[inline(always)]
    fn apply<S: Simd>(s: S, from: [S::V; TILE]) -> [S::V; SIDE] {
        transform::results_gradient(s, from)
    }
}

/// The tiles of a block at the points: for each point a plane of `[tile, channel]`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Planes {
    /// Points of a tile.
    pub points: usize,
    /// From one tile to the next.
    pub stride: usize,
    /// From one point to the next.
    pub step: usize,
}

impl Planes {
    pub fn new(points: usize, stride: usize, tiles: usize) -> Self {
        // A line more, or the points of a tile crowd into one set of the first-level cache.
        Self { points, stride, step: tiles * stride + LINE }
    }

    pub fn len(&self) -> usize {
        self.points * self.step
    }

    pub fn plane<'a>(&self, memory: &'a [f32], point: usize) -> &'a [f32] {
        &memory[point * self.step..(point + 1) * self.step]
    }

    pub fn plane_mut<'a>(&self, memory: &'a mut [f32], point: usize) -> &'a mut [f32] {
        &mut memory[point * self.step..(point + 1) * self.step]
    }
}

/// Floats of room for the columns of a row of tiles that are `n` wide, at `side` points down each.
pub(super) fn columns_room(side: usize, tiles: usize, n: usize) -> usize {
    side * columns(tiles, n) * LINE
}

fn columns(tiles: usize, n: usize) -> usize {
    tiles * TILE + n - TILE
}

/// A row of tiles.
#[derive(Clone, Copy, Debug)]
pub(super) struct TileRow {
    pub tiles: usize,
    /// Columns of the first tile left of the image.
    pub left: usize,
    pub planes: Planes,
    /// The number in the block of the row's first tile.
    pub first: usize,
}

/// Takes a row of tiles from its pixels to the points.
///
/// `room` is for [`columns_room`] floats, zero where no pixels are: it is zero at first, and left so.
pub(super) struct Spread<'a, 'b, T, const N: usize, const SIDE: usize> {
    pub row: TileRow,
    pub pixels: &'a PixelRows<'b, N>,
    pub room: &'a mut [f32],
    pub planes: &'a mut [f32],
    pub transform: PhantomData<T>,
}

impl<T: ToPoints<N, SIDE>, const N: usize, const SIDE: usize> Outlined
    for Spread<'_, '_, T, N, SIDE>
{
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Self { row, pixels, room, planes, .. } = self;
        let TileRow { tiles, left, planes: layout, first } = row;
        let (width, stride) = (pixels.size.width, pixels.size.stride());
        let columns = columns(tiles, N);
        let mut rows = [0; N];
        for (r, row) in rows.iter_mut().enumerate() {
            *row = pixels.row_at(r);
        }
        let memory = pixels.memory();
        let visible = width.min(columns - left.min(columns));
        assert!(
            room.len() >= columns_room(SIDE, tiles, N)
                && planes.len() >= layout.len()
                && layout.points == SIDE * SIDE
        );
        assert!(memory.len() >= (1 + N) * width * stride && layout.stride == stride);
        assert!((first + tiles) * stride <= layout.step);
        for line in (0..pixels.size.channels).step_by(LINE) {
            for lane in (0..LINE).step_by(S::LANES) {
                for x in 0..visible {
                    let at = x * stride + line + lane;
                    // SAFETY: the rows lie inside the memory, and so do `width` pixels of each; `left + x` is one of
                    // the columns.
                    unsafe {
                        let mut down = [s.zero(); N];
                        for (down, row) in down.iter_mut().zip(rows) {
                            *down = s.load(memory, row + at);
                        }
                        for (i, v) in T::apply(s, down).into_iter().enumerate() {
                            s.store(room, (i * columns + left + x) * LINE + lane, v);
                        }
                    }
                }
            }
            for tile in 0..tiles {
                let to = (first + tile) * stride + line;
                for i in 0..SIDE {
                    for lane in (0..LINE).step_by(S::LANES) {
                        let at = (i * columns + tile * TILE) * LINE + lane;
                        // SAFETY: a tile's columns lie inside the room, and its place inside every plane.
                        unsafe {
                            let mut along = [s.zero(); N];
                            for (j, along) in along.iter_mut().enumerate() {
                                *along = s.load(room, at + j * LINE);
                            }
                            for (j, v) in T::apply(s, along).into_iter().enumerate() {
                                s.store(planes, (i * SIDE + j) * layout.step + to + lane, v);
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Takes a row of tiles from the points to its pixels. What tiles overlap in is added up: the columns of neighbours
/// here, and the first rows are added to what is there.
pub(super) struct Gather<'a, 'b, T, const N: usize, const SIDE: usize> {
    pub row: TileRow,
    pub planes: &'a [f32],
    /// For [`columns_room`] floats.
    pub room: &'a mut [f32],
    /// Added to every pixel; nothing where it is empty, or as long as a pixel.
    pub bias: &'a [f32],
    pub pixels: &'a mut PixelRows<'b, N>,
    pub transform: PhantomData<T>,
}

impl<T: FromPoints<N, SIDE>, const N: usize, const SIDE: usize> Outlined
    for Gather<'_, '_, T, N, SIDE>
{
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Self { row, planes, room, bias, pixels, .. } = self;
        let TileRow { tiles, left, planes: layout, first } = row;
        let (width, stride) = (pixels.size.width, pixels.size.stride());
        let columns = columns(tiles, N);
        let visible = width.min(columns - left.min(columns));
        let (rows, channels) = (pixels.slot(0), pixels.size.channels);
        let memory = pixels.memory_mut();
        assert!(
            room.len() >= columns_room(SIDE, tiles, N)
                && planes.len() >= layout.len()
                && layout.points == SIDE * SIDE
        );
        assert!(memory.len() >= (1 + N) * width * stride && layout.stride == stride);
        assert!((first + tiles) * stride <= layout.step);
        assert!(bias.is_empty() || bias.len() >= stride);
        for line in (0..channels).step_by(LINE) {
            for i in 0..SIDE {
                room[i * columns * LINE..][..(N - TILE) * LINE].fill(0.0);
            }
            for tile in 0..tiles {
                let from = (first + tile) * stride + line;
                for i in 0..SIDE {
                    for lane in (0..LINE).step_by(S::LANES) {
                        let at = (i * columns + tile * TILE) * LINE + lane;
                        // SAFETY: a tile's place lies inside every plane, and its columns inside the room.
                        unsafe {
                            let mut along = [s.zero(); SIDE];
                            for (j, along) in along.iter_mut().enumerate() {
                                *along = s.load(planes, (i * SIDE + j) * layout.step + from + lane);
                            }
                            for (j, mut v) in T::apply(s, along).into_iter().enumerate() {
                                if j < N - TILE {
                                    v = s.add(v, s.load(room, at + j * LINE));
                                }
                                s.store(room, at + j * LINE, v);
                            }
                        }
                    }
                }
            }
            for lane in (0..LINE).step_by(S::LANES) {
                let bias = match bias {
                    [] => s.zero(),
                    // SAFETY: as long as a pixel.
                    bias => unsafe { s.load(bias, line + lane) },
                };
                for x in 0..visible {
                    let at = (left + x) * LINE + lane;
                    let to = rows + x * stride + line + lane;
                    // SAFETY: `left + x` is one of the columns; the rows have `width` pixels each.
                    unsafe {
                        let mut down = [s.zero(); SIDE];
                        for (i, down) in down.iter_mut().enumerate() {
                            *down = s.load(room, i * columns * LINE + at);
                        }
                        for (r, v) in T::apply(s, down).into_iter().enumerate() {
                            let to = to + r * width * stride;
                            let before = if r < N - TILE { s.load(memory, to) } else { bias };
                            s.store(memory, to, s.add(v, before));
                        }
                    }
                }
            }
        }
    }
}
