//! The kernels, one for what a layer, a loss or an optimizer does.
//!
//! Sizes are constants of a kernel, so that it is compiled for them; the number of images is not. A kernel of a backward
//! pass computes all gradients of its layer: which of them a thread works on follows from its number.

use burn_cubecl::cubecl::{self, prelude::*};

use crate::activation::Activation;

/// An activation as a kernel knows it.
pub const LINEAR: u32 = 0;
pub const RELU: u32 = 1;
pub const LEAKY_RELU: u32 = 2;
pub const TANH: u32 = 3;
pub const SIGMOID: u32 = 4;

/// The sizes of a conv block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ConvSizes {
    /// Channels, rows and columns of an image.
    pub channels: usize,
    pub height: usize,
    pub width: usize,
    pub filters: usize,
    pub kernel_rows: usize,
    pub kernel_columns: usize,
    pub stride_rows: usize,
    pub stride_columns: usize,
    pub top: usize,
    pub left: usize,
    /// Rows and columns of the output, after the pool.
    pub out_rows: usize,
    pub out_columns: usize,
    /// Rows and columns of the squares that are pooled; 1 without a pool.
    pub pool: usize,
    pub activation: u32,
}

#[cube]
fn activate(x: f32, #[comptime] activation: u32) -> f32 {
    let mut y = x;
    if comptime!(activation == RELU) {
        if x < 0.0f32 {
            y = 0.0f32;
        }
    }
    if comptime!(activation == LEAKY_RELU) {
        if x < 0.0f32 {
            y = x * f32::new(comptime!(Activation::LEAKY_SLOPE));
        }
    }
    if comptime!(activation == TANH) {
        y = x.tanh();
    }
    if comptime!(activation == SIGMOID) {
        y = 1.0f32 / (1.0f32 + (0.0f32 - x).exp());
    }
    y
}

/// The gradient before an activation, from the one after it and what it returned.
#[cube]
fn before(dy: f32, y: f32, #[comptime] activation: u32) -> f32 {
    let mut dx = dy;
    if comptime!(activation == RELU) {
        if y <= 0.0f32 {
            dx = 0.0f32;
        }
    }
    if comptime!(activation == LEAKY_RELU) {
        if y <= 0.0f32 {
            dx = dy * f32::new(comptime!(Activation::LEAKY_SLOPE));
        }
    }
    if comptime!(activation == TANH) {
        dx = dy * (1.0f32 - y * y);
    }
    if comptime!(activation == SIGMOID) {
        dx = dy * y * (1.0f32 - y);
    }
    dx
}

/// The sum of one number of each thread of a cube, for its first thread.
#[cube]
fn sum_of_cube(mine: f32, #[comptime] threads: usize) -> f32 {
    let mut sums = Shared::<[f32]>::new_slice(threads);
    let unit = UNIT_POS as usize;
    sums[unit] = mine;
    sync_cube();
    let halvings = comptime!(threads.ilog2() as usize);
    #[unroll]
    for halving in 0..halvings {
        let half = comptime!(threads >> (halving + 1));
        if unit < half {
            let other = sums[unit + half];
            sums[unit] += other;
        }
        sync_cube();
    }
    sums[0]
}

/// Batch `position + step` of images in the order given: normalised pixels and labels.
#[cube(launch_unchecked)]
pub fn gather(
    pixels: &[u32],
    labels: &[i32],
    order: &[i32],
    position: &[i32],
    factors: &[f32],
    x: &mut [f32],
    y: &mut [i32],
    step: u32,
    #[comptime] batch: usize,
    #[comptime] image_len: usize,
    #[comptime] plane: usize,
) {
    let at = ABSOLUTE_POS;
    let first = (usize::cast_from(position[0]) + step as usize) * batch;
    if at < y.len() {
        let image = usize::cast_from(order[first + at]);
        y[at] = labels[image];
    }
    if at < x.len() {
        let image = usize::cast_from(order[first + at / image_len]);
        let inside = at % image_len;
        let byte = image * image_len + inside;
        let word = pixels[byte / 4];
        let pixel = (word >> (u32::cast_from(byte % 4) * 8u32)) & 255u32;
        let channel = inside / plane;
        x[at] = f32::cast_from(pixel) * factors[channel * 2] + factors[channel * 2 + 1];
    }
}

#[cube(launch_unchecked)]
pub fn dense(
    x: &[f32],
    weight: &[f32],
    bias: &[f32],
    y: &mut [f32],
    #[comptime] inputs: usize,
    #[comptime] units: usize,
    #[comptime] activation: u32,
) {
    let at = ABSOLUTE_POS;
    if at < y.len() {
        let row = at / units;
        let unit = at % units;
        let mut sum = bias[unit];
        for input in 0..inputs {
            sum += x[row * inputs + input] * weight[input * units + unit];
        }
        y[at] = activate(sum, activation);
    }
}

