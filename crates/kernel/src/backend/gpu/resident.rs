//! What stays on a GPU while a network is trained: images, what is noted of each step, parameters and their moments.

use burn::backend::{BackendTensor, DispatchTensor, DispatchTensorKind};
use burn::tensor::{Bytes, DType, Device, Int, Shape, Tensor};
use burn_cubecl::cubecl::prelude::*;
use burn_cubecl::tensor::CubeTensor;

use super::{are_fit, argument, cubes, empty, kernels};

/// Floats that the first of each parameter is a multiple of, so that a part of the array is a buffer for all devices.
const SLOT: usize = 64;

/// A tensor of the device, to make others like it; `None` if that is no GPU.
fn on_gpu(device: &Device) -> Option<CubeTensor> {
    inner(Tensor::<1>::empty([1], &device.clone().without_autodiff()).into_dispatch())
}

fn inner(tensor: DispatchTensor) -> Option<CubeTensor> {
    let kind = match tensor.kind {
        DispatchTensorKind::Autodiff(kind) => *kind,
        kind => kind,
    };
    match kind {
        DispatchTensorKind::Cube(BackendTensor::Float(tensor) | BackendTensor::Int(tensor)) => {
            Some(tensor)
        }
        DispatchTensorKind::Cube(BackendTensor::Autodiff(tensor)) => Some(tensor.into_primitive()),
        _ => None,
    }
}

fn floats<const D: usize>(tensor: CubeTensor) -> Tensor<D> {
    let kind = DispatchTensorKind::Cube(BackendTensor::Float(tensor));
    Tensor::from_dispatch(DispatchTensor { kind, autodiff: Default::default() })
}

fn integers<const D: usize>(tensor: CubeTensor) -> Tensor<D, Int> {
    let kind = DispatchTensorKind::Cube(BackendTensor::Int(tensor));
    Tensor::from_dispatch(DispatchTensor { kind, autodiff: Default::default() })
}

fn uploaded(like: &CubeTensor, bytes: Vec<u8>, len: usize, dtype: DType) -> CubeTensor {
    let handle = like.client.create(Bytes::from_bytes_vec(bytes));
    let (client, device) = (like.client.clone(), like.device.clone());
    CubeTensor::new_contiguous(client, device, Shape::new([len]), handle, dtype)
}

fn uploaded_floats(like: &CubeTensor, values: &[f32]) -> CubeTensor {
    let bytes = values.iter().flat_map(|value| value.to_ne_bytes()).collect();
    uploaded(like, bytes, values.len(), DType::F32)
}

fn uploaded_integers(like: &CubeTensor, values: impl Iterator<Item = i32>) -> CubeTensor {
    let bytes: Vec<u8> = values.flat_map(|value| value.to_ne_bytes()).collect();
    let len = bytes.len() / size_of::<i32>();
    uploaded(like, bytes, len, DType::I32)
}

/// Images and labels on a GPU, of which batches are made there.
#[derive(Clone, Debug)]
pub struct DeviceImages {
    pixels: CubeTensor,
    labels: CubeTensor,
    in_order: CubeTensor,
    /// What a pixel is multiplied by and what is added, by channel.
    factors: CubeTensor,
    zero: CubeTensor,
    shape: [usize; 3],
    count: usize,
}

impl DeviceImages {
    /// Bytes that the pixels may take: an eighth of what a graphics card has today.
    pub const BYTES_MAX: usize = 1 << 30;

    /// Takes images `[count, channels, height, width]` of bytes to the device, and what a pixel is multiplied by and what
    /// is then added to it, by channel. `None` if the device is no GPU, or they are too large for it.
    pub fn new(
        device: &Device,
        mut pixels: Vec<u8>,
        labels: &[u16],
        shape: [usize; 3],
        factors: &[(f32, f32)],
    ) -> Option<Self> {
        let like = on_gpu(device).filter(|like| are_fit([like, like, like]))?;
        let largest = like.client.properties().memory.max_page_size;
        if pixels.len() > Self::BYTES_MAX || pixels.len() as u64 > largest {
            return None;
        }
        pixels.resize(pixels.len().next_multiple_of(4), 0);
        // A word has its first pixel in its lowest byte.
        let words = pixels.chunks_exact(4).map(|word| {
            let bytes = [word[0], word[1], word[2], word[3]];
            u32::from_le_bytes(bytes).to_ne_bytes()
        });
        let bytes: Vec<u8> = words.flatten().collect();
        let len = bytes.len() / size_of::<u32>();
        let factors: Vec<f32> =
            factors.iter().flat_map(|(factor, term)| [*factor, *term]).collect();
        Some(Self {
            pixels: uploaded(&like, bytes, len, DType::U32),
            labels: uploaded_integers(&like, labels.iter().map(|&label| label.into())),
            in_order: uploaded_integers(&like, (0..labels.len()).map(|at| at as i32)),
            factors: uploaded_floats(&like, &factors),
            zero: uploaded_integers(&like, [0].into_iter()),
            shape,
            count: labels.len(),
        })
    }

