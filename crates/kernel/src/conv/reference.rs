//! The conv block in double precision and plain loops, to test against.

use super::shape::{ConvShape, Pool};
use crate::Activation;

/// The forward pass of one batch, with what the backward pass needs.
pub struct Reference {
    /// `[batch, filters, rows, columns]`, after the pool.
    pub output: Vec<f64>,
    /// For each output, its place in the convolution's result.
    picked: Vec<usize>,
    pre_activation: Vec<f64>,
}

/// The gradients of one batch.
pub struct Gradients {
    pub images: Vec<f64>,
    pub weight: Vec<f64>,
    pub bias: Vec<f64>,
}

pub fn forward(
    shape: &ConvShape,
    batch: usize,
    images: &[f64],
    weight: &[f64],
    bias: &[f64],
) -> Reference {
    let [rows, columns] = shape.conv_size();
    let mut pre_activation = vec![0.0; batch * shape.filters * rows * columns];
    for_each_product(shape, batch, |out, image, w| {
        pre_activation[out] += images[image] * weight[w];
    });
    for (i, value) in pre_activation.iter_mut().enumerate() {
        *value += bias[i / (rows * columns) % shape.filters];
    }
    let activated: Vec<f64> =
        pre_activation.iter().map(|x| activate(shape.activation, *x)).collect();
    let picked = match shape.pool {
        Pool::None => (0..activated.len()).collect(),
        Pool::Max2x2 => largest_of_squares(&activated, batch * shape.filters, rows, columns),
    };
    Reference {
        output: picked.iter().map(|place| activated[*place]).collect(),
        picked,
        pre_activation,
    }
}

pub fn backward(
    shape: &ConvShape,
    batch: usize,
    images: &[f64],
    weight: &[f64],
    reference: &Reference,
    d_output: &[f64],
) -> Gradients {
    let [rows, columns] = shape.conv_size();
    let mut d_conv = vec![0.0; reference.pre_activation.len()];
    for (place, d) in reference.picked.iter().zip(d_output) {
        d_conv[*place] = d * slope(shape.activation, reference.pre_activation[*place]);
    }
    let mut gradients = Gradients {
        images: vec![0.0; images.len()],
        weight: vec![0.0; weight.len()],
        bias: vec![0.0; shape.filters],
    };
    for_each_product(shape, batch, |out, image, w| {
        gradients.images[image] += d_conv[out] * weight[w];
        gradients.weight[w] += d_conv[out] * images[image];
    });
    for (i, d) in d_conv.iter().enumerate() {
        gradients.bias[i / (rows * columns) % shape.filters] += d;
    }
    gradients
}

/// Calls `visit` with the places (in convolution, images, weight) of every product that the
/// convolution sums up.
fn for_each_product(shape: &ConvShape, batch: usize, mut visit: impl FnMut(usize, usize, usize)) {
    let [rows, columns] = shape.conv_size();
    let ([kernel_rows, kernel_columns], channels) = (shape.kernel, shape.in_channels);
    for n in 0..batch {
        for o in 0..shape.filters {
            for y in 0..rows {
                for x in 0..columns {
                    let out = ((n * shape.filters + o) * rows + y) * columns + x;
                    for c in 0..channels {
                        for ky in 0..kernel_rows {
                            for kx in 0..kernel_columns {
                                let from_y =
                                    (y * shape.stride[0] + ky).wrapping_sub(shape.padding.top);
                                let from_x =
                                    (x * shape.stride[1] + kx).wrapping_sub(shape.padding.left);
                                if from_y < shape.height && from_x < shape.width {
                                    let image = ((n * channels + c) * shape.height + from_y)
                                        * shape.width
                                        + from_x;
                                    let w = ((o * channels + c) * kernel_rows + ky)
                                        * kernel_columns
                                        + kx;
                                    visit(out, image, w);
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn largest_of_squares(values: &[f64], planes: usize, rows: usize, columns: usize) -> Vec<usize> {
    let mut picked = Vec::new();
    for plane in 0..planes {
        for y in 0..rows / 2 {
            for x in 0..columns / 2 {
                let corner = (plane * rows + 2 * y) * columns + 2 * x;
                let square = [corner, corner + 1, corner + columns, corner + columns + 1];
                let better = |best: usize, next: usize| {
                    if values[next] > values[best] { next } else { best }
                };
                picked.push(square.into_iter().reduce(better).unwrap_or(corner));
            }
        }
    }
    picked
}

fn activate(activation: Activation, x: f64) -> f64 {
    match activation {
        Activation::Linear => x,
        Activation::Relu => x.max(0.0),
        Activation::LeakyRelu => x.max(0.01 * x),
        Activation::Gelu => x * normal_cdf(x),
        Activation::Silu => x / (1.0 + (-x).exp()),
        Activation::Tanh => x.tanh(),
        Activation::Sigmoid => 1.0 / (1.0 + (-x).exp()),
    }
}

fn slope(activation: Activation, x: f64) -> f64 {
    let sigmoid = 1.0 / (1.0 + (-x).exp());
    match activation {
        Activation::Linear => 1.0,
        Activation::Relu => f64::from(x > 0.0),
        Activation::LeakyRelu => {
            if x > 0.0 {
                1.0
            } else {
                0.01
            }
        }
        Activation::Gelu => normal_cdf(x) + x * (-0.5 * x * x).exp() / std::f64::consts::TAU.sqrt(),
        Activation::Silu => sigmoid * (1.0 + x * (1.0 - sigmoid)),
        Activation::Tanh => 1.0 - x.tanh().powi(2),
        Activation::Sigmoid => sigmoid * (1.0 - sigmoid),
    }
}

fn normal_cdf(x: f64) -> f64 {
    0.5 * (1.0 + libm::erf(x * std::f64::consts::FRAC_1_SQRT_2))
}
