//! Max-pool and average-pool, and their gradients.
//!
//! The max-pool stores no indices: its backward pass searches a window for the first of its largest values again. A
//! chunk is a group of planes; a plane is a channel of an image.

use std::ops::Range;

use super::conv::Padding;
use super::executor::{Executor, Kernel};
use super::simd::Simd;
use super::threads::DisjointMut;
use super::windows::Windows;

/// The shape of a batch and of the windows that are pooled. Slices are `[planes, height, width]`.
///
/// Only whole windows count: what is left of a row or column that they do not fill is dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolShape {
    /// Images times channels.
    pub planes: usize,
    /// Rows of a plane.
    pub height: usize,
    /// Columns of a plane.
    pub width: usize,
    /// Rows and columns of a window.
    pub size: [usize; 2],
    /// Rows and columns from one window to the next.
    pub stride: [usize; 2],
    /// Rows and columns around a plane that windows may reach into; less than a window on every side.
    pub padding: Padding,
    /// How a window is reduced to one value.
    pub kind: PoolKind,
}

/// How a window is reduced to one value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PoolKind {
    /// Its largest value; NaN if any is NaN.
    Max,
    /// The mean of its values, padding counted as zeros.
    Average,
}

impl PoolShape {
    /// `[height, width]` of a plane of the result; zero where a window does not fit.
    ///
    /// # Panics
    /// A size or stride is zero, or the padding is as much as a window.
    pub fn output_size(&self) -> [usize; 2] {
        let room = [self.height, self.width];
        std::array::from_fn(|axis| {
            let (size, [before, after]) = (self.size[axis], self.pads(axis));
            // A window that lay in the padding alone would have no numbers.
            assert!(size > before.max(after) && self.stride[axis] > 0, "{self:?}");
            match (room[axis] + before + after).checked_sub(size) {
                Some(rest) => rest / self.stride[axis] + 1,
                None => 0,
            }
        })
    }

    /// Sets `y`, `[planes, output height, output width]`, to the pooled `x`.
    ///
    /// # Panics
    /// The length of a slice does not match its shape, or the shape is impossible.
    pub fn forward(&self, executor: &Executor, x: &[f32], y: &mut [f32]) {
        self.check(x, y);
        executor.run(self.chunks(), &Forward { shape: self, x, y: DisjointMut::new(y) });
    }

    /// Sets `dx` to the gradient of `x` from that of the output, `dy`. Of a max-pool's equal numbers, the first takes it.
    ///
    /// # Panics
    /// The length of a slice does not match its shape, or the shape is impossible.
    pub fn backward(&self, executor: &Executor, x: &[f32], y: &[f32], dy: &[f32], dx: &mut [f32]) {
        self.check(x, y);
        assert_eq!((dx.len(), dy.len()), (x.len(), y.len()), "gradients of {self:?}");
        executor.run(self.chunks(), &Backward { shape: self, x, y, dy, dx: DisjointMut::new(dx) });
    }

    /// Padding before and after the rows (axis 0) or columns (axis 1).
    fn pads(&self, axis: usize) -> [usize; 2] {
        let Padding { top, left, bottom, right } = self.padding;
        if axis == 0 { [top, bottom] } else { [left, right] }
    }

    fn check(&self, x: &[f32], y: &[f32]) {
        assert_eq!(x.len(), self.planes * self.plane_len(), "length of the input of {self:?}");
        assert_eq!(y.len(), self.planes * self.output_len(), "length of the output of {self:?}");
    }

    fn plane_len(&self) -> usize {
        self.height * self.width
    }

    fn output_len(&self) -> usize {
        self.output_size().iter().product()
    }

    fn planes_per_chunk(&self) -> usize {
        const NUMBERS_WORTH_A_CHUNK: usize = 1 << 14;
        (NUMBERS_WORTH_A_CHUNK / self.plane_len().max(1)).max(1)
    }

    fn chunks(&self) -> usize {
        self.planes.div_ceil(self.planes_per_chunk())
    }

    fn planes_of(&self, chunk: usize) -> Range<usize> {
        let first = chunk * self.planes_per_chunk();
        first..self.planes.min(first + self.planes_per_chunk())
    }

    /// Whether windows of 2×2 lie side by side: the most common pool, which has loops of its own.
    fn is_two_by_two(&self) -> bool {
        self.size == [2, 2] && self.stride == [2, 2] && self.padding == Padding::default()
    }

    /// Whether windows of 2×2 cover every element.
    fn fills_two_by_two(&self) -> bool {
        self.is_two_by_two() && self.height.is_multiple_of(2) && self.width.is_multiple_of(2)
    }

