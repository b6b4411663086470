//! A `state_dict` in a safetensors file, by module, and the places in a network that its modules can take.

use std::collections::BTreeMap;

use safetensors::tensor::{Dtype, SafeTensors};

use super::report::Reason;
use crate::model::arrays::expected_shapes;
use crate::spec::Spec;

/// More than any network that a study may have has.
const ARRAYS_MAX: usize = 100_000;
/// Longer names are none that a program gave.
const NAME_BYTES_MAX: usize = 1024;

/// A file that cannot be imported.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImportError {
    /// The file is not safetensors.
    #[error(
        "the weights cannot be read as safetensors; in PyTorch, write them with `safetensors.torch.save_file(model.state_dict(), path)`"
    )]
    Unreadable(#[source] safetensors::SafeTensorError),
    /// There are too many arrays.
    #[error("the file has {found} arrays; at most {ARRAYS_MAX} are supported")]
    TooMany {
        /// How many it has.
        found: usize,
    },
    /// A name is too long.
    #[error("a name in the file has {found} bytes; at most {NAME_BYTES_MAX} are supported")]
    LongName {
        /// How many it has.
        found: usize,
    },
    /// An array has numbers of another type.
    #[error("`{name}` has numbers of type {dtype}; F32, F64, F16 and BF16 can be imported")]
    Type {
        /// Its name.
        name: String,
        /// The type of its numbers.
        dtype: String,
    },
    /// An array has NaNs or infinities.
    #[error(
        "`{name}` has numbers that are not finite as 32-bit floats, so nothing can be computed with it"
    )]
    NotFinite {
        /// Its name.
        name: String,
    },
    /// The variances of a batch-norm are negative.
    #[error("`{name}` has negative numbers, which no variances are")]
    NegativeVariance {
        /// Its name.
        name: String,
    },
}

/// The modules of a file.
pub(super) struct StateDict<'a> {
    pub(super) modules: Vec<Module<'a>>,
    /// Arrays that count batches.
    pub(super) ignored: Vec<Reason>,
    /// Arrays outside modules.
    pub(super) strange: Vec<Reason>,
}

/// A module with arrays of its own.
pub(super) struct Module<'a> {
    /// Its name, such as `layer1.0.conv1`.
    pub(super) name: String,
    /// What it is; `None` for what burgeon has no layer for.
    pub(super) kind: Option<Kind>,
    pub(super) fields: BTreeMap<String, RawArray<'a>>,
}

/// The modules that burgeon has layers for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Conv,
    Dense,
    Norm,
}

/// An array as it lies in the file.
pub(super) struct RawArray<'a> {
    pub(super) shape: Vec<usize>,
    dtype: Dtype,
    bytes: &'a [u8],
}

impl<'a> StateDict<'a> {
    /// Reads the header of a file; numbers are read when they are needed.
    pub(super) fn read(file: &'a [u8]) -> Result<Self, ImportError> {
        let (_, header) = SafeTensors::read_metadata(file).map_err(ImportError::Unreadable)?;
        let found = header.tensors().len();
        if found > ARRAYS_MAX {
            return Err(ImportError::TooMany { found });
        }
        let arrays = SafeTensors::deserialize(file).map_err(ImportError::Unreadable)?;
        let mut modules: BTreeMap<String, BTreeMap<String, RawArray>> = BTreeMap::new();
        let (mut ignored, mut strange) = (Vec::new(), Vec::new());
        for (name, view) in arrays.iter() {
            if name.len() > NAME_BYTES_MAX {
                return Err(ImportError::LongName { found: name.len() });
            }
            let shape = view.shape().to_vec();
            let reason =
                |why: &str| Reason { name: name.to_owned(), shape: shape.clone(), why: why.into() };
            match name.rsplit_once('.') {
                Some((_, "num_batches_tracked")) => {
                    ignored.push(reason(
                        "it counts batches, which only training without momentum needs",
                    ));
                }
                Some((module, field)) => {
                    let array =
                        RawArray { shape: shape.clone(), dtype: view.dtype(), bytes: view.data() };
                    modules.entry(module.into()).or_default().insert(field.into(), array);
                }
                None => strange.push(reason("it belongs to no module")),
            }
        }
        ignored.sort_by(|a, b| a.name.cmp(&b.name));
        strange.sort_by(|a, b| a.name.cmp(&b.name));
        let modules = modules.into_iter().map(|(name, fields)| {
            let kind = Kind::of(&fields);
            Module { name, kind, fields }
        });
        Ok(Self { modules: modules.collect(), ignored, strange })
    }
}

impl Kind {
    fn of(fields: &BTreeMap<String, RawArray>) -> Option<Self> {
        let axes = |field: &str| fields.get(field).map(|array| array.shape.len());
        match (axes("weight"), axes("running_mean"), axes("running_var")) {
            (_, Some(1), Some(1)) => Some(Self::Norm),
            (Some(4), None, None) => Some(Self::Conv),
            (Some(2), None, None) => Some(Self::Dense),
            _ => None,
        }
    }

