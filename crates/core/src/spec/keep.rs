//! `[tune] keep`: which trials' checkpoints stay on disk.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Deserialize, Deserializer, Error, Visitor};
use serde::ser::{Serialize, Serializer};

/// Which trials' checkpoints stay on disk while a study runs; in a study file `"needed"`,
/// `"all"`, or a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Keep {
    /// Those that may still be used: the best trial's, those in training, and those that the policy
    /// may grow from or train further.
    #[default]
    Needed,
    /// All of them.
    All,
    /// Those that may still be used, and this many of the newest others.
    Newest(u32),
}

impl Keep {
    /// Whether it is the default.
    pub(super) fn is_needed(&self) -> bool {
        *self == Self::Needed
    }
}

impl Serialize for Keep {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Needed => serializer.serialize_str("needed"),
            Self::All => serializer.serialize_str("all"),
            Self::Newest(trials) => serializer.serialize_u32(*trials),
        }
    }
}

impl<'de> Deserialize<'de> for Keep {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(KeepVisitor)
    }
}

struct KeepVisitor;

impl Visitor<'_> for KeepVisitor {
    type Value = Keep;

    fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str("\"needed\", \"all\", or a number of trials")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<Keep, E> {
        match name {
            "needed" => Ok(Keep::Needed),
            "all" => Ok(Keep::All),
            other => Err(E::invalid_value(serde::de::Unexpected::Str(other), &self)),
        }
    }

    fn visit_u64<E: Error>(self, trials: u64) -> Result<Keep, E> {
        let invalid = || E::invalid_value(serde::de::Unexpected::Unsigned(trials), &self);
        u32::try_from(trials).map(Keep::Newest).map_err(|_| invalid())
    }

    fn visit_i64<E: Error>(self, trials: i64) -> Result<Keep, E> {
        let invalid = || E::invalid_value(serde::de::Unexpected::Signed(trials), &self);
        u32::try_from(trials).map(Keep::Newest).map_err(|_| invalid())
    }
}

impl JsonSchema for Keep {
    fn schema_name() -> Cow<'static, str> {
        "Keep".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "Which trials' checkpoints stay on disk: \"needed\" for those that may still be used, \"all\", or a number of the newest others to keep besides those needed.",
            "anyOf": [
                { "enum": ["needed", "all"] },
                { "type": "integer", "minimum": 0, "maximum": 4_294_967_295_u64 }
            ]
        })
    }
}

#[cfg(test)]
mod tests;
