//! Winograd's method against double precision, the direct method and itself.

use crate::conv::reference;
use crate::conv::tests::{Case, Random, relative_error, widen};
use crate::conv::{ConvBlock, ConvGradients, ConvShape, Padding, Pool, Saved};
use crate::{Activation, Cpu, Executor};

fn shape([in_channels, filters]: [usize; 2], [height, width]: [usize; 2]) -> ConvShape {
    ConvShape {
        in_channels,
        height,
        width,
        filters,
        kernel: [3, 3],
        stride: [1, 1],
        padding: Padding::uniform(1),
        activation: Activation::Linear,
        pool: Pool::None,
    }
}

/// The same with kernels of 5×5.
fn of_five(shape: ConvShape) -> ConvShape {
    ConvShape { kernel: [5, 5], padding: Padding::uniform(2), ..shape }
}

/// What the norm of an error may be, relative to that of a tensor: more points amplify rounding more.
fn bound(shape: &ConvShape) -> f64 {
    if shape.kernel == [5, 5] { 8e-6 } else { 3e-6 }
}

fn block(shape: ConvShape) -> ConvBlock {
    ConvBlock::winograd(shape).expect("a shape that the method covers")
}

/// Of any shape that the method covers; small ones where every step is interpreted.
fn random_case(random: &mut Random) -> Case {
    let (channels, side) = if cfg!(miri) { (9, 6) } else { (40, 19) };
    let mut size = |bound| 1 + random.below(bound);
    let mut shape = shape([size(channels), size(channels)], [size(side), size(side)]);
    let side = random.pick(&[3, 5]);
    shape.kernel = [side; 2];
    // At least one place for a filter.
    let least = |size: usize, padding: usize| padding.max(side.saturating_sub(size).div_ceil(2));
    let [rows, columns] = [shape.height, shape.width];
    shape.padding = Padding {
        top: least(rows, random.below(4)),
        left: least(columns, random.below(4)),
        bottom: least(rows, random.below(4)),
        right: least(columns, random.below(4)),
    };
    shape.activation = random.pick(&Activation::ALL);
    let pooled = ConvShape { pool: Pool::Max2x2, ..shape };
    if ConvBlock::winograd(pooled).is_some() && random.below(2) == 0 {
        shape = pooled;
    }
    let batch = random.pick(if cfg!(miri) { &[1, 5] } else { &[1, 2, 5, 17] });
    Case::new(random, shape, batch)
}

/// The norm of the error of each tensor, relative to that of the tensor.
fn errors(case: &Case, cpu: Cpu, block: &ConvBlock) -> [f64; 4] {
    let (results, reference) = (case.run_block(&Executor::new(cpu, 1), block), case.reference());
    results.beside(&reference).map(|(_, found, expected)| relative_error(found, expected))
}

#[test]
#[cfg_attr(miri, ignore = "takes more than an hour")]
fn random_shapes_match_double_precision() {
    let mut random = Random(1);
    for _ in 0..150 {
        let mut case = random_case(&mut random);
        // At a kink of the activation rounding decides which slope counts.
        let (output, _) = case.reference();
        for (d_output, y) in case.d_output.iter_mut().zip(output) {
            if y.abs() < 1e-4 {
                *d_output = 0.0;
            }
        }
        let case = case;
        let reference = case.reference();
        for cpu in Cpu::available() {
            let results = case.run_block(&Executor::new(cpu, 1), &block(case.shape));
            for (name, found, expected) in results.beside(&reference) {
                let context =
                    || format!("{name} with {cpu}, batch {}, {:?}", case.batch, case.shape);
                let error = relative_error(found, expected);
                assert!(error <= bound(&case.shape), "{error}: {}", context());
                let largest = expected.iter().fold(0.0, |most, value: &f64| value.abs().max(most));
                for (found, expected) in found.iter().zip(expected) {
                    let error = (f64::from(*found) - expected).abs();
                    let bound = 3.0 * bound(&case.shape) * largest;
                    assert!(error <= bound, "{error} beside {largest}: {}", context());
                }
            }
        }
    }
}