    pub(super) fn words(self) -> &'static str {
        match self {
            Self::Conv => "convolution",
            Self::Dense => "dense layer",
            Self::Norm => "batch-norm",
        }
    }
}

impl Module<'_> {
    pub(super) fn full_name(&self, field: &str) -> String {
        format!("{}.{field}", self.name)
    }
}

impl RawArray<'_> {
    /// Its numbers; those of other types become the nearest 32-bit ones.
    pub(super) fn values(&self, name: &str) -> Result<Vec<f32>, ImportError> {
        fn each<const N: usize>(bytes: &[u8], read: impl Fn([u8; N]) -> f32) -> Vec<f32> {
            bytes.as_chunks().0.iter().map(|bytes| read(*bytes)).collect()
        }
        let values = match self.dtype {
            Dtype::F32 => each(self.bytes, f32::from_le_bytes),
            Dtype::F64 => each(self.bytes, |bytes| f64::from_le_bytes(bytes) as f32),
            Dtype::BF16 => {
                each(self.bytes, |bytes| f32::from_bits(u32::from(u16::from_le_bytes(bytes)) << 16))
            }
            Dtype::F16 => each(self.bytes, |bytes| from_half(u16::from_le_bytes(bytes))),
            other => {
                return Err(ImportError::Type { name: name.into(), dtype: format!("{other:?}") });
            }
        };
        if !values.iter().all(|value: &f32| value.is_finite()) {
            return Err(ImportError::NotFinite { name: name.into() });
        }
        if name.ends_with(".running_var") && values.iter().any(|value| *value < 0.0) {
            return Err(ImportError::NegativeVariance { name: name.into() });
        }
        Ok(values)
    }
}

/// A 16-bit number of IEEE 754: one bit of sign, five of exponent, ten of fraction.
fn from_half(bits: u16) -> f32 {
    let sign = if bits >> 15 == 0 { 1.0 } else { -1.0 };
    let (exponent, fraction) = (i32::from(bits >> 10 & 31), f32::from(bits & 1023));
    let size = match exponent {
        0 => fraction * 2.0_f32.powi(-24),
        31 if fraction == 0.0 => f32::INFINITY,
        31 => f32::NAN,
        _ => (1024.0 + fraction) * 2.0_f32.powi(exponent - 25),
    };
    sign * size
}

/// A place in a network for one module of PyTorch.
pub(super) struct Slot {
    /// Start of the names of its arrays in the network.
    pub(super) prefix: String,
    pub(super) kind: Kind,
    /// Its arrays in the network: field and shape.
    pub(super) fields: Vec<(String, Vec<usize>)>,
}

/// The places of a network, in order.
pub(super) fn slots(spec: &Spec) -> Vec<Slot> {
    let mut slots: Vec<Slot> = Vec::new();
    for (name, shape) in expected_shapes(spec) {
        let Some((prefix, field)) = name.rsplit_once('.') else { continue };
        let kind = match (field, shape.len()) {
            ("weight", 4) => Kind::Conv,
            ("weight", _) => Kind::Dense,
            ("gamma", _) => Kind::Norm,
            // The other fields follow the first one of their module.
            _ => {
                if let Some(slot) = slots.last_mut() {
                    slot.fields.push((field.into(), shape));
                }
                continue;
            }
        };
        slots.push(Slot { prefix: prefix.into(), kind, fields: vec![(field.into(), shape)] });
    }
    slots
}

impl Slot {
    /// PyTorch's name of a field.
    pub(super) fn torch_field(&self, field: &str) -> &'static str {
        match field {
            "weight" | "gamma" => "weight",
            "running-mean" => "running_mean",
            "running-variance" => "running_var",
            _ => "bias",
        }
    }

    /// The network's name of PyTorch's `weight`.
    pub(super) fn own_field(&self, field: &'static str) -> &'static str {
        if self.kind == Kind::Norm { "gamma" } else { field }
    }

    /// Shape of a field in PyTorch, whose dense layers are `[out, in]`.
    pub(super) fn torch_shape(&self, field: &str, shape: &[usize]) -> Vec<usize> {
        let mut shape = shape.to_vec();
        if self.kind == Kind::Dense && field == "weight" {
            shape.reverse();
        }
        shape
    }

    /// Whether a module is of this kind and shape. What it may lack is what has a value that is implied.
    pub(super) fn takes(&self, module: &Module) -> bool {
        let fits = |(field, shape): &(String, Vec<usize>)| {
            let theirs = module.fields.get(self.torch_field(field));
            theirs.is_none_or(|array| array.shape == self.torch_shape(field, shape))
        };
        module.kind == Some(self.kind) && self.fields.iter().all(fits)
    }
}