/// Gradients of a dense layer: threads of the weight come first, then those of the bias, then those of the input.
#[cube(launch_unchecked)]
pub fn dense_backward(
    x: &[f32],
    weight: &[f32],
    y: &[f32],
    dy: &[f32],
    dx: &mut [f32],
    d_weight: &mut [f32],
    d_bias: &mut [f32],
    #[comptime] inputs: usize,
    #[comptime] units: usize,
    #[comptime] activation: u32,
    #[comptime] wants_input: bool,
) {
    let at = ABSOLUTE_POS;
    let rows = dy.len() / units;
    let weights = comptime!(inputs * units);
    let parameters = comptime!(inputs * units + units);
    if at < weights {
        let input = at / units;
        let unit = at % units;
        let mut sum = 0.0f32;
        for row in 0..rows {
            let out = row * units + unit;
            sum += x[row * inputs + input] * before(dy[out], y[out], activation);
        }
        d_weight[at] = sum;
    } else if at < parameters {
        let unit = at - weights;
        let mut sum = 0.0f32;
        for row in 0..rows {
            let out = row * units + unit;
            sum += before(dy[out], y[out], activation);
        }
        d_bias[unit] = sum;
    } else {
        if comptime!(wants_input) {
            let of_input = at - parameters;
            if of_input < dx.len() {
                let row = of_input / inputs;
                let input = of_input % inputs;
                let mut sum = 0.0f32;
                for unit in 0..units {
                    let out = row * units + unit;
                    sum += weight[input * units + unit] * before(dy[out], y[out], activation);
                }
                dx[of_input] = sum;
            }
        }
    }
}

/// A thread for each number of the output. `chosen` tells which number of a pooled square is the largest.
#[cube(launch_unchecked)]
pub fn conv(
    x: &[f32],
    weight: &[f32],
    bias: &[f32],
    y: &mut [f32],
    chosen: &mut [u32],
    #[comptime] sizes: ConvSizes,
) {
    let at = ABSOLUTE_POS;
    if at < y.len() {
        let column = at % comptime!(sizes.out_columns);
        let row = at / comptime!(sizes.out_columns) % comptime!(sizes.out_rows);
        let filter = at / comptime!(sizes.out_columns * sizes.out_rows) % comptime!(sizes.filters);
        let image = at / comptime!(sizes.out_columns * sizes.out_rows * sizes.filters);
        let mut largest = 0.0f32;
        let mut which = 0u32;
        for place in 0..comptime!(sizes.pool * sizes.pool) {
            let conv_row = row * comptime!(sizes.pool) + place / comptime!(sizes.pool);
            let conv_column = column * comptime!(sizes.pool) + place % comptime!(sizes.pool);
            let mut sum = 0.0f32;
            for channel in 0..comptime!(sizes.channels) {
                let plane = (image * comptime!(sizes.channels) + channel)
                    * comptime!(sizes.height * sizes.width);
                let taps = (filter * comptime!(sizes.channels) + channel)
                    * comptime!(sizes.kernel_rows * sizes.kernel_columns);
                for i in 0..comptime!(sizes.kernel_rows) {
                    let padded_row = conv_row * comptime!(sizes.stride_rows) + i;
                    if padded_row >= comptime!(sizes.top)
                        && padded_row < comptime!(sizes.top + sizes.height)
                    {
                        let line =
                            plane + (padded_row - comptime!(sizes.top)) * comptime!(sizes.width);
                        for j in 0..comptime!(sizes.kernel_columns) {
                            let padded = conv_column * comptime!(sizes.stride_columns) + j;
                            if padded >= comptime!(sizes.left)
                                && padded < comptime!(sizes.left + sizes.width)
                            {
                                sum += x[line + padded - comptime!(sizes.left)]
                                    * weight[taps + i * comptime!(sizes.kernel_columns) + j];
                            }
                        }
                    }
                }
            }
            if place == 0 || sum > largest {
                largest = sum;
                which = u32::cast_from(place);
            }
        }
        y[at] = activate(largest + bias[filter], comptime!(sizes.activation));
        if comptime!(sizes.pool > 1) {
            chosen[at] = which;
        }
    }
}