#[test]
#[cfg_attr(miri, ignore = "too slow")]
fn many_channels_match_double_precision() {
    let mut random = Random(2);
    let shapes = [([64, 96], [14, 14]), ([128, 128], [8, 12]), ([256, 130], [7, 9])]
        .map(|(channels, size)| shape(channels, size));
    for shape in shapes.into_iter().chain(shapes.map(of_five)) {
        let case = Case::new(&mut random, shape, 3);
        for cpu in Cpu::available() {
            for error in errors(&case, cpu, &block(case.shape)) {
                assert!(error <= bound(&case.shape), "{error} with {cpu}, {:?}", case.shape);
            }
        }
    }
}

#[test]
#[cfg_attr(miri, ignore = "too slow")]
fn little_more_is_lost_than_by_the_direct_method() {
    let mut random = Random(3);
    let shapes = [16, 64].map(|channels| shape([channels; 2], [16, 16]));
    let kinds = [(shapes, 3.0), (shapes.map(of_five), 7.0)];
    for (shape, times) in
        kinds.into_iter().flat_map(|(shapes, times)| shapes.map(|shape| (shape, times)))
    {
        let case = Case::new(&mut random, shape, 8);
        let cpu = Cpu::detect();
        let [direct, transformed] = [ConvBlock::direct(case.shape), block(case.shape)];
        let pairs = errors(&case, cpu, &direct).into_iter().zip(errors(&case, cpu, &transformed));
        for (tensor, (direct, transformed)) in pairs.enumerate().take(2) {
            assert!(transformed <= times * direct, "tensor {tensor}: {transformed}, {direct}");
        }
    }
}

#[test]
#[cfg_attr(miri, ignore = "no unsafe code that other tests leave out")]
fn gradients_are_finite_differences() {
    let mut random = Random(4);
    let case = Case::new(&mut random, shape([3, 5], [6, 7]), 2);
    let results = case.run_block(&Executor::new(Cpu::detect(), 1), &block(case.shape));
    let tensors = [&case.images, &case.weight, &case.bias].map(|values| widen(values));
    let loss = |[images, weight, bias]: &[Vec<f64>; 3]| -> f64 {
        let output = reference::forward(&case.shape, case.batch, images, weight, bias).output;
        output.iter().zip(widen(&case.d_output)).map(|(y, d)| y * d).sum()
    };
    for (tensor, gradient) in
        [&results.d_images, &results.d_weight, &results.d_bias].into_iter().enumerate()
    {
        for (at, found) in gradient.iter().enumerate() {
            let moved = |by: f64| {
                let mut tensors = tensors.clone();
                tensors[tensor][at] += by;
                loss(&tensors)
            };
            let expected = (moved(1e-4) - moved(-1e-4)) / 2e-4;
            let error = (f64::from(*found) - expected).abs();
            assert!(error <= 1e-4, "tensor {tensor}[{at}]: {found}, not {expected}");
        }
    }
}

#[test]
fn thread_counts_give_the_same_bits() {
    let mut random = Random(5);
    let mut cases: Vec<Case> =
        (0..if cfg!(miri) { 1 } else { 20 }).map(|_| random_case(&mut random)).collect();
    if !cfg!(miri) {
        cases.push(Case::new(&mut random, shape([32, 48], [16, 16]), 40));
    }
    for case in cases {
        let block = block(case.shape);
        for cpu in Cpu::available() {
            let one = case.run_block(&Executor::new(cpu, 1), &block);
            for threads in [2, 4] {
                let more = case.run_block(&Executor::new(cpu, threads), &block);
                assert_eq!(more, one, "{threads} threads, {cpu}, {:?}", case.shape);
            }
        }
    }
}

#[test]
fn an_image_has_the_same_results_in_any_batch() {
    let mut random = Random(6);
    let size = if cfg!(miri) { [5, 4] } else { [9, 13] };
    let case = Case::new(&mut random, shape([9, 17], size), if cfg!(miri) { 3 } else { 7 });
    for cpu in Cpu::available() {
        let (executor, block) = (Executor::new(cpu, 1), block(case.shape));
        let whole = case.run_block(&executor, &block);
        let [image_len, output_len] = [case.shape.image_len(), case.shape.output_len()];
        for n in 0..case.batch {
            let (images, outputs) =
                (n * image_len..(n + 1) * image_len, n * output_len..(n + 1) * output_len);
            let alone = Case {
                shape: case.shape,
                batch: 1,
                images: case.images[images.clone()].to_vec(),
                weight: case.weight.clone(),
                bias: case.bias.clone(),
                d_output: case.d_output[outputs.clone()].to_vec(),
            };
            let alone = alone.run_block(&executor, &block);
            assert_eq!(alone.output, whole.output[outputs], "output of image {n}, {cpu}");
            assert_eq!(alone.d_images, whole.d_images[images], "gradient of image {n}, {cpu}");
        }
    }
}

