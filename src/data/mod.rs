//! From a source of digits to normalised batches: found, verified, split, shuffled, distorted.

pub mod augment;
pub mod batch;

mod error;
pub mod idx;
pub mod images;
pub mod splits;

mod warp;

pub use error::DataError;
pub use images::{Images, Normalization, Subset};
pub use splits::{Dataset, Split};
