//! Reads and writes burn's record of an optimizer's state, with checks that burn does not make.
//!
//! burn's record is a burnpack file of tensors and scalars named `ID.FIELD`, where ID is the number of a
//! parameter of the [`Network`](super::Network). burn's reader panics on some invalid records and ignores
//! others, so that the optimizer would silently start without state.

use std::collections::{BTreeMap, BTreeSet};

use burn_pack::{Bytes, DType, Reader, Scalar, Tensor, Writer};

use super::arrays::expected_arrays;
use super::weights::{WeightArray, Weights, bytes_of, values_of};
use crate::spec::Spec;

/// An optimizer's state for the parameters of one spec's network.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct OptimizerRecord {
    /// For each kind of moment, an array for each parameter, with the parameter's name and shape.
    pub(super) moments: BTreeMap<MomentField, Weights>,
    /// Number of steps by parameter name; empty for SGD.
    pub(super) steps: BTreeMap<String, u64>,
    /// Names of the parameters that have a state.
    pub(super) parameters: BTreeSet<String>,
}

/// A kind of moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum MomentField {
    /// SGD's velocity.
    Velocity,
    /// The mean of gradients of Adam and AdamW.
    First,
    /// Their mean of squared gradients.
    Second,
}

/// Adam's state for a parameter.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct AdamMoments {
    /// Number of steps taken.
    pub steps: u64,
    /// The means of gradients and of squared gradients.
    pub moments: [Vec<f32>; 2],
}

/// A record that does not fit the network, or cannot be read or written.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum OptimizerRecordError {
    /// It is not a burnpack file.
    #[error("cannot be read as burnpack: {0}")]
    Unreadable(String),
    /// It cannot be written.
    #[error("cannot be written as burnpack: {0}")]
    Unwritable(String),
    /// An entry is of a parameter that the network does not have, or of an unknown field.
    #[error("`{entry}` belongs to no known parameter and field")]
    Unknown {
        /// Name of the entry.
        entry: String,
    },
    /// An entry is of the wrong type, shape or value.
    #[error("`{entry}` {found}; expected {expected}")]
    Wrong {
        /// Name of the entry.
        entry: String,
        /// What it is or has.
        found: String,
        /// What it should be or have.
        expected: String,
    },
    /// A parameter has only a part of its state.
    #[error("the state of `{parameter}` lacks its {missing}")]
    Incomplete {
        /// Name of the parameter.
        parameter: String,
        /// The part that is missing.
        missing: &'static str,
    },
}

/// burn's field for the number of steps of Adam and AdamW.
const STEPS: &str = "momentum.time";
/// burn's field for the number of axes of a parameter.
const RANK: &str = "__rank";

impl MomentField {
    const ALL: [Self; 3] = [Self::Velocity, Self::First, Self::Second];

    /// burn's name of the field.
    fn name(self) -> &'static str {
        match self {
            Self::Velocity => "momentum.velocity",
            Self::First => "momentum.moment_1",
            Self::Second => "momentum.moment_2",
        }
    }
}

impl OptimizerRecord {
    /// Parses burn's record of an optimizer for the spec's network.
    ///
    /// # Errors
    ///
    /// The first entry that is unknown, of another type than 32-bit floats, of another shape than its parameter's, or
    /// incomplete.
    pub fn read(bytes: &[u8], spec: &Spec) -> Result<Self, OptimizerRecordError> {
        let unreadable =
            |error: burn_pack::Error| OptimizerRecordError::Unreadable(error.to_string());
        let parameters = Parameters::of(spec);
        let mut record = Self::default();
        let reader =
            Reader::from_bytes(Bytes::from_bytes_vec(bytes.to_vec())).map_err(unreadable)?;
        for (entry, scalar) in reader.scalars() {
            record.add_scalar(entry, *scalar, &parameters)?;
        }
        for tensor in reader.into_tensors().map_err(unreadable)? {
            record.add_tensor(tensor, &parameters)?;
        }
        record.check_complete()?;
        Ok(record)
    }

    /// Adam's state for the parameter of that name, if there is one.
    pub(crate) fn adam_moments(&self, name: &str) -> Option<AdamMoments> {
        let of = |field| {
            let array = self.moments.get(&field).and_then(|moments| moments.get(name).ok());
            array.map(|array: &WeightArray| array.values.clone())
        };
        let moments = [of(MomentField::First)?, of(MomentField::Second)?];
        Some(AdamMoments { steps: *self.steps.get(name)?, moments })
    }

    /// The record of Adam's state for parameters of these names and shapes.
    pub(crate) fn of_adam(states: Vec<(String, Vec<usize>, AdamMoments)>) -> Self {
        let mut record = Self::default();
        for (name, shape, AdamMoments { steps, moments }) in states {
            for (field, values) in
                [MomentField::First, MomentField::Second].into_iter().zip(moments)
            {
                let array = WeightArray { shape: shape.clone(), values };
                record.moments.entry(field).or_default().insert(name.clone(), array);
            }
            record.steps.insert(name.clone(), steps);
            record.parameters.insert(name);
        }
        record
    }