#[test]
fn weight_gradients_do_not_depend_on_the_image_gradient_being_wanted() {
    let mut random = Random(7);
    let case = random_case(&mut random);
    for cpu in Cpu::available() {
        let (executor, block) = (Executor::new(cpu, 1), block(case.shape));
        let all = case.run_block(&executor, &block);
        let mut saved = Saved::default();
        let mut output = vec![0.0; case.d_output.len()];
        let Case { batch, images, weight, bias, d_output, .. } = &case;
        block.forward(&executor, *batch, images, weight, bias, &mut output, Some(&mut saved));
        let (mut d_weight, mut d_bias) = (vec![f32::NAN; weight.len()], vec![f32::NAN; bias.len()]);
        let gradients = ConvGradients { images: None, weight: &mut d_weight, bias: &mut d_bias };
        block.backward(&executor, *batch, images, weight, &saved, &output, d_output, gradients);
        assert_eq!((d_weight, d_bias), (all.d_weight, all.d_bias));
    }
}

#[test]
fn nan_in_an_image_comes_out_as_nan() {
    let mut random = Random(8);
    let mut case = Case::new(&mut random, shape([3, 9], [6, 5]), 1);
    let at = 30 + 2 * 5 + 3;
    case.images[at] = f32::NAN;
    for cpu in Cpu::available() {
        let output = case.run_block(&Executor::new(cpu, 1), &block(case.shape)).output;
        for filter in output.chunks(30) {
            for (y, x) in (1..4).flat_map(|y| (2..5).map(move |x| (y, x))) {
                assert!(filter[y * 5 + x].is_nan(), "row {y}, column {x}, {cpu}");
            }
        }
    }
}

#[test]
fn what_the_method_cannot_do_is_refused() {
    let whole = shape([32, 32], [16, 16]);
    assert!(ConvBlock::winograd(whole).is_some());
    for other in [
        ConvShape { kernel: [5, 3], ..whole },
        ConvShape { kernel: [7, 7], ..whole },
        ConvShape { stride: [1, 2], ..whole },
        ConvShape { pool: Pool::Max2x2, activation: Activation::Gelu, ..whole },
        ConvShape { padding: Padding::default(), height: 2, ..whole },
    ] {
        assert!(ConvBlock::winograd(other).is_none(), "{other:?}");
    }
}

#[test]
fn it_is_chosen_for_many_channels_alone() {
    let direct = |channels, size, activation| {
        let shape = ConvShape { activation, ..shape(channels, size) };
        [super::suits_forward(&shape), super::suits_backward(&shape)].map(|suits| !suits)
    };
    use Activation::{Linear, Relu};
    assert_eq!(direct([32, 64], [16, 16], Linear), [false, false]);
    assert_eq!(direct([32, 64], [7, 7], Relu), [false, false]);
    assert_eq!(direct([12, 20], [14, 14], Relu), [false, true]);
    assert_eq!(direct([8, 16], [14, 14], Linear), [true, false]);
    assert_eq!(direct([3, 64], [32, 32], Linear), [true, true]);
    assert_eq!(direct([64, 64], [2, 2], Linear), [true, true]);
    let of_five = |channels, size, pool| {
        let shape = ConvShape { pool, ..of_five(shape(channels, size)) };
        [super::suits_forward(&shape), super::suits_backward(&shape)].map(|suits| !suits)
    };
    assert_eq!(of_five([16, 32], [14, 14], Pool::None), [false, false]);
    assert_eq!(of_five([16, 32], [14, 14], Pool::Max2x2), [false, false]);
    assert_eq!(of_five([32, 64], [7, 7], Pool::None), [false, false]);
    assert_eq!(of_five([32, 64], [7, 7], Pool::Max2x2), [false, true]);
    assert_eq!(of_five([6, 16], [14, 14], Pool::Max2x2), [false, true]);
    assert_eq!(of_five([6, 16], [10, 10], Pool::None), [true, true]);
    assert_eq!(of_five([3, 32], [32, 32], Pool::None), [false, true]);
    assert_eq!(of_five([1, 32], [28, 28], Pool::None), [true, true]);
}
