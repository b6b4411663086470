//! The loss on the CPU backend's tensors.

use burn::backend::TensorMetadata;
use burn::backend::flex::FlexTensor;
use burn::tensor::{DType, Shape};

use super::{Keep, contiguous, tensor, values};
use crate::backend::Buffer;
use crate::executor::Executor;
use crate::loss::CrossEntropy;

/// The loss, the number of correct predictions, and the gradient of the logits if kept.
pub fn softmax_cross_entropy(
    logits: FlexTensor,
    labels: FlexTensor,
    smoothing: f32,
    keep: Keep,
) -> (FlexTensor, FlexTensor, Option<FlexTensor>) {
    let logits = contiguous(logits);
    let shape = logits.shape();
    let [batch, classes] = shape.dims();
    let labels = class_numbers(labels);
    let mut gradient = (keep == Keep::ForBackward).then(|| Buffer::take(batch * classes));
    let found = CrossEntropy { batch, classes, smoothing }.forward(
        &Executor::current(),
        values(&logits),
        &labels,
        gradient.as_deref_mut(),
    );
    let number = |value| {
        let mut buffer = Buffer::take(1);
        buffer[0] = value;
        tensor(buffer, Shape::new([1]))
    };
    (
        number(found.loss),
        number(found.correct as f32),
        gradient.map(|gradient| tensor(gradient, shape)),
    )
}

/// A label that cannot be a class index becomes `u32::MAX`, which every loss rejects.
fn class_numbers(labels: FlexTensor) -> Vec<u32> {
    let labels = contiguous(labels);
    let (start, end) = (
        labels.layout().start_offset(),
        labels.layout().start_offset() + labels.layout().num_elements(),
    );
    match labels.dtype() {
        DType::I64 => numbers(&labels.storage::<i64>()[start..end]),
        DType::I32 => numbers(&labels.storage::<i32>()[start..end]),
        DType::I16 => numbers(&labels.storage::<i16>()[start..end]),
        DType::I8 => numbers(&labels.storage::<i8>()[start..end]),
        DType::U64 => numbers(&labels.storage::<u64>()[start..end]),
        DType::U32 => numbers(&labels.storage::<u32>()[start..end]),
        DType::U16 => numbers(&labels.storage::<u16>()[start..end]),
        DType::U8 => numbers(&labels.storage::<u8>()[start..end]),
        other => panic!("labels are integers, not {other:?}"),
    }
}

fn numbers<T: Copy + TryInto<u32>>(labels: &[T]) -> Vec<u32> {
    labels.iter().map(|label| (*label).try_into().unwrap_or(u32::MAX)).collect()
}

/// `gradient` times the one number of `factor`; most often that is one, and nothing is done.
pub fn scaled(mut gradient: FlexTensor, factor: &FlexTensor) -> FlexTensor {
    let factor = values(&factor.to_contiguous())[0];
    if factor != 1.0 {
        gradient.storage_mut::<f32>().iter_mut().for_each(|value| *value *= factor);
    }
    gradient
}
