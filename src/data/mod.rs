//! From a source of digits to normalised batches: found, verified, split, shuffled, distorted.
//!
//! ```text
//! load ── mnist ── folder ── idx        files, judged by content before anything is believed
//!   │       └── fetch                   mirrors, when no folder has them
//!   ├──── synthetic                     built-in digits
//!   └──── splits ── look                 what cannot be learned from is refused, what is odd is told
//!            └── batch ── augment        u8 in memory until a batch is made
//! ```

pub mod augment;
pub mod batch;
pub(crate) mod center;
mod error;
pub mod fetch;
pub mod folder;
mod http;
pub mod idx;
pub mod image_file;
mod images;
pub(crate) mod ink;
mod load;
mod look;
pub mod mnist;
mod progress;
mod splits;
pub mod synthetic;
mod warp;

pub use crate::record::{DataFinding, Split, SplitCounts};
pub use crate::spec::{Fallback, Source};
pub use batch::{Batch, Batches, EpochKey, LastBatch};
pub use error::DataError;
pub use images::{Images, Normalization, Subset};
pub use load::{DataRequest, Download, Loaded, Origin, load};
pub use look::DataReport;
pub use mnist::Places;
pub use progress::Progress;
pub use splits::{Dataset, SPLIT_VERSION, SplitSizes, carve};
