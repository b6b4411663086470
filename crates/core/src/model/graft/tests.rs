use burn::tensor::{Device, Tensor, TensorData};
use proptest::prelude::*;

use super::*;
use crate::model::optimizer_record::MomentField;
use crate::model::{Mode, Network, OptimizerRecord, WeightArray};
use crate::spec::pool::PoolPadding;
use crate::spec::{
    Activation, BatchNorm, Conv, Dense, Dropout, InputShape, Layer, Padding, Pool, Residual,
    StudyFile,
};
use crate::sys::{CounterRng, Purpose, counter_seed};

const INPUT: InputShape = InputShape { channels: 1, height: 12, width: 12, classes: 5 };

fn spec(layers: Vec<Layer>) -> Spec {
    Spec::new(StudyFile::new("graft", layers), INPUT).unwrap()
}

/// Weights as they may be after some training: biases and statistics are no longer what they
/// started from.
fn trained(spec: &Spec, seed: u64) -> Weights {
    let mut weights = Weights::default();
    let mut rng = CounterRng::new(counter_seed(seed, 0, Purpose::Policy, 0, 0));
    for (name, array) in Weights::initial(spec, 1).iter() {
        let values = array.values.iter().map(|&value| match name.rsplit_once('.') {
            Some((_, "running-variance")) => rng.uniform(0.5, 2.0),
            _ => value + rng.uniform(-0.2, 0.2),
        });
        let values = values.collect();
        weights.insert(name, WeightArray { shape: array.shape.clone(), values });
    }
    weights
}

fn logits(spec: &Spec, weights: &Weights) -> Vec<f32> {
    let device = Device::flex();
    let mut rng = CounterRng::new(7);
    let pixels: Vec<f32> = (0..8 * 144).map(|_| rng.uniform(-1.0, 2.0)).collect();
    let images = Tensor::from_data(TensorData::new(pixels, [8, 1, 12, 12]), &device);
    let network = Network::new(spec, weights, &device).unwrap();
    network.forward(images, Mode::Evaluate).into_data().try_into_vec().unwrap()
}

/// The largest difference between what parent and child say, and the report.
fn difference(parent: &Spec, edits: &[Edit]) -> (f32, GraftReport) {
    let child = Edit::apply_all(edits, parent).unwrap();
    let weights = trained(parent, 3);
    let graft = Graft::plan(parent, edits, &weights).unwrap();
    let grafted = graft.weights(&weights, &child, 2);
    grafted.check(&child).unwrap();
    let (before, after) = (logits(parent, &weights), logits(&child, &grafted));
    let largest = before.iter().zip(&after).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    (largest, graft.report(&child))
}

fn assert_preserved(parent: &Spec, edits: &[Edit]) {
    let (difference, report) = difference(parent, edits);
    assert!(report.preserved, "{edits:?}: {:?}", report.changed);
    assert!(difference < 1e-5, "{edits:?}: {difference}");
}

const ACTIVATIONS: [Activation; 7] = [
    Activation::Relu,
    Activation::LeakyRelu,
    Activation::Gelu,
    Activation::Silu,
    Activation::Tanh,
    Activation::Sigmoid,
    Activation::None,
];

fn conv(filters: usize, activation: Activation) -> Layer {
    Layer::Conv(Conv { activation, ..Conv::same(filters, 3) })
}

fn dense(units: usize, activation: Activation) -> Layer {
    Layer::Dense(Dense { activation, ..Dense::of(units) })
}

#[test]
fn widening_keeps_the_logits_through_every_kind_of_layer() {
    for activation in ACTIVATIONS {
        let parent = spec(vec![
            conv(3, activation),
            Layer::BatchNorm(BatchNorm { activation, ..BatchNorm::default() }),
            Layer::MaxPool(Pool::of(2)),
            conv(4, activation),
            Layer::Dropout(Dropout { rate: 0.3 }),
            Layer::AvgPool(Pool::of(2)),
            dense(6, activation),
            Layer::BatchNorm(BatchNorm::default()),
        ]);
        let edits = [
            Edit::Widen { layer: 0, width: 7 },
            Edit::Widen { layer: 3, width: 9 },
            Edit::Widen { layer: 6, width: 11 },
        ];
        for edit in &edits {
            assert_preserved(&parent, std::slice::from_ref(edit));
        }
        assert_preserved(&parent, &edits);
    }
}

