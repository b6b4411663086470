//! The 2×2 pool of a row of tiles, whose four rows become two.

use super::rows::{PixelRows, Size};
use super::tiles::TILE;
use crate::conv::shape::{ConvShape, Pool};
use crate::conv::tile::largest_of;
use crate::conv::transpose::{Rows, transpose};
use crate::simd::{Outlined, Simd};

/// Pooled rows of a row of tiles.
const ROWS: usize = TILE / 2;

/// The pooled rows of a row of tiles, and which of its four numbers each is.
pub(super) struct Pooled<'a> {
    values: PixelRows<'a, ROWS>,
    /// Laid out as the values, and again by channel.
    picks: &'a mut [f32],
    turned: &'a mut [f32],
}

fn size(shape: &ConvShape) -> Size {
    let [channels, height, width] = shape.output_shape();
    Size { channels, height, width }
}

/// Floats of room that a row of tiles needs; none without a pool.
pub(super) fn pooled_room(shape: &ConvShape) -> usize {
    match shape.pool {
        Pool::None => 0,
        Pool::Max2x2 => lens(size(shape)).iter().sum(),
    }
}

/// Floats of the values, their picks and the turned picks.
fn lens(size: Size) -> [usize; 3] {
    let rows = ROWS * size.width;
    [PixelRows::<ROWS>::room(size), rows * size.stride(), rows * size.channels]
}

impl<'a> Pooled<'a> {
    /// `None` without a pool; `memory` has [`pooled_room`] floats.
    pub fn new(shape: &ConvShape, memory: &'a mut [f32]) -> Option<Self> {
        if shape.pool == Pool::None {
            return None;
        }
        let size = size(shape);
        let [values, picks, _] = lens(size);
        let (values, memory) = memory.split_at_mut(values);
        let (picks, turned) = memory.split_at_mut(picks);
        // Surplus channels are pooled and activated along with the others.
        Some(Self { values: PixelRows::new(size, values), picks, turned })
    }

    /// Takes the largest of each square of row `row` of tiles.
    #[inline(always)]
    pub fn take<S: Simd>(&mut self, s: S, row: usize, results: &PixelRows<'_, TILE>) {
        self.values.start_at((row * ROWS) as isize);
        let size = self.values.size;
        let to = self.values.slot(0);
        s.outline(Take {
            from: &results.memory()[results.slot(0)..],
            from_row: results.slot(1) - results.slot(0),
            stride: size.stride(),
            columns: size.width,
            values: &mut self.values.memory_mut()[to..],
            picks: self.picks,
        });
    }

    /// The pooled numbers.
    pub fn values_mut(&mut self) -> &mut [f32] {
        let at = self.values.slot(0);
        &mut self.values.memory_mut()[at..]
    }

    /// Writes those rows that the output has to `image`, `[channels, height, width]`.
    #[inline(always)]
    pub fn write<S: Simd>(&self, s: S, image: &mut [f32]) {
        self.values.write(s, ROWS, image);
    }

    /// As [`Pooled::write`], the picks.
    #[inline(always)]
    pub fn write_picks<S: Simd>(&mut self, s: S, image: &mut [u8]) {
        let Size { channels, height, width } = self.values.size;
        // The rows of tiles begin inside the image.
        let ([start, end], first) = (self.values.inside(ROWS), self.values.first());
        let places = (end - start) * width;
        if places == 0 {
            return;
        }
        let from = Rows {
            at: start * width * self.values.size.stride(),
            stride: self.values.size.stride(),
        };
        let to = Rows { at: 0, stride: places };
        assert_eq!(image.len(), channels * height * width, "{:?}", self.values.size);
        // SAFETY: the picks have all rows of pixels, and the turned ones as many for each channel.
        unsafe { transpose(s, (self.picks, from), [places, channels], (self.turned, to)) };
        s.outline(Bytes {
            turned: self.turned,
            places,
            channels,
            image,
            at: (first + start) * width,
            plane: height * width,
        });
    }
}

struct Take<'a> {
    from: &'a [f32],
    /// From one row to the next.
    from_row: usize,
    /// From one pixel to the next, in all three.
    stride: usize,
    /// Columns after the pool.
    columns: usize,
    values: &'a mut [f32],
    picks: &'a mut [f32],
}

impl Outlined for Take<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Self { from, from_row, stride, columns, values, picks } = self;
        assert!(stride.is_multiple_of(S::LANES) && 2 * columns * stride <= from_row);
        assert!(from.len() >= 2 * ROWS * from_row);
        assert!(values.len() >= ROWS * columns * stride && picks.len() >= ROWS * columns * stride);
        for (y, x) in (0..ROWS).flat_map(|y| (0..columns).map(move |x| (y, x))) {
            let corner = 2 * y * from_row + 2 * x * stride;
            let to = (y * columns + x) * stride;
            for lane in (0..stride).step_by(S::LANES) {
                let at = corner + lane;
                // SAFETY: the four pixels are in the rows, the pooled one in its own, by the lengths above.
                unsafe {
                    let square = [
                        s.load(from, at),
                        s.load(from, at + stride),
                        s.load(from, at + from_row),
                        s.load(from, at + from_row + stride),
                    ];
                    let (largest, pick) = largest_of(s, square);
                    s.store(values, to + lane, largest);
                    s.store(picks, to + lane, pick);
                }
            }
        }
    }
}

/// Takes the turned picks to where they belong.
struct Bytes<'a> {
    /// `[channels, places]`
    turned: &'a [f32],
    places: usize,
    channels: usize,
    /// `[channels, plane]`
    image: &'a mut [u8],
    /// The first place in a plane.
    at: usize,
    plane: usize,
}

impl Outlined for Bytes<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Self { turned, places, channels, image, at, plane } = self;
        assert!(turned.len() >= channels * places);
        assert!(at + places <= plane && image.len() >= channels * plane);
        for channel in 0..channels {
            for place in (0..places).step_by(S::LANES) {
                let lanes = S::LANES.min(places - place);
                // SAFETY: the places are in both, by the lengths above.
                unsafe {
                    let picks = s.load_partial(turned, channel * places + place, lanes);
                    s.store_u8_partial(image, channel * plane + at + place, lanes, picks);
                }
            }
        }
    }
}
