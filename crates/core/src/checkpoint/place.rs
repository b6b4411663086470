//! The position in a trial at which a checkpoint was taken, from which its folder is named.

use std::fmt;
use std::str::FromStr;

/// The position in a trial at which a checkpoint was taken. Its text, the name of the checkpoint's folder, is
/// `e0003-s000412`, or `e0003-s000412-2` for a second checkpoint of the same step. Later places are greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// Finished epochs.
    pub epoch: u32,
    /// Finished steps of the epoch after those.
    pub step: u64,
    /// Number of the checkpoint among those of the same step, counted from 1.
    pub attempt: u32,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "e{:04}-s{:06}", self.epoch, self.step)?;
        if self.attempt > 1 {
            write!(f, "-{}", self.attempt)?;
        }
        Ok(())
    }
}

/// A name that is not that of a checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not the name of a checkpoint")]
pub struct NotAPlace;

impl FromStr for Place {
    type Err = NotAPlace;

    fn from_str(name: &str) -> Result<Self, NotAPlace> {
        let parsed = || {
            let (epoch, rest) = name.strip_prefix('e')?.split_once("-s")?;
            let (step, attempt) = rest.split_once('-').unwrap_or((rest, "1"));
            Some(Self {
                epoch: epoch.parse().ok()?,
                step: step.parse().ok()?,
                attempt: attempt.parse().ok()?,
            })
        };
        // Only the exact spelling, so that no two folders have the same place.
        parsed().filter(|place| place.to_string() == name).ok_or(NotAPlace)
    }
}

#[cfg(test)]
mod tests;