#[test]
fn widening_keeps_the_logits_before_global_average_pooling() {
    let parent = spec(vec![conv(3, Activation::Relu), Layer::GlobalAvgPool {}]);
    assert_preserved(&parent, &[Edit::Widen { layer: 0, width: 8 }]);
}

#[test]
fn a_new_conv_layer_keeps_the_logits_for_every_activation() {
    for activation in ACTIVATIONS {
        let parent = spec(vec![conv(3, activation), conv(3, activation), dense(5, activation)]);
        for (at, kernel) in [(0, 3), (1, 3), (1, 5), (2, 2), (2, 3)] {
            let edit = Edit::AddConvBlock { at, filters: 8, kernel, pool: false };
            assert_preserved(&parent, &[edit]);
        }
    }
}

#[test]
fn a_new_dense_layer_keeps_the_logits_for_every_activation() {
    for activation in ACTIVATIONS {
        let parent = spec(vec![conv(3, activation), dense(20, activation), dense(7, activation)]);
        for (at, units) in [(1, 64), (2, 24), (2, 48), (3, 16)] {
            assert_preserved(&parent, &[Edit::AddDense { at, units }]);
        }
    }
}

#[test]
fn a_larger_kernel_dropout_and_batch_norm_keep_the_logits() {
    let parent = spec(vec![conv(3, Activation::Gelu), Layer::MaxPool(Pool::of(2))]);
    assert_preserved(&parent, &[Edit::SetKernel { layer: 0, kernel: 5 }]);
    assert_preserved(&parent, &[Edit::AddDropout { at: 2, rate: 0.5 }]);
    assert_preserved(&parent, &[Edit::AddBatchNorm { layer: 0 }]);
}

#[test]
fn what_cannot_be_kept_is_carried_as_far_as_possible_and_reported() {
    let parent = spec(vec![conv(3, Activation::Relu), conv(4, Activation::Relu)]);
    let cases = [
        (Edit::AddConvBlock { at: 2, filters: 8, kernel: 3, pool: true }, 6),
        (Edit::Narrow { layer: 1, width: 2 }, 6),
        (Edit::SetKernel { layer: 0, kernel: 1 }, 6),
        (Edit::SetStride { layer: 0, stride: 2 }, 6),
        (Edit::SetActivation { activation: Activation::Tanh }, 6),
        (Edit::RemoveLayer { layer: 1 }, 3),
    ];
    for (edit, carried) in cases {
        let (_, report) = difference(&parent, std::slice::from_ref(&edit));
        assert!(!report.preserved && !report.changed.is_empty(), "{edit:?}");
        assert!(report.carried.len() >= carried, "{edit:?}: {report:?}");
    }
}

#[test]
fn narrowing_keeps_the_units_that_matter() {
    let parent = spec(vec![dense(4, Activation::None)]);
    let mut weights = trained(&parent, 5);
    // No weight uses the third unit.
    let head = weights.arrays_mut().get_mut("head.weight").unwrap();
    head.values[10..15].fill(0.0);
    let edits = [Edit::Narrow { layer: 0, width: 3 }];
    let child = Edit::apply_all(&edits, &parent).unwrap();
    let grafted = Graft::plan(&parent, &edits, &weights).unwrap().weights(&weights, &child, 2);
    let (before, after) = (logits(&parent, &weights), logits(&child, &grafted));
    assert!(before.iter().zip(&after).all(|(a, b)| (a - b).abs() < 1e-5));
}

#[test]
fn moments_go_along_with_their_weights() {
    let parent = spec(vec![dense(2, Activation::Relu)]);
    let weights = trained(&parent, 5);
    let edits = [Edit::Widen { layer: 0, width: 3 }];
    let child = Edit::apply_all(&edits, &parent).unwrap();
    let graft = Graft::plan(&parent, &edits, &weights).unwrap();
    let new = graft.moment(&weights, &child, "head.weight", Moment::OfGradients, 9.0).unwrap();
    let old = weights.get("head.weight").unwrap();
    assert_eq!(new.values[..10], old.values[..]);
    assert!(new.values[10..].iter().all(|&value| value == 9.0));
}

