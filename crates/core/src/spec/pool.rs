//! Settings of max-pool and avg-pool layers.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Deserializer, Error, Visitor};
use serde::{Deserialize, Serialize, Serializer};

/// Settings of a pooling layer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Pool {
    /// Side of the square window in pixels.
    #[serde(default = "two")]
    #[schemars(range(min = 1, max = 1024))]
    pub size: usize,
    /// Pixels between neighbouring windows. Default: the window's size.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1024))]
    pub stride: Option<usize>,
    /// How far windows extend beyond the image: a number of pixels on every side, at most half a
    /// window, or "same". Default: 0. A max-pool ignores the pixels outside the image; an avg-pool
    /// counts them as zeros.
    #[serde(default, skip_serializing_if = "PoolPadding::is_none")]
    pub padding: PoolPadding,
}

impl Pool {
    /// Non-overlapping windows of `size`×`size`.
    pub fn of(size: usize) -> Self {
        Self { size, stride: None, padding: PoolPadding::default() }
    }

    /// The same pool with windows that extend this many pixels beyond every side.
    #[must_use]
    pub fn padded(self, pixels: usize) -> Self {
        Self { padding: PoolPadding::Pixels(pixels), ..self }
    }

    /// Pixels between neighbouring windows.
    pub fn stride(&self) -> usize {
        self.stride.unwrap_or(self.size)
    }

    /// Padding in pixels before and after an axis of `length` pixels.
    pub fn pads(&self, length: usize) -> [usize; 2] {
        match self.padding {
            PoolPadding::Pixels(pixels) => [pixels; 2],
            PoolPadding::Same => same_pads(length, self.size, self.stride()),
        }
    }
}

/// How far the windows of a pool extend beyond its input; in a study file a whole number or "same".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PoolPadding {
    /// This many pixels on every side.
    Pixels(usize),
    /// As many as give an output of ⌈input / stride⌉ pixels a side; where their number is odd, the
    /// extra one goes right and below, as in Keras.
    Same,
}

impl Default for PoolPadding {
    fn default() -> Self {
        Self::Pixels(0)
    }
}

impl PoolPadding {
    fn is_none(&self) -> bool {
        *self == Self::Pixels(0)
    }
}

impl Serialize for PoolPadding {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Pixels(pixels) => pixels.serialize(serializer),
            Self::Same => "same".serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for PoolPadding {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NumberOrName)
    }
}

struct NumberOrName;

impl Visitor<'_> for NumberOrName {
    type Value = PoolPadding;

    fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str("a whole number of pixels, or \"same\"")
    }

    fn visit_u64<E: Error>(self, pixels: u64) -> Result<PoolPadding, E> {
        // A number too large for usize is far out of range as well, which validation reports.
        Ok(PoolPadding::Pixels(usize::try_from(pixels).unwrap_or(usize::MAX)))
    }

    fn visit_i64<E: Error>(self, pixels: i64) -> Result<PoolPadding, E> {
        match u64::try_from(pixels) {
            Ok(pixels) => self.visit_u64(pixels),
            Err(_) => Err(E::invalid_value(serde::de::Unexpected::Signed(pixels), &self)),
        }
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<PoolPadding, E> {
        match name {
            "same" => Ok(PoolPadding::Same),
            other => Err(E::invalid_value(serde::de::Unexpected::Str(other), &self)),
        }
    }
}

impl JsonSchema for PoolPadding {
    fn schema_name() -> Cow<'static, str> {
        "PoolPadding".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "Pixels on every side, or \"same\" for an output of ⌈input / stride⌉ pixels a side.",
            "anyOf": [{ "type": "integer", "minimum": 0, "maximum": 512 }, { "const": "same" }],
        })
    }
}

/// Pixels to add before and after an axis of `length` pixels for ⌈length / stride⌉ windows.
pub(super) fn same_pads(length: usize, size: usize, stride: usize) -> [usize; 2] {
    let output = length.div_ceil(stride);
    let total = ((output.max(1) - 1) * stride + size).saturating_sub(length);
    [total / 2, total - total / 2]
}

fn two() -> usize {
    2
}
