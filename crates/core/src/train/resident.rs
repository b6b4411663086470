//! What stays on a GPU while a network is trained there, so that an epoch is trained without a transfer and without
//! waiting: the images, the network's parameters, Adam's moments, and the losses of the steps until the epoch ends.

use std::collections::HashMap;

use burgeon_kernel::backend::{DeviceImages, FlatAdam, FlatGradient, FlatParameter, Notes};
use burgeon_kernel::optimizer::WeightDecay;
use burgeon_pixels::Augmenter;
use burn::module::{Module, ModuleMapper, ModuleVisitor, Param, ParamId};
use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor};

use super::setup::{TrainError, TrainingSetup};
use super::state::TrainState;
use crate::data::{Normalization, Subset};
use crate::model::{AdamMoments, Network, OptimizerRecord, WeightArray, Weights, read_all};
use crate::spec::{AdamParameters, Optimizer, Spec, TrainSpec, learning_rate};

/// What of a training stays on its device.
#[derive(Debug)]
pub(super) struct Resident {
    /// `None` if images are distorted before each step, which the CPU does, or are too many for the device.
    pub(super) train: Option<DeviceImages>,
    pub(super) validation: DeviceImages,
    /// `None` for other optimizers than Adam and AdamW.
    pub(super) adam: Option<ResidentAdam>,
    /// The epoch that is trained, if there is one.
    pub(super) notes: Option<Notes>,
}

impl Resident {
    /// `None` on devices that are no GPU.
    pub(super) fn new(
        setup: TrainingSetup,
        state: &TrainState,
        augmenter: &Augmenter,
    ) -> Result<Option<Self>, TrainError> {
        if !setup.device.is_asynchronous {
            return Ok(None);
        }
        let (data, device) = (setup.data, &setup.device.device);
        let Some(validation) = on_device(&data.validation, data.normalization, device) else {
            return Ok(None);
        };
        let train = match augmenter.is_identity() {
            true => on_device(&data.train, data.normalization, device),
            false => None,
        };
        let adam = ResidentAdam::new(setup, state)?;
        Ok(Some(Self { train, validation, adam, notes: None }))
    }

    /// Begins an epoch, or goes on with it from a step.
    pub(super) fn begin(&mut self, setup: TrainingSetup, order: &[u32], position: (usize, usize)) {
        let train = setup.spec.train();
        let (epoch, step) = position;
        let steps = order.len().div_ceil(train.batch_size);
        let rates: Vec<[f32; 4]> = match &self.adam {
            None => vec![[0.0; 4]],
            Some(adam) => (0..steps)
                .map(|at| {
                    let rate = learning_rate(train, epoch * steps + at, train.epochs * steps);
                    // Steps before the first are never taken.
                    adam.rates(rate, (adam.time + at + 1).saturating_sub(step).max(1))
                })
                .collect(),
        };
        self.notes = Some(Notes::new(&self.validation, order, train.batch_size, step, &rates));
    }
}

fn on_device(
    subset: &Subset,
    normalization: Normalization,
    device: &Device,
) -> Option<DeviceImages> {
    if subset.len() * subset.image_len() > DeviceImages::BYTES_MAX {
        return None;
    }
    let mut pixels = Vec::with_capacity(subset.len() * subset.image_len());
    let mut labels = Vec::with_capacity(subset.len());
    for position in 0..subset.len() {
        pixels.extend_from_slice(subset.image(position));
        labels.push(subset.label(position));
    }
    let factors: Vec<(f32, f32)> =
        (0..subset.shape()[0]).map(|channel| normalization.affine(channel)).collect();
    DeviceImages::new(device, pixels, &labels, subset.shape(), &factors)
}

/// Adam for all parameters of a network at once.
#[derive(Debug)]
pub(super) struct ResidentAdam {
    flat: FlatAdam,
    /// The number of each parameter by its id.
    places: HashMap<ParamId, usize>,
    names: Vec<String>,
    shapes: Vec<Vec<usize>>,
    /// Steps taken.
    time: usize,
    betas: [f32; 2],
    epsilon: f32,
    decay: WeightDecay,
}

impl ResidentAdam {
    /// `None` for other optimizers, and for parameters that have not taken equally many steps.
    fn new(setup: TrainingSetup, state: &TrainState) -> Result<Option<Self>, TrainError> {
        let Some((parameters, decay)) = adam_of(setup.spec.train()) else {
            return Ok(None);
        };
        let record = match state.optimizer.is_empty() {
            true => OptimizerRecord::default(),
            false => OptimizerRecord::read(&state.optimizer, setup.spec)?,
        };
        let mut flat = Vec::new();
        let (mut places, mut names, mut shapes) = (HashMap::new(), Vec::new(), Vec::new());
        let mut time = None;
        for (id, name) in crate::model::trained_parameters(setup.spec) {
            let WeightArray { shape, values } = state.weights.get(&name)?.clone();
            let moments = record.adam_moments(&name);
            let steps = moments.as_ref().map_or(0, |moments| moments.steps);
            if *time.get_or_insert(steps) != steps {
                return Ok(None);
            }
            let moments = moments.map_or_else(Default::default, |moments| moments.moments);
            places.insert(ParamId::from(id), names.len());
            shapes.push(shape.clone());
            names.push(name);
            flat.push(FlatParameter { shape, values, moments });
        }
        let betas = [parameters.beta_1 as f32, parameters.beta_2 as f32];
        let time = usize::try_from(time.unwrap_or(0)).unwrap_or(usize::MAX);
        let flat = FlatAdam::new(&setup.device.device, &flat, betas);
        let epsilon = parameters.epsilon as f32;
        let adam = |flat| Self { flat, places, names, shapes, time, betas, epsilon, decay };
        Ok(flat.map(adam))
    }

