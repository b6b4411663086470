//! Reads numbers from a device. A failing device is an error, never a NaN or an empty result, which could
//! be mistaken for the network's output.

use burn::tensor::Tensor;

/// A device did not return what it computed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the device did not return a result: {reason}")]
pub struct ReadError {
    reason: String,
}

impl ReadError {
    fn new(error: impl std::fmt::Display) -> Self {
        Self { reason: error.to_string() }
    }
}

/// All values of a tensor, in row-major order.
///
/// # Errors
///
/// When the device fails.
pub(crate) fn read_values<const D: usize>(tensor: Tensor<D>) -> Result<Vec<f32>, ReadError> {
    let data = tensor.try_into_data().map_err(ReadError::new)?.convert::<f32>();
    data.try_into_vec().map_err(|error| ReadError::new(format!("{error:?}")))
}

/// The value of a tensor with a single value.
///
/// # Errors
///
/// When the device fails, or the tensor has another number of values.
pub(crate) fn read_scalar<const D: usize>(tensor: Tensor<D>) -> Result<f32, ReadError> {
    tensor.try_into_scalar::<f32>().map_err(ReadError::new)
}

#[cfg(test)]
mod tests;
