//! Where in a trial a checkpoint was taken, which is also what its folder is called.

use std::fmt;
use std::str::FromStr;

/// Written `e0003-s000412`; a second checkpoint of the same step is `e0003-s000412-2`. Later
/// places are greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// Number of the epoch.
    pub epoch: u32,
    /// Steps done.
    pub step: u64,
    /// Counted from 1.
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

/// A folder that is no checkpoint's.
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
        // Spelled in one way only, so that no two folders are the same place.
        parsed().filter(|place| place.to_string() == name).ok_or(NotAPlace)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_reads_back_as_written() {
        for (place, name) in [
            (Place { epoch: 3, step: 412, attempt: 1 }, "e0003-s000412"),
            (Place { epoch: 3, step: 412, attempt: 2 }, "e0003-s000412-2"),
            (Place { epoch: 12_345, step: 12_345_678, attempt: 1 }, "e12345-s12345678"),
        ] {
            assert_eq!(place.to_string(), name);
            assert_eq!(name.parse(), Ok(place));
        }
    }

    #[test]
    fn other_names_are_no_places() {
        for name in ["", "e1-s1", "e0001-s000001-1", "e0001-s000001-x", ".tmp-e0001-s000001"] {
            assert_eq!(name.parse::<Place>(), Err(NotAPlace), "{name}");
        }
    }

    #[test]
    fn later_places_are_greater() {
        let places = ["e0001-s000009", "e0002-s000001", "e0002-s000001-2", "e0002-s000002"];
        let read: Vec<Place> = places.iter().map(|name| name.parse().unwrap()).collect();
        assert!(read.is_sorted());
    }
}