    /// The number of images.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Batch number `step` of the images in their own order: normalised pixels, `[batch, channels, height, width]`.
    pub fn batch_in_order(&self, step: usize, batch: usize) -> Tensor<4> {
        let len = batch.min(self.count.saturating_sub(step * batch));
        self.gather(&self.in_order, &self.zero, step, batch, len).0
    }

    /// The batch of the epoch that comes next, of `len` images: pixels and labels.
    pub fn batch(&self, epoch: &Notes, len: usize) -> (Tensor<4>, Tensor<1, Int>) {
        self.gather(&epoch.order, &epoch.position, 0, epoch.batch, len)
    }

    fn gather(
        &self,
        order: &CubeTensor,
        position: &CubeTensor,
        step: usize,
        batch: usize,
        len: usize,
    ) -> (Tensor<4>, Tensor<1, Int>) {
        let [channels, height, width] = self.shape;
        let x = empty(&self.pixels, [len, channels, height, width], DType::F32);
        let y = empty(&self.pixels, [len], DType::I32);
        let (count, dim) = cubes(&x, len * channels * height * width);
        // SAFETY: the order has a place for each image of the epoch, and the position is below its number of steps.
        unsafe {
            kernels::gather::launch_unchecked(
                &x.client,
                count,
                dim,
                argument(&self.pixels),
                argument(&self.labels),
                argument(order),
                argument(position),
                argument(&self.factors),
                argument(&x),
                argument(&y),
                step as u32,
                batch,
                channels * height * width,
                height * width,
            );
        }
        (floats(x), integers(y))
    }
}

/// An epoch on a GPU: the order of its images, the step that comes next, and what is noted of each.
#[derive(Clone, Debug)]
pub struct Notes {
    pub(super) losses: CubeTensor,
    pub(super) position: CubeTensor,
    order: CubeTensor,
    rates: CubeTensor,
    batch: usize,
}

impl Notes {
    /// An epoch that visits images in this order and in batches of `batch`, from batch `position` on, with the four
    /// `rates` of each step that [`FlatAdam::rates`] makes.
    pub fn new(
        images: &DeviceImages,
        order: &[u32],
        batch: usize,
        position: usize,
        rates: &[[f32; 4]],
    ) -> Self {
        let like = &images.pixels;
        let steps = order.len().div_ceil(batch.max(1));
        Self {
            losses: empty(like, [2 * steps], DType::F32),
            position: uploaded_integers(like, [position as i32].into_iter()),
            order: uploaded_integers(like, order.iter().map(|&at| at as i32)),
            rates: uploaded_floats(like, rates.as_flattened()),
            batch,
        }
    }