/// A network like those for photos: a convolution, an identity block, a block with a projection, and
/// a mean.
fn residual_layers(activation: Activation) -> Vec<Layer> {
    let norm = |activation| Layer::BatchNorm(BatchNorm { activation, ..BatchNorm::default() });
    let halving = Layer::Conv(Conv { stride: 2, ..Conv::same(6, 3) });
    vec![
        conv(4, activation),
        Layer::Residual(Residual {
            activation,
            ..Residual::of(vec![
                conv(5, Activation::None),
                norm(activation),
                conv(4, Activation::None),
            ])
        }),
        Layer::Residual(Residual::of(vec![
            halving,
            conv(6, Activation::None),
            norm(Activation::None),
        ])),
        Layer::GlobalAvgPool {},
    ]
}

fn inside(layer: usize, edit: Edit) -> Edit {
    Edit::Inside { layer, edit: Box::new(edit) }
}

#[test]
fn a_new_residual_block_keeps_the_logits() {
    for activation in ACTIVATIONS {
        let parent = spec(residual_layers(activation));
        for (at, filters) in [(0, 3), (1, 8), (2, 2), (3, 4)] {
            assert_preserved(&parent, &[Edit::AddResidual { at, filters, kernel: 3 }]);
            let nested = inside(1, Edit::AddResidual { at: 1, filters, kernel: 3 });
            assert_preserved(&parent, &[nested]);
        }
    }
}

#[test]
fn widening_within_a_block_and_around_it_keeps_the_logits() {
    for activation in ACTIVATIONS {
        let parent = spec(residual_layers(activation));
        let edits = [
            // What flows into a block, through the identity as well.
            Edit::Widen { layer: 0, width: 7 },
            // Within.
            inside(1, Edit::Widen { layer: 0, width: 9 }),
            inside(2, Edit::Widen { layer: 0, width: 8 }),
            // What a block returns: past an identity, and past a projection.
            inside(1, Edit::Widen { layer: 2, width: 6 }),
            inside(2, Edit::Widen { layer: 1, width: 9 }),
            inside(1, Edit::AddBatchNorm { layer: 2 }),
            inside(2, Edit::AddDropout { at: 1, rate: 0.3 }),
            inside(1, Edit::SetKernel { layer: 0, kernel: 5 }),
        ];
        for edit in &edits {
            assert_preserved(&parent, std::slice::from_ref(edit));
        }
        assert_preserved(&parent, &edits);
    }
}

#[test]
fn a_batch_norm_in_a_block_that_had_none_comes_to_its_projection_too() {
    let layers = vec![Layer::Residual(Residual::of(vec![conv(3, Activation::Relu)]))];
    let parent = spec(layers);
    assert_preserved(&parent, &[inside(0, Edit::AddBatchNorm { layer: 0 })]);
}

#[test]
fn a_conv_before_a_block_goes_into_its_branch_and_its_shortcut() {
    for activation in [Activation::Relu, Activation::LeakyRelu, Activation::Gelu, Activation::None]
    {
        let mut layers = residual_layers(Activation::Tanh);
        layers[0] = conv(4, activation);
        let edit = Edit::AddConvBlock { at: 1, filters: 9, kernel: 3, pool: false };
        assert_preserved(&spec(layers), &[edit]);
    }
}

#[test]
fn what_a_block_loses_is_reported_and_the_rest_is_carried() {
    let parent = spec(residual_layers(Activation::Relu));
    let edits = [
        Edit::RemoveLayer { layer: 1 },
        Edit::Narrow { layer: 0, width: 2 },
        inside(1, Edit::Narrow { layer: 0, width: 2 }),
        inside(2, Edit::Narrow { layer: 1, width: 3 }),
        inside(2, Edit::SetStride { layer: 0, stride: 1 }),
        inside(1, Edit::RemoveLayer { layer: 1 }),
        inside(1, Edit::SetLayers { layers: vec![conv(4, Activation::Relu)] }),
    ];
    for edit in edits {
        let (_, report) = difference(&parent, std::slice::from_ref(&edit));
        assert!(!report.preserved, "{edit:?}");
        assert!(report.carried.len() >= 8, "{edit:?}: {report:?}");
    }
}

