//! Weights as plain arrays by name, which are saved, compared, grafted and exported.

// In a circle with network: a network takes and returns weights.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use sha2::{Digest, Sha256};

use super::arrays::expected_shapes;
use crate::spec::Spec;

/// All arrays of a network, by name, in a fixed order.
///
/// | layer | arrays |
/// | --- | --- |
/// | conv at index `i` | `layers.i.weight` `[filters, channels, kernel, kernel]`, `layers.i.bias` `[filters]` |
/// | dense at index `i` | `layers.i.weight` `[inputs, units]`, `layers.i.bias` `[units]` |
/// | batch-norm at index `i` | `layers.i.gamma`, `layers.i.beta`, `layers.i.running-mean`, `layers.i.running-variance`, each `[channels]` |
/// | layer `j` of the residual block at index `i` | `layers.i.residual.j.weight` and so on |
/// | projection of the residual block at index `i` | `layers.i.projection.weight`, `layers.i.projection.bias`, and the arrays of its batch-norm, if it has one |
/// | classifier head | `head.weight` `[inputs, classes]`, `head.bias` `[classes]` |
///
/// For a grouped convolution, `channels` is the number of channels of one group.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Weights {
    arrays: BTreeMap<String, WeightArray>,
}

/// An array of numbers.
#[derive(Debug, Clone, PartialEq)]
pub struct WeightArray {
    /// Length of every axis.
    pub shape: Vec<usize>,
    /// The numbers in row-major order.
    pub values: Vec<f32>,
}