    fn add_scalar(
        &mut self,
        entry: &str,
        scalar: Scalar,
        parameters: &Parameters,
    ) -> Result<(), OptimizerRecordError> {
        let unknown = || OptimizerRecordError::Unknown { entry: entry.into() };
        let (parameter, field) = parameters.of_entry(entry).ok_or_else(unknown)?;
        let wrong = |expected: String| OptimizerRecordError::Wrong {
            entry: entry.into(),
            found: format!("is {scalar:?}"),
            expected,
        };
        let number = u64::try_from(scalar);
        match field {
            RANK => {
                let rank = parameter.shape.len();
                if number != Ok(rank as u64) {
                    return Err(wrong(format!("{rank} axes")));
                }
            }
            STEPS => {
                let steps = number.map_err(|_| wrong("a number of steps".into()))?;
                self.steps.insert(parameter.name.clone(), steps);
            }
            _ => return Err(unknown()),
        }
        self.parameters.insert(parameter.name.clone());
        Ok(())
    }

    fn add_tensor(
        &mut self,
        tensor: Tensor,
        parameters: &Parameters,
    ) -> Result<(), OptimizerRecordError> {
        let entry = tensor.name.clone();
        let unknown = || OptimizerRecordError::Unknown { entry: entry.clone() };
        let (parameter, field) = parameters.of_entry(&entry).ok_or_else(unknown)?;
        let field = MomentField::ALL.into_iter().find(|known| known.name() == field);
        let field = field.ok_or_else(unknown)?;
        let wrong = |found: String, expected: String| OptimizerRecordError::Wrong {
            entry: entry.clone(),
            found,
            expected,
        };
        if tensor.dtype != DType::F32 {
            return Err(wrong(format!("has numbers of type {:?}", tensor.dtype), "F32".into()));
        }
        if tensor.param_id != Some(parameter.id) {
            return Err(wrong(
                format!("has the parameter number {:?}", tensor.param_id),
                parameter.id.to_string(),
            ));
        }
        let shape = tensor.shape.to_vec();
        if shape != parameter.shape {
            return Err(wrong(
                format!("has the shape {shape:?}"),
                format!("{:?}", parameter.shape),
            ));
        }
        let bytes = tensor
            .into_bytes()
            .map_err(|error| OptimizerRecordError::Unreadable(error.to_string()))?;
        let values = values_of(&bytes);
        if values.len() != shape.iter().product::<usize>() {
            return Err(wrong(
                format!("has {} numbers", values.len()),
                format!("as many as the shape {shape:?} has"),
            ));
        }
        self.parameters.insert(parameter.name.clone());
        let moments = self.moments.entry(field).or_default();
        moments.insert(parameter.name.clone(), WeightArray { shape, values });
        Ok(())
    }

    /// Checks that each parameter has all parts of Adam's state or none.
    fn check_complete(&self) -> Result<(), OptimizerRecordError> {
        let has = |field, name: &str| {
            self.moments.get(&field).is_some_and(|moments| moments.get(name).is_ok())
        };
        for name in &self.parameters {
            let parts = [
                (has(MomentField::First, name), "mean of gradients"),
                (has(MomentField::Second, name), "mean of squared gradients"),
                (self.steps.contains_key(name), "number of steps"),
            ];
            let missing = parts.iter().find(|(is_there, _)| !is_there);
            if let (Some(&(_, missing)), true) = (missing, parts.iter().any(|part| part.0)) {
                return Err(OptimizerRecordError::Incomplete { parameter: name.clone(), missing });
            }
        }
        Ok(())
    }

    /// The record as burn reads it for an optimizer of the spec's network.
    ///
    /// # Errors
    ///
    /// If a parameter is not in the spec's network, or burn cannot write the record.
    pub fn write(&self, spec: &Spec) -> Result<Vec<u8>, OptimizerRecordError> {
        let parameters = Parameters::of(spec);
        let find = |name: &str| {
            let found = parameters.0.iter().find(|parameter| parameter.name == name);
            found.ok_or_else(|| OptimizerRecordError::Unknown { entry: name.into() })
        };
        let mut tensors = Vec::new();
        for (field, moments) in &self.moments {
            for (name, array) in moments.iter() {
                let id = find(name)?.id;
                let bytes = Bytes::from_bytes_vec(bytes_of(&array.values).into_owned());
                let entry = format!("{id}.{}", field.name());
                tensors.push(Tensor::new(entry, DType::F32, array.shape.clone(), Some(id), bytes));
            }
        }
        let mut writer = Writer::new(tensors);
        for name in &self.parameters {
            let Parameter { id, shape, .. } = find(name)?;
            writer = writer.with_scalar(&format!("{id}.{RANK}"), Scalar::from(shape.len()));
            if let Some(steps) = self.steps.get(name) {
                writer = writer.with_scalar(&format!("{id}.{STEPS}"), Scalar::from(*steps));
            }
        }
        let bytes = writer.into_bytes();
        let bytes = bytes.map_err(|error| OptimizerRecordError::Unwritable(error.to_string()))?;
        Ok(bytes.to_vec())
    }
}

/// The trained arrays of a spec's network with their parameter numbers.
struct Parameters(Vec<Parameter>);

struct Parameter {
    id: u64,
    name: String,
    shape: Vec<usize>,
}

impl Parameters {
    fn of(spec: &Spec) -> Self {
        let arrays = expected_arrays(spec).into_iter();
        let trained = arrays.filter_map(|array| {
            let id = array.parameter?;
            Some(Parameter { id, name: array.name, shape: array.shape })
        });
        Self(trained.collect())
    }

    /// The parameter and the field of an entry.
    fn of_entry<'a>(&self, entry: &'a str) -> Option<(&Parameter, &'a str)> {
        let (id, field) = entry.split_once('.')?;
        let id: u64 = id.parse().ok()?;
        let parameter = self.0.iter().find(|parameter| parameter.id == id)?;
        Some((parameter, field))
    }
}

#[cfg(test)]
mod tests;
