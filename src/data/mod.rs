//! From a data source to normalized batches: finds, verifies, splits, shuffles and augments images.
//!
//! ```text
//! load ── mnist ── folder ── idx        files, whose content is verified before it is used
//!   │       └── fetch                   downloads, when no folder has them
//!   ├──── synthetic                     built-in digits
//!   ├──── framed ── frame               pictures, archives and tables, brought to one size
//!   └──── splits ── look                 refuses data that cannot be learned from, reports unusual data
//!            └── batch ── augment        u8 in memory until a batch is made
//! ```

pub(crate) mod augment;
pub(crate) mod batch;
mod cache;
pub(crate) mod colour;
mod complete;
pub(crate) mod detect;
mod error;
mod extent;
pub(crate) mod fetch;
pub(crate) mod folder;
mod folds;
pub(crate) mod frame;
pub(crate) mod framed;
mod http;
pub(crate) mod idx;
pub(crate) mod image_file;
mod images;
pub(crate) mod layout;
pub(crate) mod load;
pub(crate) mod loaded;
pub(crate) mod look;
pub(crate) mod mnist;
pub(crate) mod more;
mod pixels;
pub(crate) mod progress;
pub(crate) mod request;
pub(crate) mod sheet;
pub(crate) mod splits;
mod store;
pub(crate) mod synthetic;
pub(crate) mod warp;

pub(crate) use crate::record::{DataFinding, Split};
pub use error::DataError;
pub(crate) use folds::Folds;
pub(crate) use images::CHANNELS_MAX;
pub use images::{Images, Normalization, Subset};
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