    /// The rows (axis 0) or columns (axis 1) inside the plane that window `index` covers.
    fn window(&self, axis: usize, index: usize) -> Range<usize> {
        let limit = if axis == 0 { self.height } else { self.width };
        let (start, [before, _]) = (index * self.stride[axis], self.pads(axis));
        start.saturating_sub(before)..(start + self.size[axis]).saturating_sub(before).min(limit)
    }

    fn inverse_area(&self) -> f32 {
        1.0 / (self.size[0] * self.size[1]) as f32
    }
}

struct Forward<'a> {
    shape: &'a PoolShape,
    x: &'a [f32],
    y: DisjointMut<'a, f32>,
}

impl Kernel for Forward<'_> {
    #[inline(always)]
    fn run<S: Simd>(&self, s: S, chunk: usize) {
        let shape = self.shape;
        let (len, output_len) = (shape.plane_len(), shape.output_len());
        for plane in shape.planes_of(chunk) {
            let x = &self.x[plane * len..(plane + 1) * len];
            // SAFETY: planes do not overlap.
            let y = unsafe { self.y.range(plane * output_len..(plane + 1) * output_len) };
            if shape.is_two_by_two() {
                pool_two_by_two(s, shape, x, y);
            } else {
                pool(shape, x, y);
            }
        }
    }
}

#[inline(always)]
fn pool_two_by_two<S: Simd>(s: S, shape: &PoolShape, x: &[f32], y: &mut [f32]) {
    let width = shape.width / 2;
    for (row, y) in y.chunks_exact_mut(width.max(1)).enumerate() {
        for column in (0..width).step_by(S::LANES) {
            let lanes = S::LANES.min(width - column);
            // SAFETY: pairs of rows and of columns lie inside the plane, and the lanes end with the row.
            unsafe {
                let windows =
                    Windows::load(s, x, 2 * row * shape.width, shape.width, column, lanes);
                let pooled = match shape.kind {
                    PoolKind::Max => windows.largest(s),
                    PoolKind::Average => s.mul(windows.sum(s), s.splat(0.25)),
                };
                s.store_partial(y, column, lanes, pooled);
            }
        }
    }
}

fn pool(shape: &PoolShape, x: &[f32], y: &mut [f32]) {
    let columns = shape.output_size()[1];
    let larger = |a: f32, b: f32| if b > a || b.is_nan() { b } else { a };
    for (at, y) in y.iter_mut().enumerate() {
        let window = shape.window(1, at % columns);
        let rows = shape.window(0, at / columns).map(|row| &x[row * shape.width..][window.clone()]);
        *y = match shape.kind {
            PoolKind::Max => rows.flatten().copied().fold(f32::NEG_INFINITY, larger),
            PoolKind::Average => rows.flatten().sum::<f32>() * shape.inverse_area(),
        };
    }
}

struct Backward<'a> {
    shape: &'a PoolShape,
    x: &'a [f32],
    y: &'a [f32],
    dy: &'a [f32],
    dx: DisjointMut<'a, f32>,
}

impl Kernel for Backward<'_> {
    #[inline(always)]
    fn run<S: Simd>(&self, s: S, chunk: usize) {
        let shape = self.shape;
        let (len, output_len) = (shape.plane_len(), shape.output_len());
        for plane in shape.planes_of(chunk) {
            let (own, outputs) =
                (plane * len..(plane + 1) * len, plane * output_len..(plane + 1) * output_len);
            let (x, y, dy) = (&self.x[own.clone()], &self.y[outputs.clone()], &self.dy[outputs]);
            // SAFETY: planes do not overlap.
            let dx = unsafe { self.dx.range(own) };
            if !shape.fills_two_by_two() {
                dx.fill(0.0);
            }
            match shape.kind {
                _ if shape.is_two_by_two() => unpool_two_by_two(s, shape, x, dy, dx),
                PoolKind::Max => unpool_max(shape, x, y, dy, dx),
                PoolKind::Average => unpool_average(shape, dy, dx),
            }
        }
    }
}

#[inline(always)]
fn unpool_two_by_two<S: Simd>(s: S, shape: &PoolShape, x: &[f32], dy: &[f32], dx: &mut [f32]) {
    let width = shape.width / 2;
    for (row, dy) in dy.chunks_exact(width.max(1)).enumerate() {
        let above = 2 * row * shape.width;
        for column in (0..width).step_by(S::LANES) {
            let lanes = S::LANES.min(width - column);
            // SAFETY: pairs of rows and of columns lie inside the plane, and the lanes end with the row.
            unsafe {
                let dy = s.load_partial(dy, column, lanes);
                let windows = match shape.kind {
                    PoolKind::Max => {
                        let picks = Windows::load(s, x, above, shape.width, column, lanes).picks(s);
                        Windows::<S>::picked(s, picks, dy)
                    }
                    PoolKind::Average => Windows([s.mul(dy, s.splat(0.25)); 4]),
                };
                windows.store(s, dx, above, shape.width, column, lanes);
            }
        }
    }
}

