//! The gradient behind a 2×2 pool, spread over the convolution's results: each goes to the one that the pool picked.

use crate::conv::BackwardInput;
use crate::conv::pixels::Pixels;
use crate::conv::shape::ConvShape;
use crate::simd::{Outlined, Simd};
use crate::windows::{Picks, Windows};
use crate::{Activation, DisjointMut, Executor, Kernel};

/// Sets `delta`, as large as the convolution's results, to the gradient before activation and pool.
pub(super) fn unpool(
    executor: &Executor,
    shape: &ConvShape,
    from: BackwardInput<'_>,
    delta: &mut [f32],
) {
    let [_, height, width] = shape.output_shape();
    let [conv_height, conv_width] = shape.conv_size();
    let unpool = Unpool {
        activation: shape.activation,
        output: [height, width],
        results: [conv_height, conv_width],
        filters: shape.filters,
        from,
        delta: DisjointMut::new(delta),
    };
    executor.run(from.batch, &unpool);
}

struct Unpool<'a> {
    activation: Activation,
    /// Rows and columns behind the pool, and before it.
    output: [usize; 2],
    results: [usize; 2],
    filters: usize,
    from: BackwardInput<'a>,
    delta: DisjointMut<'a, f32>,
}

impl Kernel for Unpool<'_> {
    #[inline(always)]
    fn run<S: Simd>(&self, s: S, image: usize) {
        let [positions, results] =
            [self.output, self.results].map(|[rows, columns]| rows * columns);
        let BackwardInput { kept, d_output, picks, .. } = self.from;
        for plane in image * self.filters..(image + 1) * self.filters {
            let outputs = plane * positions..(plane + 1) * positions;
            let plane = Plane {
                activation: self.activation,
                output: self.output,
                results: self.results,
                kept: &kept[outputs.clone()],
                d_output: &d_output[outputs.clone()],
                picks: &picks[outputs.start..outputs.end + Pixels::SLACK],
                // SAFETY: planes do not overlap, and each is of one image.
                delta: unsafe { self.delta.range(plane * results..(plane + 1) * results) },
            };
            // Narrow rows do not fill vectors of sixteen.
            if self.output[1] <= 8 { s.eight().outline(plane) } else { s.outline(plane) }
        }
    }
}

struct Plane<'a> {
    activation: Activation,
    output: [usize; 2],
    results: [usize; 2],
    kept: &'a [f32],
    d_output: &'a [f32],
    /// [`Pixels::SLACK`] more than outputs.
    picks: &'a [u8],
    delta: &'a mut [f32],
}

impl Outlined for Plane<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Self { activation, kept, d_output, picks, delta, .. } = self;
        let ([height, width], [rows, columns]) = (self.output, self.results);
        assert!(2 * height <= rows && 2 * width <= columns && delta.len() == rows * columns);
        assert!(kept.len() == height * width && d_output.len() == kept.len());
        assert!(picks.len() >= kept.len() + Pixels::SLACK);
        if rows > 2 * height || columns > 2 * width {
            // An odd last row or column is not pooled.
            delta.fill(0.0);
        }
        for row in 0..height {
            for column in (0..width).step_by(S::LANES) {
                let (at, lanes) = (row * width + column, S::LANES.min(width - column));
                // SAFETY: the lanes end with the row, and picks go on for a vector more; two rows of the results and twice the
                // columns exist.
                unsafe {
                    let slope = activation.derivative(s, s.load_partial(kept, at, lanes));
                    let gradient = s.mul(slope, s.load_partial(d_output, at, lanes));
                    let picks = Picks::of_numbers(s, s.load_u8(picks, at));
                    let windows = Windows::<S>::picked(s, picks, gradient);
                    windows.store(s, delta, 2 * row * columns, columns, column, lanes);
                }
            }
        }
    }
}