    /// Loss and correct predictions of one step after another, `[2 × steps]`; unspecified of those still to come.
    pub fn losses(&self) -> Tensor<1> {
        floats(self.losses.clone())
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
pub struct FlatAdam {
    parameters: CubeTensor,
    moments: [CubeTensor; 2],
    starts: Vec<usize>,
    shapes: Vec<Vec<usize>>,
    betas: [f32; 2],
}

impl FlatAdam {
    /// `None` if the device is no GPU, or binds too few buffers.
    pub fn new(device: &Device, parameters: &[FlatParameter], betas: [f32; 2]) -> Option<Self> {
        let like = on_gpu(device)?;
        // Beside the gradients: parameters, two moments, rates, the position, and what burn adds.
        if parameters.len() + 8 > like.client.properties().hardware.max_bindings as usize {
            return None;
        }
        let mut starts = Vec::with_capacity(parameters.len());
        let mut len = 0;
        for parameter in parameters {
            starts.push(len);
            len += parameter.values.len().next_multiple_of(SLOT);
        }
        let array = |part: &dyn Fn(&FlatParameter) -> &[f32]| {
            let mut array = vec![0.0; len];
            for (start, parameter) in starts.iter().zip(parameters) {
                let values = part(parameter);
                array[*start..start + values.len()].copy_from_slice(values);
            }
            uploaded_floats(&like, &array)
        };
        Some(Self {
            parameters: array(&|parameter| &parameter.values),
            moments: [
                array(&|parameter| &parameter.moments[0]),
                array(&|parameter| &parameter.moments[1]),
            ],
            shapes: parameters.iter().map(|parameter| parameter.shape.clone()).collect(),
            starts,
            betas,
        })
    }

    /// A parameter, which steps change.
    pub fn parameter<const D: usize>(&self, index: usize) -> Tensor<D> {
        floats(self.part(&self.parameters, index))
    }

    fn part(&self, whole: &CubeTensor, index: usize) -> CubeTensor {
        let shape = Shape::from(self.shapes[index].clone());
        let first = self.starts[index] * size_of::<f32>();
        let after = whole.handle.size() - (first + shape.num_elements() * size_of::<f32>()) as u64;
        let handle = whole.handle.clone().offset_start(first as u64).offset_end(after);
        let (client, device) = (whole.client.clone(), whole.device.clone());
        CubeTensor::new_contiguous(client, device, shape, handle, DType::F32)
    }

    /// The numbers of a step for [`Notes::new`]: at this learning rate, after `time` steps with this one.
    pub fn rates(
        learning_rate: f64,
        time: usize,
        betas: [f32; 2],
        epsilon: f32,
        decay: crate::optimizer::WeightDecay,
    ) -> [f32; 4] {
        use crate::optimizer::WeightDecay;
        let power = i32::try_from(time).unwrap_or(i32::MAX);
        let [bias_1, bias_2] = betas.map(|beta| 1.0 - f64::from(beta).powi(power));
        let (kept, added) = match decay {
            WeightDecay::None => (1.0, 0.0),
            WeightDecay::Gradient(factor) => (1.0, factor),
            WeightDecay::Decoupled(factor) => {
                ((1.0 - learning_rate * f64::from(factor)) as f32, 0.0)
            }
        };
        let rate = learning_rate * bias_2.sqrt() / bias_1;
        [rate as f32, (f64::from(epsilon) * bias_2.sqrt()) as f32, kept, added]
    }

    /// A step, with a gradient for each parameter, in the same order. The loss of the step has been noted.
    pub fn step(&self, gradients: Vec<FlatGradient>, epoch: &Notes) {
        let mut arguments = SequenceArg::<Box<[f32]>>::new();
        for gradient in &gradients {
            arguments.push(argument(&gradient.0));
        }
        let (count, dim) = cubes(&self.parameters, self.parameters.meta.num_elements());
        // SAFETY: a gradient has the size of its parameter, and the position is of a step that has rates.
        unsafe {
            kernels::adam::launch_unchecked(
                &self.parameters.client,
                count,
                dim,
                arguments,
                argument(&self.parameters),
                argument(&self.moments[0]),
                argument(&self.moments[1]),
                argument(&epoch.rates),
                argument(&epoch.position),
                self.betas[0],
                self.betas[1],
                self.starts.clone(),
            );
        }
    }

    /// All parameters and both moments, each as one array.
    pub fn arrays(&self) -> [Tensor<1>; 3] {
        let [moment_1, moment_2] = self.moments.clone();
        [floats(self.parameters.clone()), floats(moment_1), floats(moment_2)]
    }

    /// The numbers of a parameter in one of the [`arrays`](Self::arrays) that was read.
    pub fn of_parameter<'a>(&self, index: usize, array: &'a [f32]) -> &'a [f32] {
        let start = self.starts[index];
        &array[start..start + self.shapes[index].iter().product::<usize>()]
    }
}

/// The gradient of a parameter.
#[derive(Clone, Debug)]
pub struct FlatGradient(CubeTensor);

impl FlatGradient {
    /// `None` if the tensor is on no GPU, or of another type than 32-bit floats.
    pub fn new<const D: usize>(gradient: Tensor<D>) -> Option<Self> {
        let gradient = inner(gradient.into_dispatch())?;
        let is_float = gradient.dtype == DType::F32;
        is_float.then(|| Self(burn_cubecl::kernel::into_contiguous(gradient)))
    }
}
