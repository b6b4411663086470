//! Numbers that JSON cannot say.

use serde::{Deserialize, Deserializer};

/// JSON has no NaN and no infinity; serde writes both as `null`, which comes back as NaN.
pub fn nan_if_null<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or(f64::NAN))
}