/// Weights that do not fit the study, or cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum WeightsError {
    /// The file is not safetensors.
    #[error("the weights cannot be read as safetensors")]
    Unreadable(#[source] safetensors::SafeTensorError),
    /// The arrays cannot be written as safetensors.
    #[error("the weights cannot be written as safetensors")]
    Unwritable(#[source] safetensors::SafeTensorError),
    /// An array is not 32-bit floating point.
    #[error("`{name}` has numbers of type {dtype}; expected F32")]
    NotF32 {
        /// Name of the array.
        name: String,
        /// The type of its numbers.
        dtype: String,
    },
    /// The network has an array that the weights lack.
    #[error("the weights lack `{name}`, which the study's network has")]
    Missing {
        /// Name of the array.
        name: String,
    },
    /// An array has another shape than the network's.
    #[error("`{name}` has the shape {found:?}, but in the study's network it has {expected:?}")]
    Shape {
        /// Name of the array.
        name: String,
        /// Its shape in the weights.
        found: Vec<usize>,
        /// Its shape in the network.
        expected: Vec<usize>,
    },
    /// An array has another number of values than its shape.
    #[error("`{name}` of shape {shape:?} has {found} numbers instead of {}", shape.iter().product::<usize>())]
    Length {
        /// Name of the array.
        name: String,
        /// Its shape.
        shape: Vec<usize>,
        /// Its number of values.
        found: usize,
    },
    /// An array has NaNs or infinities.
    #[error("`{name}` has numbers that are not finite")]
    NotFinite {
        /// Name of the array.
        name: String,
    },
    /// The variances of a batch-norm are negative.
    #[error("`{name}` has negative numbers, which no variances are")]
    NegativeVariance {
        /// Name of the array.
        name: String,
    },
    /// The weights have an array that the network lacks.
    #[error("the weights have `{name}`, which the study's network does not have")]
    Unexpected {
        /// Name of the array.
        name: String,
    },
    /// The device failed.
    #[error("the weights cannot be read from the device")]
    Read(#[from] super::ReadError),
}

impl WeightArray {
    /// An array filled with one value.
    pub fn filled(shape: Vec<usize>, value: f32) -> Self {
        let len = shape.iter().product();
        Self { shape, values: vec![value; len] }
    }
}

impl Weights {
    /// The array of that name.
    ///
    /// # Errors
    ///
    /// [`WeightsError::Missing`].
    pub fn get(&self, name: &str) -> Result<&WeightArray, WeightsError> {
        self.arrays.get(name).ok_or_else(|| WeightsError::Missing { name: name.into() })
    }

    /// Adds or replaces an array.
    pub fn insert(&mut self, name: impl Into<String>, array: WeightArray) {
        self.arrays.insert(name.into(), array);
    }

    /// Every array with its name, in the order of names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &WeightArray)> {
        self.arrays.iter().map(|(name, array)| (name.as_str(), array))
    }

    /// Every array with its name, mutably.
    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = (&str, &mut WeightArray)> {
        self.arrays.iter_mut().map(|(name, array)| (name.as_str(), array))
    }

    #[cfg(test)]
    pub(super) fn arrays_mut(&mut self) -> &mut BTreeMap<String, WeightArray> {
        &mut self.arrays
    }

    /// Checks that these are exactly the arrays that the spec's network has.
    ///
    /// # Errors
    ///
    /// The first array that is missing, has another shape, has another number of values than its shape, or
    /// is not in the network.
    pub fn check(&self, spec: &Spec) -> Result<(), WeightsError> {
        let mut expected_names = BTreeSet::new();
        for (name, expected) in expected_shapes(spec) {
            let WeightArray { shape, values } = self.get(&name)?;
            if *shape != expected {
                return Err(WeightsError::Shape { name, found: shape.clone(), expected });
            }
            if values.len() != shape.iter().product::<usize>() {
                let (shape, found) = (shape.clone(), values.len());
                return Err(WeightsError::Length { name, shape, found });
            }
            expected_names.insert(name);
        }
        match self.arrays.keys().find(|name| !expected_names.contains(*name)) {
            Some(name) => Err(WeightsError::Unexpected { name: name.clone() }),
            None => Ok(()),
        }
    }

    /// The name of the first array that contains a NaN or an infinity.
    pub fn first_non_finite(&self) -> Option<&str> {
        self.iter()
            .find(|(_, array)| array.values.iter().any(|value| !value.is_finite()))
            .map(|(name, _)| name)
    }

    /// Checks that the numbers are some that a network can be computed with, as those from a file may not be.
    pub(crate) fn check_numbers(&self) -> Result<(), WeightsError> {
        if let Some(name) = self.first_non_finite() {
            return Err(WeightsError::NotFinite { name: name.into() });
        }
        let is_negative = |(name, array): &(&str, &WeightArray)| {
            name.ends_with(".running-variance") && array.values.iter().any(|value| *value < 0.0)
        };
        match self.iter().find(is_negative) {
            Some((name, _)) => Err(WeightsError::NegativeVariance { name: name.into() }),
            None => Ok(()),
        }
    }

    /// SHA-256, in hex, of names, shapes and bits.
    pub fn hash(&self) -> String {
        let mut hash = Sha256::new();
        for (name, array) in self.iter() {
            hash.update(format!("{name} {:?}\n", array.shape));
            hash.update(bytes_of(&array.values));
        }
        hex::encode(hash.finalize())
    }

    /// The weights as a safetensors file, with `note` as its metadata `burgeon`.
    ///
    /// # Errors
    ///
    /// [`WeightsError::Unwritable`] if an array's values do not match its shape.
    pub fn to_safetensors(&self, note: Option<&str>) -> Result<Vec<u8>, WeightsError> {
        let bytes: Vec<(&str, Cow<[u8]>, &WeightArray)> =
            self.iter().map(|(name, array)| (name, bytes_of(&array.values), array)).collect();
        let mut views = Vec::with_capacity(bytes.len());
        for (name, bytes, array) in &bytes {
            let view = TensorView::new(Dtype::F32, array.shape.clone(), bytes);
            views.push((*name, view.map_err(WeightsError::Unwritable)?));
        }
        // Only one key, because safetensors writes several in random order.
        let header = note.map(|note| [(METADATA_KEY.to_owned(), note.to_owned())].into());
        safetensors::serialize(views, header).map_err(WeightsError::Unwritable)
    }

    /// The weights as a burnpack record of the spec's [`Network`](super::Network), which a program that
    /// uses burn can load with `Network::load_file`.
    ///
    /// # Errors
    ///
    /// burn's error as text.
    pub fn to_burnpack(&self, spec: &Spec) -> Result<Vec<u8>, String> {
        use burn::module::Module;
        let network = super::Network::new(spec, self, &burn::tensor::Device::flex());
        let network = network.map_err(|error| error.to_string())?;
        let bytes = network.into_record().into_bytes().map_err(|error| error.to_string())?;
        Ok(bytes.to_vec())
    }

    /// Parses the output of [`to_safetensors`](Self::to_safetensors).
    ///
    /// # Errors
    ///
    /// If it is not safetensors, or has numbers other than 32-bit floats.
    pub fn from_safetensors(bytes: &[u8]) -> Result<Self, WeightsError> {
        let file = SafeTensors::deserialize(bytes).map_err(WeightsError::Unreadable)?;
        let mut weights = Self::default();
        for (name, view) in file.tensors() {
            if view.dtype() != Dtype::F32 {
                return Err(WeightsError::NotF32 { name, dtype: format!("{:?}", view.dtype()) });
            }
            let values = values_of(view.data());
            let array = WeightArray { shape: view.shape().to_vec(), values };
            weights.insert(name, array);
        }
        Ok(weights)
    }
}

/// The key of burgeon's entry in the metadata of a safetensors file.
pub(super) const METADATA_KEY: &str = "burgeon";

/// Little-endian bytes, without a copy on little-endian machines.
pub(crate) fn bytes_of(values: &[f32]) -> Cow<'_, [u8]> {
    if cfg!(target_endian = "little") {
        Cow::Borrowed(bytemuck::cast_slice(values))
    } else {
        Cow::Owned(values.iter().flat_map(|value| value.to_le_bytes()).collect())
    }
}

/// Numbers from little-endian bytes; an incomplete last number is dropped.
pub(crate) fn values_of(bytes: &[u8]) -> Vec<f32> {
    let (numbers, _) = bytes.as_chunks();
    numbers.iter().map(|number| f32::from_le_bytes(*number)).collect()
}

#[cfg(test)]
mod tests;