#[test]
fn depthwise_convolutions_go_along_with_their_channels() {
    for activation in ACTIVATIONS {
        let depthwise = Layer::Conv(Conv { groups: 4, activation, ..Conv::same(4, 3) });
        let parent = spec(vec![
            conv(4, activation),
            depthwise.clone(),
            conv(5, activation),
            Layer::Conv(Conv { groups: 5, ..Conv::same(10, 3) }),
        ]);
        assert_preserved(&parent, &[Edit::Widen { layer: 0, width: 7 }]);
        assert_preserved(&parent, &[Edit::Widen { layer: 3, width: 15 }]);
        assert_preserved(&parent, &[Edit::SetKernel { layer: 1, kernel: 5 }]);
        assert!(Edit::Widen { layer: 2, width: 7 }.apply(&parent).is_err(), "5 groups of 7");
        let (_, report) = difference(&parent, &[Edit::Widen { layer: 2, width: 10 }]);
        assert!(!report.preserved, "the second group sees what the first saw");
        let block = Layer::Residual(Residual::of(vec![depthwise, conv(4, Activation::None)]));
        let parent = spec(vec![conv(4, activation), block]);
        assert_preserved(&parent, &[Edit::Widen { layer: 0, width: 6 }]);
    }
}

fn any_activation() -> impl Strategy<Value = Activation> {
    prop::sample::select(ACTIVATIONS.to_vec())
}

fn any_layer() -> impl Strategy<Value = Layer> {
    prop_oneof![
        (1..6_usize, prop::sample::select(vec![1_usize, 2, 3, 5]), any_activation(), any::<bool>())
            .prop_map(|(filters, kernel, activation, same)| Layer::Conv(Conv {
                activation,
                padding: if same { Padding::Same } else { Padding::Valid },
                ..Conv::same(filters, kernel)
            })),
        Just(Layer::MaxPool(Pool::of(2))),
        Just(Layer::AvgPool(Pool::of(2))),
        any_activation().prop_map(|activation| Layer::BatchNorm(BatchNorm {
            activation,
            ..BatchNorm::default()
        })),
        Just(Layer::Dropout(Dropout { rate: 0.2 })),
        (1..4_usize).prop_map(|groups| Layer::Conv(Conv { groups, ..Conv::same(6, 3) })),
        any_activation().prop_map(|activation| {
            Layer::MaxPool(Pool { stride: Some(1), padding: PoolPadding::Same, ..Pool::of(3) })
                .in_a_block(activation)
        }),
    ]
}

/// Layers, and residual blocks of them.
fn any_part() -> impl Strategy<Value = Layer> {
    let block = (prop::collection::vec(any_layer(), 1..4), any_activation()).prop_map(
        |(layers, activation)| Layer::Residual(Residual { activation, ..Residual::of(layers) }),
    );
    prop_oneof![3 => any_layer(), 2 => block]
}

impl Layer {
    fn in_a_block(self, activation: Activation) -> Self {
        Self::Residual(Residual { activation, ..Residual::of(vec![self]) })
    }
}

fn any_spec() -> impl Strategy<Value = Spec> {
    let features = prop::collection::vec(any_part(), 0..5);
    let hidden = prop::collection::vec((1..12_usize, any_activation()), 0..3);
    (features, any::<bool>(), hidden).prop_filter_map("fits", |(mut layers, average, hidden)| {
        if average {
            layers.push(Layer::GlobalAvgPool {});
        }
        layers.extend(hidden.into_iter().map(|(units, activation)| dense(units, activation)));
        Spec::new(StudyFile::new("any", layers), INPUT).ok()
    })
}

fn any_edit() -> impl Strategy<Value = Edit> {
    let nested = (0..4_usize, any_plain_edit()).prop_map(|(layer, edit)| inside(layer, edit));
    prop_oneof![3 => any_plain_edit(), 2 => nested]
}

