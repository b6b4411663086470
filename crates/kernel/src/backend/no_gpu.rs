//! What stays on a GPU while a network is trained, in a build without GPUs: there are none of these.

use burn::tensor::{Device, Int, Tensor};

use crate::optimizer::WeightDecay;

/// Of this there is no value. It is hidden in the types, or the compiler warns wherever code could have one of them.
#[derive(Clone, Copy, Debug)]
enum Nothing {}

/// Images and labels on a GPU, of which batches are made there.
#[derive(Clone, Debug)]
pub struct DeviceImages(Nothing);

impl DeviceImages {
    /// Bytes that the pixels may take.
    pub const BYTES_MAX: usize = 0;

    /// `None`: the device is no GPU.
    pub fn new(
        _device: &Device,
        _pixels: Vec<u8>,
        _labels: &[u16],
        _shape: [usize; 3],
        _factors: &[(f32, f32)],
    ) -> Option<Self> {
        None
    }

    /// The number of images.
    pub fn count(&self) -> usize {
        match self.0 {}
    }

    /// Batch number `step` of the images in their own order: normalised pixels, `[batch, channels, height, width]`.
    pub fn batch_in_order(&self, _step: usize, _batch: usize) -> Tensor<4> {
        match self.0 {}
    }

    /// The batch of the epoch that comes next, of `len` images: pixels and labels.
    pub fn batch(&self, _epoch: &Notes, _len: usize) -> (Tensor<4>, Tensor<1, Int>) {
        match self.0 {}
    }
}

/// An epoch on a GPU: the order of its images, the step that comes next, and what is noted of each.
#[derive(Clone, Debug)]
pub struct Notes(Nothing);

impl Notes {
    /// An epoch that visits images in this order and in batches of `batch`, from batch `position` on, with the four
    /// `rates` of each step that [`FlatAdam::rates`] makes.
    pub fn new(
        images: &DeviceImages,
        _order: &[u32],
        _batch: usize,
        _position: usize,
        _rates: &[[f32; 4]],
    ) -> Self {
        match images.0 {}
    }

    /// Loss and correct predictions of one step after another, `[2 × steps]`; unspecified of those still to come.
    pub fn losses(&self) -> Tensor<1> {
        match self.0 {}
    }
}

/// A parameter as [`FlatAdam`] takes it: its shape, its numbers and its moments.
#[derive(Clone, Debug, PartialEq)]
pub struct FlatParameter {
    /// The shape.
    pub shape: Vec<usize>,
    /// The numbers.
    pub values: Vec<f32>,
    /// The moments; empty before the first step.
    pub moments: [Vec<f32>; 2],
}

/// Adam on a GPU for all parameters of a network in one kernel. The parameters are parts of one array, which a step
/// changes in place.
#[derive(Clone, Debug)]
pub struct FlatAdam(Nothing);

impl FlatAdam {
    /// `None`: the device is no GPU.
    pub fn new(_device: &Device, _parameters: &[FlatParameter], _betas: [f32; 2]) -> Option<Self> {
        None
    }

    /// A parameter, which steps change.
    pub fn parameter<const D: usize>(&self, _index: usize) -> Tensor<D> {
        match self.0 {}
    }

    /// The numbers of a step for [`Notes::new`]: at this learning rate, after `time` steps with this one.
    pub fn rates(
        _learning_rate: f64,
        _time: usize,
        _betas: [f32; 2],
        _epsilon: f32,
        _decay: WeightDecay,
    ) -> [f32; 4] {
        [0.0; 4]
    }

    /// A step, with a gradient for each parameter, in the same order. The loss of the step has been noted.
    pub fn step(&self, _gradients: Vec<FlatGradient>, _epoch: &Notes) {
        match self.0 {}
    }

    /// All parameters and both moments, each as one array.
    pub fn arrays(&self) -> [Tensor<1>; 3] {
        match self.0 {}
    }

    /// The numbers of a parameter in one of the [`arrays`](Self::arrays) that was read.
    pub fn of_parameter<'a>(&self, _index: usize, _array: &'a [f32]) -> &'a [f32] {
        match self.0 {}
    }
}

/// The gradient of a parameter.
#[derive(Clone, Debug)]
pub enum FlatGradient {}

impl FlatGradient {
    /// `None`: the tensor is on no GPU.
    pub fn new<const D: usize>(_gradient: Tensor<D>) -> Option<Self> {
        None
    }
}
