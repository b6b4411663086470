//! Measures activations and gradients of a network on a few images.

use burn::module::{ModuleVisitor, Param, ParamId};
use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor};

use super::evaluate::{
    Evaluation, Flip, evaluate_flipped, evaluate_while, images_at_once, images_tensor, spread,
};
use super::setup::{TrainError, TrainingSetup, labels_tensor};
use crate::data::Subset;
use crate::data::batch::{Batch, Batches};
use crate::model::{Mode, Network, ReadError, Weights, read_scalar, read_values, weight_number};
use crate::record::{LayerProbe, Probe};
use crate::spec::{Activation, Layer, Spec};
use crate::sys::{Purpose, counter_seed, permutation};
use burgeon_kernel::backend::cross_entropy;

/// The most images used; fewer for small data sets and for large images.
const IMAGES: usize = 256;

/// The most validation images that are mirrored.
const MIRRORED_IMAGES: usize = 512;

/// A unit is dead if its outputs differ by less than this over all images.
const DEAD_SPREAD: f32 = 1e-4;

/// Measures a copy of the network on some training images. It is a copy, because a backward pass through
/// the trained network would update the statistics of batch-norm. Calls `keep_going` between parts of the
/// work, and returns `None` once that returns `false`.
///
/// # Errors
///
/// If the weights do not fit the spec, or the device fails.
pub(super) fn probe(
    setup: TrainingSetup,
    weights: &Weights,
    validation: &Evaluation,
    keep_going: &mut dyn FnMut() -> bool,
) -> Result<Option<Probe>, TrainError> {
    let data = setup.data;
    let classes = setup.spec.input().classes;
    let most = images_at_once(&data.train, IMAGES);
    let images = most.min(data.train.len().div_ceil(8)).max(8.min(data.train.len()));
    let device = setup.device.device.clone().without_autodiff();
    let network = Network::new(setup.spec, weights, &device)?;
    let (mut batch, subset) = some_images(setup, images);
    let pixel_deviation = deviation(&batch.pixels);
    let normalization = data.normalization;
    let evaluated = evaluate_while(&network, &subset, normalization, classes, &device, keep_going)?;
    let Some(evaluated) = evaluated.filter(|_| keep_going()) else {
        return Ok(None);
    };
    let input = images_tensor(&mut batch, &data.train, &device);
    let mut layers = outputs(setup.spec, &network, input)?;
    if !keep_going() {
        return Ok(None);
    }
    gradients(setup, weights, images, &mut layers)?;
    let mirror_cost = mirror_cost(setup, &network, &device, keep_going)?;
    if !keep_going() {
        return Ok(None);
    }
    let counts = data.train.class_counts(classes);
    let missing = counts.iter().enumerate().filter(|(_, count)| **count == 0);
    Ok(Some(Probe {
        images,
        training_images: data.train.len(),
        accuracy: evaluated.accuracy(),
        pixel_deviation,
        layers,
        missing_classes: missing.map(|(class, _)| class).collect(),
        unnamed_classes: never_predicted(validation),
        mirror_cost,
        by_confidence: validation.by_confidence.clone(),
        sample: None,
    }))
}

/// How much lower the accuracy on validation images is when these are mirrored: whether left and right matter to the
/// classes. `None` once `keep_going` returns `false`, and without validation images.
fn mirror_cost(
    setup: TrainingSetup,
    network: &Network,
    device: &Device,
    keep_going: &mut dyn FnMut() -> bool,
) -> Result<Option<f64>, ReadError> {
    let (validation, normalization) = (&setup.data.validation, setup.data.normalization);
    let subset = spread(validation, MIRRORED_IMAGES);
    if subset.is_empty() {
        return Ok(None);
    }
    let classes = setup.spec.input().classes;
    let mut accuracy = |flip| -> Result<Option<f64>, ReadError> {
        let seen =
            evaluate_flipped(network, &subset, normalization, classes, device, flip, keep_going)?;
        Ok(seen.map(|evaluation| evaluation.accuracy()))
    };
    let (original, mirrored) = (accuracy(Flip::None)?, accuracy(Flip::Horizontal)?);
    Ok(original.zip(mirrored).map(|(original, mirrored)| original - mirrored))
}

/// Images drawn at random from the training split, because the order of a file may follow difficulty (as in
/// MNIST) or class. All probes of a trial use the same images.
pub(super) fn some_images(setup: TrainingSetup, images: usize) -> (Batch, Subset) {
    let train = &setup.data.train;
    let (seed, trial) = (setup.spec.train().seed, u64::from(setup.trial));
    let mut drawn = permutation(train.len(), counter_seed(seed, trial, Purpose::Probe, 0, 0));
    drawn.truncate(images);
    // Sorted for sequential memory access.
    drawn.sort_unstable();
    let chosen = drawn.into_iter().map(|position| train.indices()[position as usize]);
    let subset = train.with_indices(chosen.collect::<Vec<_>>());
    // Cannot fail: the indices come from this subset.
    let subset = subset.unwrap_or_else(|_| train.clone());
    let mut batch = Batch::default();
    Batches::in_order(&subset, setup.data.normalization, images).fill(0, &mut batch);
    (batch, subset)
}