/// Gradients of a conv block: a cube for each weight, then one for each bias, then a thread for each number of the input.
#[cube(launch_unchecked)]
pub fn conv_backward(
    x: &[f32],
    weight: &[f32],
    y: &[f32],
    chosen: &[u32],
    dy: &[f32],
    dx: &mut [f32],
    d_weight: &mut [f32],
    d_bias: &mut [f32],
    #[comptime] sizes: ConvSizes,
    #[comptime] wants_input: bool,
    #[comptime] threads: usize,
) {
    let cube = CUBE_POS;
    let unit = UNIT_POS as usize;
    let plane = comptime!(sizes.out_rows * sizes.out_columns);
    let images = dy.len() / comptime!(sizes.out_rows * sizes.out_columns * sizes.filters);
    let filter_len = comptime!(sizes.channels * sizes.kernel_rows * sizes.kernel_columns);
    let weights =
        comptime!(sizes.filters * sizes.channels * sizes.kernel_rows * sizes.kernel_columns);
    let parameters = comptime!(
        sizes.filters * sizes.channels * sizes.kernel_rows * sizes.kernel_columns + sizes.filters
    );
    let mut mine = 0.0f32;
    if cube < parameters {
        let is_weight = cube < weights;
        // Of a bias: as of a weight that is always multiplied by one.
        let mut filter = cube / filter_len;
        if !is_weight {
            filter = cube - weights;
        }
        let tap = cube % filter_len;
        let channel = tap / comptime!(sizes.kernel_rows * sizes.kernel_columns);
        let i = tap / comptime!(sizes.kernel_columns) % comptime!(sizes.kernel_rows);
        let j = tap % comptime!(sizes.kernel_columns);
        let mut term = unit;
        while term < images * plane {
            let image = term / plane;
            let inside = term % plane;
            let out = (image * comptime!(sizes.filters) + filter) * plane + inside;
            let gradient = before(dy[out], y[out], comptime!(sizes.activation));
            if is_weight {
                let mut row = inside / comptime!(sizes.out_columns);
                let mut column = inside % comptime!(sizes.out_columns);
                if comptime!(sizes.pool > 1) {
                    let place = chosen[out] as usize;
                    row = row * comptime!(sizes.pool) + place / comptime!(sizes.pool);
                    column = column * comptime!(sizes.pool) + place % comptime!(sizes.pool);
                }
                let padded_row = row * comptime!(sizes.stride_rows) + i;
                let padded = column * comptime!(sizes.stride_columns) + j;
                if padded_row >= comptime!(sizes.top)
                    && padded_row < comptime!(sizes.top + sizes.height)
                    && padded >= comptime!(sizes.left)
                    && padded < comptime!(sizes.left + sizes.width)
                {
                    let line = ((image * comptime!(sizes.channels) + channel)
                        * comptime!(sizes.height)
                        + padded_row
                        - comptime!(sizes.top))
                        * comptime!(sizes.width);
                    mine += gradient * x[line + padded - comptime!(sizes.left)];
                }
            } else {
                mine += gradient;
            }
            term += threads;
        }
    } else {
        if comptime!(wants_input) {
            let at = (cube - parameters) * threads + unit;
            if at < dx.len() {
                dx[at] = of_pixel(weight, y, chosen, dy, at, sizes);
            }
        }
    }
    let sum = sum_of_cube(mine, threads);
    if unit == 0 {
        if cube < weights {
            d_weight[cube] = sum;
        } else if cube < parameters {
            d_bias[cube - weights] = sum;
        }
    }
}

/// The gradient of a number of a conv block's input.
#[cube]
fn of_pixel(
    weight: &[f32],
    y: &[f32],
    chosen: &[u32],
    dy: &[f32],
    at: usize,
    #[comptime] sizes: ConvSizes,
) -> f32 {
    let column = at % comptime!(sizes.width);
    let row = at / comptime!(sizes.width) % comptime!(sizes.height);
    let channel = at / comptime!(sizes.width * sizes.height) % comptime!(sizes.channels);
    let image = at / comptime!(sizes.width * sizes.height * sizes.channels);
    let mut sum = 0.0f32;
    for i in 0..comptime!(sizes.kernel_rows) {
        for j in 0..comptime!(sizes.kernel_columns) {
            // The position of a filter whose number (i, j) lies on this pixel, if there is one.
            if row + comptime!(sizes.top) >= i && column + comptime!(sizes.left) >= j {
                let down = row + comptime!(sizes.top) - i;
                let right = column + comptime!(sizes.left) - j;
                let conv_row = down / comptime!(sizes.stride_rows);
                let conv_column = right / comptime!(sizes.stride_columns);
                let out_row = conv_row / comptime!(sizes.pool);
                let out_column = conv_column / comptime!(sizes.pool);
                if down % comptime!(sizes.stride_rows) == 0
                    && right % comptime!(sizes.stride_columns) == 0
                    && out_row < comptime!(sizes.out_rows)
                    && out_column < comptime!(sizes.out_columns)
                {
                    let place = conv_row % comptime!(sizes.pool) * comptime!(sizes.pool)
                        + conv_column % comptime!(sizes.pool);
                    for filter in 0..comptime!(sizes.filters) {
                        let out = (image * comptime!(sizes.filters) + filter)
                            * comptime!(sizes.out_rows * sizes.out_columns)
                            + out_row * comptime!(sizes.out_columns)
                            + out_column;
                        let mut largest = 0u32;
                        if comptime!(sizes.pool > 1) {
                            largest = chosen[out];
                        }
                        if largest as usize == place {
                            let tap = (filter * comptime!(sizes.channels) + channel)
                                * comptime!(sizes.kernel_rows * sizes.kernel_columns)
                                + i * comptime!(sizes.kernel_columns)
                                + j;
                            sum +=
                                weight[tap] * before(dy[out], y[out], comptime!(sizes.activation));
                        }
                    }
                }
            }
        }
    }
    sum
}