fn unpool_max(shape: &PoolShape, x: &[f32], y: &[f32], dy: &[f32], dx: &mut [f32]) {
    let columns = shape.output_size()[1];
    for (at, (y, dy)) in y.iter().zip(dy).enumerate() {
        let window = shape.window(1, at % columns);
        let mut rows = shape.window(0, at / columns);
        let place = rows.find_map(|row| {
            let start = row * shape.width;
            x[start..][window.clone()]
                .iter()
                .position(|x| x == y)
                .map(|column| start + window.start + column)
        });
        // Nothing equals NaN.
        if let Some(place) = place {
            dx[place] += dy;
        }
    }
}

fn unpool_average(shape: &PoolShape, dy: &[f32], dx: &mut [f32]) {
    let columns = shape.output_size()[1];
    for (at, dy) in dy.iter().enumerate() {
        let (share, window) = (dy * shape.inverse_area(), shape.window(1, at % columns));
        for row in shape.window(0, at / columns) {
            dx[row * shape.width..][window.clone()].iter_mut().for_each(|dx| *dx += share);
        }
    }
}

/// The mean of each plane: `x` is `[planes, plane_len]`, `y` `[planes]`.
///
/// # Panics
/// The lengths do not fit together.
pub fn global_average(executor: &Executor, x: &[f32], y: &mut [f32]) {
    let plane_len = checked_plane_len(x.len(), y.len());
    let kernel = GlobalAverage { x, plane_len, y: DisjointMut::new(y) };
    executor.run(y_chunks(kernel.y.len()), &kernel);
}

/// The gradient of `x`, `[planes, plane_len]`, of [`global_average`] from that of the output, `[planes]`.
///
/// # Panics
/// The lengths do not fit together.
pub fn global_average_backward(executor: &Executor, dy: &[f32], dx: &mut [f32]) {
    let plane_len = checked_plane_len(dx.len(), dy.len()).max(1);
    executor.threads().run_pieces(dx, plane_len * PLANES_PER_CHUNK, |chunk, dx| {
        let dy = &dy[chunk * PLANES_PER_CHUNK..];
        for (dx, dy) in dx.chunks_exact_mut(plane_len).zip(dy) {
            dx.fill(dy / plane_len as f32);
        }
    });
}

const PLANES_PER_CHUNK: usize = 128;

fn y_chunks(planes: usize) -> usize {
    planes.div_ceil(PLANES_PER_CHUNK)
}

fn checked_plane_len(numbers: usize, planes: usize) -> usize {
    let plane_len = numbers.checked_div(planes).unwrap_or(0);
    assert_eq!(plane_len * planes, numbers, "numbers of {planes} planes");
    plane_len
}

struct GlobalAverage<'a> {
    x: &'a [f32],
    plane_len: usize,
    y: DisjointMut<'a, f32>,
}