fn any_plain_edit() -> impl Strategy<Value = Edit> {
    let at = 0..8_usize;
    prop_oneof![
        (at.clone(), 1..9_usize, 1..4_usize).prop_map(|(at, filters, kernel)| Edit::AddResidual {
            at,
            filters,
            kernel
        }),
        (at.clone(), 1..16_usize, 1..6_usize, any::<bool>()).prop_map(
            |(at, filters, kernel, pool)| Edit::AddConvBlock { at, filters, kernel, pool }
        ),
        (at.clone(), 1..16_usize).prop_map(|(layer, width)| Edit::Widen { layer, width }),
        (at.clone(), 1..80_usize).prop_map(|(at, units)| Edit::AddDense { at, units }),
        at.clone().prop_map(|layer| Edit::RemoveLayer { layer }),
        (at.clone(), 1..6_usize).prop_map(|(layer, kernel)| Edit::SetKernel { layer, kernel }),
        (at.clone(), 1..3_usize).prop_map(|(layer, stride)| Edit::SetStride { layer, stride }),
        (at.clone(), 1..4_usize).prop_map(|(layer, size)| Edit::SetPool { layer, size }),
        at.clone().prop_map(|layer| Edit::AddBatchNorm { layer }),
        at.prop_map(|at| Edit::AddDropout { at, rate: 0.5 }),
        any_activation().prop_map(|activation| Edit::SetActivation { activation }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Whatever the specs and the edits, the child's weights fit it, and where the report says
    /// that nothing changed, nothing did.
    #[test]
    fn the_report_is_true(parent in any_spec(), edits in prop::collection::vec(any_edit(), 1..4)) {
        let mut spec = parent.clone();
        let edits: Vec<Edit> = edits.into_iter().filter(|edit| match edit.apply(&spec) {
            Ok(edited) => { spec = edited; true }
            Err(_) => false,
        }).collect();
        let (difference, report) = difference(&parent, &edits);
        if report.preserved {
            let scale = logits(&parent, &trained(&parent, 3))
                .into_iter().fold(1.0_f32, |most, logit| most.max(logit.abs()));
            prop_assert!(difference < 1e-5 * scale, "{edits:?}: {difference}");
        }
    }
}

#[test]
fn means_of_squares_stay_above_zero_where_weights_are_negated() {
    let parent = spec(vec![Layer::Conv(Conv::same(4, 3)), Layer::MaxPool(Pool::of(3))]);
    // A dense layer says each logit as it is and negated.
    let edits = [Edit::AddDense { at: 2, units: 32 }];
    let child = Edit::apply_all(&edits, &parent).unwrap();
    let mut squares = Weights::default();
    for (name, array) in trained(&parent, 3).iter() {
        let values = vec![0.25; array.values.len()];
        squares.insert(name, WeightArray { shape: array.shape.clone(), values });
    }
    let graft = Graft::plan(&parent, &edits, &trained(&parent, 3)).unwrap();
    let smallest = |moment| {
        let names: Vec<String> =
            graft.network.arrays(&child).into_iter().map(|(name, _)| name).collect();
        let arrays =
            names.iter().filter_map(|name| graft.moment(&squares, &child, name, moment, 1.0));
        arrays.flat_map(|array| array.values).fold(f32::INFINITY, f32::min)
    };
    assert_eq!(smallest(Moment::OfSquares), 0.25);
    assert_eq!(smallest(Moment::OfGradients), -0.25);
}

#[test]
fn an_edit_that_cannot_be_made_is_an_error_and_not_left_out() {
    let parent = spec(vec![dense(4, Activation::Relu)]);
    let weights = trained(&parent, 3);
    let edits = [Edit::Widen { layer: 0, width: 8 }, Edit::Widen { layer: 7, width: 8 }];
    let error = Graft::plan(&parent, &edits, &weights).unwrap_err();
    assert!(matches!(error, GraftError::Edit(_)), "{error}");
    let other = spec(vec![dense(5, Activation::Relu)]);
    let error = Graft::plan(&other, &edits[..1], &weights).unwrap_err();
    assert!(matches!(error, GraftError::Weights(_)), "{error}");
}

#[test]
fn steps_and_moments_of_the_optimizer_go_along_by_name() {
    let parent = spec(vec![dense(2, Activation::Relu)]);
    let edits = [Edit::AddDense { at: 0, units: 300 }];
    let child = Edit::apply_all(&edits, &parent).unwrap();
    let weights = trained(&parent, 5);
    let mut record = OptimizerRecord::default();
    for (name, array) in weights.iter() {
        record.parameters.insert(name.into());
        record.steps.insert(name.into(), 7);
        for field in [MomentField::First, MomentField::Second] {
            let values = array.values.iter().map(|value| value.abs() + 0.1).collect();
            let moments = record.moments.entry(field).or_default();
            moments.insert(name, WeightArray { shape: array.shape.clone(), values });
        }
    }
    let graft = Graft::plan(&parent, &edits, &weights).unwrap();
    let carried = graft.optimizer(&record, &child);
    let bytes = carried.write(&child).unwrap();
    assert_eq!(OptimizerRecord::read(&bytes, &child).unwrap(), carried);
    assert_eq!(carried.steps.get("layers.1.bias"), Some(&7));
    let second = &carried.moments[&MomentField::Second];
    assert_eq!(
        second.get("head.weight").unwrap(),
        record.moments[&MomentField::Second].get("head.weight").unwrap()
    );
}