    fn rates(&self, learning_rate: f64, time: usize) -> [f32; 4] {
        FlatAdam::rates(learning_rate, time, self.betas, self.epsilon, self.decay)
    }

    /// The network with parameters that steps change.
    pub(super) fn adopt(&self, network: Network) -> Network {
        network.map(&mut Adopt(self))
    }

    /// A step of the epoch.
    pub(super) fn step(
        &mut self,
        network: &Network,
        gradients: GradientsParams,
        notes: &Notes,
    ) -> Result<(), TrainError> {
        let mut found = Found { adam: self, from: gradients, to: Vec::new() };
        network.visit(&mut found);
        let mut gradients = found.to;
        gradients.sort_by_key(|(place, _)| *place);
        let gradients: Vec<FlatGradient> =
            gradients.into_iter().map(|(_, gradient)| gradient).collect();
        if gradients.len() != self.names.len() {
            let missing = "a parameter has no gradient of 32-bit floats on the device";
            return Err(TrainError::Optimizer(missing.into()));
        }
        self.flat.step(gradients, notes);
        self.time += 1;
        Ok(())
    }

    /// The weights and the optimizer's record, read at once.
    pub(super) fn read(
        &self,
        network: &Network,
        spec: &Spec,
    ) -> Result<(Weights, Vec<u8>), TrainError> {
        let mut others = Others { adam: self, tensors: Vec::new() };
        network.visit(&mut others);
        let mut tensors = Vec::from(self.flat.arrays());
        tensors.extend(others.tensors);
        let mut values = read_all(tensors)?.into_iter();
        let mut next = || values.next().unwrap_or_default();
        let [parameters, first, second] = [next(), next(), next()];
        let mut weights = Weights::default();
        let mut moments = Vec::new();
        for (place, (name, shape)) in self.names.iter().zip(&self.shapes).enumerate() {
            let part = |array: &[f32]| self.flat.of_parameter(place, array).to_vec();
            let values = part(&parameters);
            weights.insert(name.clone(), WeightArray { shape: shape.clone(), values });
            let steps = self.time as u64;
            let of_adam = AdamMoments { steps, moments: [part(&first), part(&second)] };
            moments.push((name.clone(), shape.clone(), of_adam));
        }
        for (name, shape) in crate::model::running_statistics(spec) {
            weights.insert(name, WeightArray { shape, values: next() });
        }
        let record = match self.time {
            0 => OptimizerRecord::default(),
            _ => OptimizerRecord::of_adam(moments),
        };
        Ok((weights, record.write(spec)?))
    }
}

/// Adam's parameters and decay, if that is the optimizer.
fn adam_of(train: &TrainSpec) -> Option<(AdamParameters, WeightDecay)> {
    let decay = train.weight_decay as f32;
    match &train.optimizer {
        Optimizer::Adam(parameters) if decay > 0.0 => {
            Some((parameters.clone(), WeightDecay::Gradient(decay)))
        }
        Optimizer::Adam(parameters) => Some((parameters.clone(), WeightDecay::None)),
        Optimizer::AdamW(parameters) => Some((parameters.clone(), WeightDecay::Decoupled(decay))),
        Optimizer::Sgd(_) | Optimizer::Muon(_) => None,
    }
}

/// Replaces the parameters of a network by those of the optimizer.
struct Adopt<'a>(&'a ResidentAdam);

impl ModuleMapper for Adopt<'_> {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        match self.0.places.get(&param.id) {
            None => param,
            Some(&place) => {
                let tensor = Tensor::from_inner(self.0.flat.parameter::<D>(place));
                Param::initialized(param.id, tensor).set_require_grad(true)
            }
        }
    }
}

/// Collects the gradients of the optimizer's parameters.
struct Found<'a> {
    adam: &'a ResidentAdam,
    from: GradientsParams,
    to: Vec<(usize, FlatGradient)>,
}

impl ModuleVisitor for Found<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(&place) = self.adam.places.get(&param.id) {
            let gradient = self.from.remove::<D>(param.id);
            self.to.extend(gradient.and_then(FlatGradient::new).map(|found| (place, found)));
        }
    }
}

/// Collects what is not trained: running statistics.
struct Others<'a> {
    adam: &'a ResidentAdam,
    tensors: Vec<Tensor<1>>,
}

impl ModuleVisitor for Others<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if !self.adam.places.contains_key(&param.id) {
            let tensor = param.val().without_autodiff();
            self.tensors.push(tensor.reshape([-1]));
        }
    }
}