impl Kernel for GlobalAverage<'_> {
    #[inline(always)]
    fn run<S: Simd>(&self, s: S, chunk: usize) {
        let first = chunk * PLANES_PER_CHUNK;
        for plane in first..self.y.len().min(first + PLANES_PER_CHUNK) {
            let x = &self.x[plane * self.plane_len..(plane + 1) * self.plane_len];
            let mut sum = s.zero();
            for at in (0..x.len()).step_by(S::LANES) {
                // SAFETY: the lanes end with the plane.
                sum = s.add(sum, unsafe { s.load_partial(x, at, S::LANES.min(x.len() - at)) });
            }
            // SAFETY: each plane has its own element.
            unsafe { self.y.range(plane..plane + 1)[0] = s.sum(sum) / self.plane_len as f32 };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Cpu;
    use crate::testing::{assert_close, random};
    use proptest::prelude::*;

    fn reference(shape: &PoolShape, x: &[f32], dy: &[f32]) -> (Vec<f64>, Vec<f64>) {
        let [rows, columns] = shape.output_size();
        let (mut y, mut dx) = (Vec::new(), vec![0.0; x.len()]);
        for (at, dy) in dy.iter().enumerate() {
            let (plane, row, column) = (at / (rows * columns), at / columns % rows, at % columns);
            let mut taps = Vec::new();
            for r in 0..shape.size[0] {
                for c in 0..shape.size[1] {
                    let r = (row * shape.stride[0] + r).wrapping_sub(shape.padding.top);
                    let c = (column * shape.stride[1] + c).wrapping_sub(shape.padding.left);
                    if r < shape.height && c < shape.width {
                        taps.push((plane * shape.height + r) * shape.width + c);
                    }
                }
            }
            let area = (shape.size[0] * shape.size[1]) as f64;
            match shape.kind {
                PoolKind::Max => {
                    // The first of equals: `max_by` would give the last.
                    let best =
                        taps.iter().copied().rev().max_by(|a, b| x[*a].total_cmp(&x[*b])).unwrap();
                    y.push(f64::from(x[best]));
                    dx[best] += f64::from(*dy);
                }
                PoolKind::Average => {
                    y.push(taps.iter().map(|tap| f64::from(x[*tap])).sum::<f64>() / area);
                    taps.iter().for_each(|tap| dx[*tap] += f64::from(*dy) / area);
                }
            }
        }
        (y, dx)
    }

    fn shape() -> impl Strategy<Value = PoolShape> {
        let axis = || (1..5_usize, 1..4_usize, [0..4_usize, 0..4_usize], 0..40_usize);
        let kind = prop::sample::select(vec![PoolKind::Max, PoolKind::Average]);
        (1..5_usize, axis(), axis(), kind, any::<bool>()).prop_map(
            |(planes, rows, columns, kind, usual)| {
                let of = |(size, stride, pads, room): (usize, usize, [usize; 2], usize)| {
                    if usual {
                        (2, 2, [0, 0], room + 2)
                    } else {
                        (size, stride, pads.map(|pad| pad.min(size - 1)), room + size)
                    }
                };
                let (rows, columns) = (of(rows), of(columns));
                PoolShape {
                    planes,
                    height: rows.3,
                    width: columns.3,
                    size: [rows.0, columns.0],
                    stride: [rows.1, columns.1],
                    padding: Padding {
                        top: rows.2[0],
                        left: columns.2[0],
                        bottom: rows.2[1],
                        right: columns.2[1],
                    },
                    kind,
                }
            },
        )
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 2 } else { 128 }))]
        #[test]
        fn values_and_gradients_match_double_precision(shape in shape(), seed in any::<u32>()) {
            let x: Vec<f32> =
                // Few different values, so that windows have equal numbers; none of them a negative zero.
                random(shape.planes * shape.plane_len(), seed.into()).iter().map(|x| (x * 8.0).round() + 0.0).collect();
            let dy = random(shape.planes * shape.output_len(), u64::from(seed) + 1);
            let expected = reference(&shape, &x, &dy);
            for cpu in Cpu::available() {
                let run = |threads| {
                    let executor = Executor::new(cpu, threads);
                    let (mut y, mut dx) = (vec![f32::NAN; dy.len()], vec![f32::NAN; x.len()]);
                    shape.forward(&executor, &x, &mut y);
                    shape.backward(&executor, &x, &y, &dy, &mut dx);
                    (y, dx)
                };
                let found = run(1);
                assert_close(&found.0, &expected.0, 1e-5, "y");
                assert_close(&found.1, &expected.1, 1e-5, "dx");
                prop_assert_eq!(found, run(3));
            }
        }
    }

    #[test]
    fn nan_in_a_window_comes_out_as_nan() {
        for (size, place) in [([2, 2], 5), ([2, 2], 0), ([3, 3], 4)] {
            let shape = PoolShape {
                planes: 1,
                height: 6,
                width: 6,
                size,
                stride: size,
                padding: Padding::default(),
                kind: PoolKind::Max,
            };
            let mut x = vec![1.0; 36];
            x[place] = f32::NAN;
            for cpu in Cpu::available() {
                let mut y = vec![0.0; shape.output_len()];
                shape.forward(&Executor::new(cpu, 1), &x, &mut y);
                assert_eq!(y.iter().filter(|y| y.is_nan()).count(), 1, "{cpu} {size:?}");
            }
        }
    }

    #[test]
    fn the_global_average_and_its_gradient_match_double_precision() {
        for (planes, plane_len) in [(1, 1), (300, 49), (7, 784)] {
            let (x, dy) = (random(planes * plane_len, 1), random(planes, 2));
            let mean =
                |plane: &[f32]| plane.iter().map(|x| f64::from(*x)).sum::<f64>() / plane_len as f64;
            let expected: Vec<f64> = x.chunks(plane_len).map(mean).collect();
            for cpu in Cpu::available() {
                for threads in [1, 2] {
                    let executor = Executor::new(cpu, threads);
                    let (mut y, mut dx) = (vec![f32::NAN; planes], vec![f32::NAN; x.len()]);
                    global_average(&executor, &x, &mut y);
                    global_average_backward(&executor, &dy, &mut dx);
                    assert_close(&y, &expected, 1e-5, "y");
                    for (plane, dx) in dx.chunks(plane_len).enumerate() {
                        assert!(dx.iter().all(|dx| *dx == dy[plane] / plane_len as f32));
                    }
                }
            }
        }
    }
}