/// Softmax cross-entropy in one cube, of which the label has the share `kept` and each class the share `spread`, with its
/// gradient for a loss whose own gradient is one. With a note, the loss and
/// the correct predictions are also noted as those of the step `position`, which is then the next.
#[cube(launch_unchecked)]
pub fn cross_entropy(
    logits: &[f32],
    labels: &[i32],
    d_logits: &mut [f32],
    loss: &mut [f32],
    correct: &mut [f32],
    notes: &mut [f32],
    position: &mut [i32],
    kept: f32,
    spread: f32,
    #[comptime] classes: usize,
    #[comptime] is_noted: bool,
    #[comptime] threads: usize,
) {
    let unit = UNIT_POS as usize;
    let rows = labels.len();
    let share = 1.0f32 / f32::cast_from(rows);
    let mut losses = 0.0f32;
    let mut hits = 0.0f32;
    let mut row = unit;
    while row < rows {
        let first = row * classes;
        let label = usize::cast_from(labels[row]);
        let mut largest = logits[first];
        let mut best = 0usize;
        for class in 1..classes {
            let value = logits[first + class];
            if value > largest {
                largest = value;
                best = class;
            }
        }
        let mut powers = 0.0f32;
        let mut total = 0.0f32;
        for class in 0..classes {
            let value = logits[first + class] - largest;
            powers += value.exp();
        }
        let log_powers = powers.ln();
        for class in 0..classes {
            total += logits[first + class] - largest - log_powers;
        }
        let of_label = logits[first + label] - largest - log_powers;
        losses -= kept * of_label + spread * total;
        if best == label {
            hits += 1.0f32;
        }
        for class in 0..classes {
            let probability = (logits[first + class] - largest).exp() / powers;
            let mut wanted = spread;
            if class == label {
                wanted += kept;
            }
            d_logits[first + class] = (probability - wanted) * share;
        }
        row += threads;
    }
    let all_losses = sum_of_cube(losses, threads);
    let all_hits = sum_of_cube(hits, threads);
    if unit == 0 {
        loss[0] = all_losses * share;
        correct[0] = all_hits;
        if comptime!(is_noted) {
            let step = position[0];
            notes[usize::cast_from(step) * 2] = all_losses * share;
            notes[usize::cast_from(step) * 2 + 1] = all_hits;
            position[0] = step + 1;
        }
    }
}

/// A step of Adam on all parameters, of which gradient `i` is for those from `starts[i]` on. `rates` has four numbers for
/// each step: what the quotient of the moments is multiplied by, what is added to its divisor, what a parameter is
/// multiplied by, and what is added of it to its gradient. The step is the one before `position`.
#[cube(launch_unchecked)]
pub fn adam(
    gradients: &Sequence<Box<[f32]>>,
    parameters: &mut [f32],
    moments_1: &mut [f32],
    moments_2: &mut [f32],
    rates: &[f32],
    position: &[i32],
    beta_1: f32,
    beta_2: f32,
    #[comptime] starts: Vec<usize>,
) {
    let at = ABSOLUTE_POS;
    if at < parameters.len() {
        let mut gradient = 0.0f32;
        let count = comptime!(gradients.len());
        #[unroll]
        for index in 0..count {
            let start = comptime!(starts[index]);
            if at >= start && at < start + gradients[index].len() {
                gradient = gradients[index][at - start];
            }
        }
        let rate = usize::cast_from(position[0] - 1) * 4;
        let parameter = parameters[at];
        gradient += parameter * rates[rate + 3];
        let moment_1 = moments_1[at] * beta_1 + gradient * (1.0f32 - beta_1);
        let moment_2 = moments_2[at] * beta_2 + gradient * gradient * (1.0f32 - beta_2);
        moments_1[at] = moment_1;
        moments_2[at] = moment_2;
        parameters[at] = parameter * rates[rate + 2]
            - moment_1 * rates[rate] / (moment_2.sqrt() + rates[rate + 1]);
    }
}
