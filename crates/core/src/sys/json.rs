//! Numbers that JSON cannot represent.

use serde::{Deserialize, Deserializer};

/// Deserializes `null` as NaN: JSON has no NaN and no infinity, and serde writes both as `null`.
pub fn nan_if_null<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or(f64::NAN))
}
