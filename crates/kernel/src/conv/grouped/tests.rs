//! Convolutions in groups against one group after the other in double precision.

use super::super::reference;
use super::*;
use crate::Cpu;
use crate::activation::DerivativeOf;
use crate::testing::{assert_close_beside, random};

fn shapes() -> Vec<(ConvShape, usize)> {
    let shape = ConvShape {
        in_channels: 4,
        height: 9,
        width: 7,
        filters: 4,
        kernel: [3, 3],
        stride: [1, 1],
        padding: Padding::uniform(1),
        activation: Activation::Relu,
        pool: Pool::None,
    };
    vec![
        (shape, 4),
        (ConvShape { filters: 8, activation: Activation::Silu, ..shape }, 4),
        (ConvShape { filters: 6, activation: Activation::Linear, ..shape }, 2),
        (ConvShape { width: 70, stride: [2, 2], activation: Activation::Gelu, ..shape }, 4),
        (
            ConvShape {
                kernel: [5, 2],
                stride: [3, 2],
                width: 21,
                padding: Padding { top: 2, left: 0, bottom: 1, right: 1 },
                activation: Activation::Tanh,
                ..shape
            },
            2,
        ),
        (ConvShape { kernel: [1, 1], padding: Padding::uniform(0), ..shape }, 2),
    ]
}

/// The numbers of one group's channels out of every image.
fn part(values: &[f32], groups: usize, group: usize, len: usize) -> Vec<f64> {
    let images = values.chunks(groups * len);
    images.flat_map(|image| &image[group * len..][..len]).map(|v| f64::from(*v)).collect()
}

#[test]
fn outputs_and_gradients_match_double_precision_group_by_group() {
    let batch = 3;
    for (shape, groups) in shapes() {
        let conv = GroupedConv::new(shape, groups);
        let single = ConvShape { activation: shape.activation, ..conv.part };
        let images = random(batch * shape.image_len(), 1);
        let weight = random(conv.part.weight_len() * groups, 2);
        let bias = random(shape.filters, 3);
        let d_output = random(batch * groups * conv.part.output_len(), 4);
        for cpu in Cpu::available() {
            let run = |threads| {
                let executor = Executor::new(cpu, threads);
                let nan = |len: usize| vec![f32::NAN; len];
                let (mut y, mut pre) = (nan(d_output.len()), nan(d_output.len()));
                conv.forward(&executor, batch, &images, &weight, &bias, &mut y, Some(&mut pre));
                let kept = match shape.activation.derivative_of() {
                    DerivativeOf::Input => &pre,
                    DerivativeOf::Output => &y,
                };
                let (mut dx, mut dw, mut db) =
                    (nan(images.len()), nan(weight.len()), nan(bias.len()));
                let gradients =
                    GroupedGradients { images: Some(&mut dx), weight: &mut dw, bias: &mut db };
                conv.backward(&executor, batch, &images, &weight, kept, &d_output, gradients);
                [y, dx, dw, db]
            };
            let found = run(1);
            assert_eq!(found, run(3), "{cpu} {shape:?}");
            for group in 0..groups {
                let wide = |values: &[f32], from: usize, len: usize| {
                    values[from * len..][..len].iter().map(|v| f64::from(*v)).collect::<Vec<_>>()
                };
                let x = part(&images, groups, group, single.image_len());
                let w = wide(&weight, group, single.weight_len());
                let b = wide(&bias, group, single.filters);
                let dy = part(&d_output, groups, group, single.output_len());
                let expected = reference::forward(&single, batch, &x, &w, &b);
                let gradients = reference::backward(&single, batch, &x, &w, &expected, &dy);
                let narrow = |values: Vec<f64>| -> Vec<f32> {
                    values.into_iter().map(|v| v as f32).collect()
                };
                let what = format!("{cpu} {shape:?} group {group}");
                let check = |found: Vec<f64>, expected: &[f64], name: &str| {
                    let name = format!("{what}: {name}");
                    assert_close_beside(&narrow(found), expected, 2e-5, 1.0, &name);
                };
                let [y, dx, dw, db] = &found;
                check(part(y, groups, group, single.output_len()), &expected.output, "output");
                check(part(dx, groups, group, single.image_len()), &gradients.images, "dx");
                check(wide(dw, group, single.weight_len()), &gradients.weight, "dw");
                check(wide(db, group, single.filters), &gradients.bias, "db");
            }
        }
    }
}
