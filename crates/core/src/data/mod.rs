//! From a data source to normalized batches: finds, verifies, splits, shuffles and augments images.
//!
//! ```text
//! load ── mnist ── folder ── idx        files, whose content is verified before it is used
//!   │       └── fetch                   downloads, when no folder has them
//!   ├──── synthetic                     built-in digits
//!   ├──── framed                        pictures, archives and tables, brought to one size
//!   └──── splits ── look                 refuses data that cannot be learned from, reports unusual data
//!            └── batch                   u8 in memory until a batch is made
//! ```
//!
//! How a picture is decoded, resized, distorted and normalized is in the crate `burgeon_pixels`.

mod augment;
pub(crate) mod batch;
mod cache;
pub(crate) mod detect;
mod error;
pub(crate) mod fetch;
pub(crate) mod folder;
mod folds;
pub(crate) mod framed;
mod http;
pub(crate) mod idx;
mod images;
pub(crate) mod load;
pub(crate) mod loaded;
pub(crate) mod look;
pub(crate) mod mnist;
pub(crate) mod more;
pub(crate) mod picture_file;
mod pixels;
pub(crate) mod progress;
pub(crate) mod request;
pub(crate) mod sheet;
pub(crate) mod splits;
mod store;
pub(crate) mod synthetic;

pub(crate) use crate::record::{DataFinding, Split};
pub use burgeon_pixels::Normalization;
pub use error::DataError;
pub(crate) use folds::Folds;
pub use images::{Images, Subset};
pub(crate) use load::load;
pub(crate) use loaded::{Loaded, Origin};
pub(crate) use look::DataReport;
pub(crate) use mnist::Places;
#[cfg(feature = "cli")]
pub(crate) use more::MoreImages;
pub(crate) use progress::Progress;
pub(crate) use request::{DataRequest, Download, Framing};
pub use splits::Dataset;
pub(crate) use splits::SPLIT_VERSION;
pub(crate) use store::Store;