fn deviation(pixels: &[f32]) -> f64 {
    let count = pixels.len().max(1) as f64;
    let mean = pixels.iter().map(|&pixel| f64::from(pixel)).sum::<f64>() / count;
    let squares = pixels.iter().map(|&pixel| (f64::from(pixel) - mean).powi(2)).sum::<f64>();
    (squares / count).sqrt()
}

/// The share of dead and saturated outputs of every layer with weights, after its activation.
fn outputs(
    spec: &Spec,
    network: &Network,
    images: Tensor<4>,
) -> Result<Vec<LayerProbe>, ReadError> {
    let trace = network.trace(spec, images, Mode::Evaluate);
    let with_weights = trace.into_iter().filter_map(|(layer, output)| {
        let units = spec.table().rows[layer].output.channels();
        let activation = match spec.layers().get(layer) {
            Some(found @ (Layer::Conv(_) | Layer::Dense(_) | Layer::BatchNorm(_))) => {
                found.activation().unwrap_or(Activation::None)
            }
            Some(_) => return None,
            None => Activation::None,
        };
        let [_, features] = output.dims();
        Some(read_values(output).map(|values| LayerProbe {
            layer,
            dead: dead_units(&values, features, units),
            saturated: saturated(&values, activation),
            gradient: 0.0,
            weight: 0.0,
        }))
    });
    with_weights.collect()
}

/// Share of units whose outputs `[images, features]` do not differ between images.
fn dead_units(values: &[f32], features: usize, units: usize) -> f64 {
    let plane = (features / units.max(1)).max(1);
    let first = &values[..features.min(values.len())];
    let mut spread = vec![0.0_f32; units];
    for row in values.chunks_exact(features.max(1)) {
        for (at, (value, first)) in row.iter().zip(first).enumerate() {
            if let Some(spread) = spread.get_mut(at / plane) {
                // A unit that returns NaN does not count as dead.
                *spread = if value.is_nan() { f32::MAX } else { spread.max((value - first).abs()) };
            }
        }
    }
    let dead = spread.iter().filter(|&&spread| spread < DEAD_SPREAD).count();
    dead as f64 / units.max(1) as f64
}

/// Share of values where the activation's slope is below a twentieth of its steepest.
fn saturated(values: &[f32], activation: Activation) -> f64 {
    let is_flat = |value: f32| match activation {
        Activation::Tanh => value.abs() > 0.975,
        Activation::Sigmoid => !(0.0127..=0.9873).contains(&value),
        _ => false,
    };
    let flat = values.iter().filter(|&&value| is_flat(value)).count();
    flat as f64 / values.len().max(1) as f64
}

/// Adds the root mean squares of weights and of their gradients.
fn gradients(
    setup: TrainingSetup,
    weights: &Weights,
    images: usize,
    layers: &mut [LayerProbe],
) -> Result<(), TrainError> {
    let device: Device = setup.device.device.clone().autodiff();
    let network = Network::new(setup.spec, weights, &device)?;
    let (mut batch, _) = some_images(setup, images);
    let labels = labels_tensor(&batch.labels, &device);
    let input = images_tensor(&mut batch, &setup.data.train, &device);
    let logits = network.forward(input, Mode::Evaluate);
    let smoothing = setup.spec.train().label_smoothing as f32;
    let loss = cross_entropy(logits, labels, smoothing).loss;
    let gradients = GradientsParams::from_grads(loss.backward(), &network);
    let mut sizes = Sizes { gradients: &gradients, found: Ok(Vec::new()) };
    burn::module::Module::visit(&network, &mut sizes);
    let found = sizes.found?;
    // Batch-norms have only vectors, and stay at zero; weights within residual blocks are not probed.
    for probe in layers {
        let id = ParamId::from(weight_number(setup.spec, probe.layer));
        if let Some(&(_, sizes)) = found.iter().find(|(found, _)| *found == id) {
            (probe.gradient, probe.weight) = sizes;
        }
    }
    Ok(())
}

/// Root mean squares of a gradient and of its weights.
type GradientAndWeight = (f64, f64);

/// Root mean squares of every weight array with two axes or more, by its number: of its gradient, and
/// its own.
struct Sizes<'a> {
    gradients: &'a GradientsParams,
    found: Result<Vec<(ParamId, GradientAndWeight)>, ReadError>,
}

impl ModuleVisitor for Sizes<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if D < 2 {
            return;
        }
        let size = |tensor: Tensor<D>| -> Result<f64, ReadError> {
            Ok(f64::from(read_scalar(tensor.square().mean())?).sqrt())
        };
        let gradient = self.gradients.get::<D>(param.id).map_or(Ok(0.0), size);
        let sizes = gradient.and_then(|gradient| Ok((gradient, size(param.val().inner())?)));
        if let Ok(found) = &mut self.found {
            match sizes {
                Ok(sizes) => found.push((param.id, sizes)),
                Err(error) => self.found = Err(error),
            }
        }
    }
}

fn never_predicted(validation: &Evaluation) -> Vec<usize> {
    let classes = validation.recalls().into_iter().zip(validation.named()).enumerate();
    let never = classes.filter(|(_, (shown, predicted))| shown.images > 0 && *predicted == 0);
    never.map(|(class, _)| class).collect()
}
