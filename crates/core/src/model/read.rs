//! Reads numbers from a device. A failing device is an error, never a NaN or an empty result, which could
//! be mistaken for the network's output.

use burn::tensor::{Tensor, TensorData, Transaction};

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
    values_of(tensor.try_into_data().map_err(ReadError::new)?)
}

fn values_of(data: TensorData) -> Result<Vec<f32>, ReadError> {
    let data = data.convert::<f32>();
    data.try_into_vec().map_err(|error| ReadError::new(format!("{error:?}")))
}

/// All values of each tensor, for which the device is waited for once.
///
/// # Errors
///
/// When the device fails.
pub(crate) fn read_all<const D: usize>(
    tensors: Vec<Tensor<D>>,
) -> Result<Vec<Vec<f32>>, ReadError> {
    let transaction = tensors.into_iter().fold(Transaction::default(), Transaction::register);
    let read = transaction.try_execute().map_err(ReadError::new)?;
    read.into_iter().map(values_of).collect()
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
