//! From picture files to the numbers that a network reads.
//!
//! ```text
//! picture ── complete                  decodes a file, unless a part of it is missing
//!    └── frame ── extent, layout       brings it to one size and number of channels
//! augment ── warp, colour              distorts a training image by random numbers that follow from a seed
//!    └── normalization                 bytes to numbers
//! ```
//!
//! It is a crate of its own because these loops are compiled for speed, and what calls them for size.

mod augment;
mod colour;
mod complete;
mod extent;
mod frame;
mod layout;
mod normalization;
mod picture;
mod warp;

pub use augment::{Augmentation, Augmenter, Elastic, Scratch};
pub use colour::ColourJitter;
pub use frame::{Fit, Frame, GREY_BACKGROUND};
pub use layout::{interleaved, planes};
pub use normalization::{CHANNELS_MAX, Normalization};
pub use picture::{
    PICTURE_SIDE_MAX, Picture, PictureError, is_known_format, read_bounded, to_bytes,
};
pub use warp::Border;
