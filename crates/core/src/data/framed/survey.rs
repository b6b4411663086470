//! Surveys the sizes and colours of images, to choose the shape that they are brought to if the study does not set it.

use std::collections::BTreeMap;

use burgeon_pixels::{CHANNELS_MAX, Frame, GREY_BACKGROUND};
use rayon::prelude::*;

use super::listing::{Content, Listing};
use super::room::MemoryBudget;
use crate::data::DataError;
use crate::data::request::Framing;
use crate::spec::Size;
use crate::sys::signals::StopFlag;
use crate::sys::spread::run_in_pool;

/// The sizes and colours of a source's images.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Survey {
    /// Rows and columns of the images, unless the study sets others.
    pub size: Size,
    /// Whether some image of a sample is in colour.
    pub is_colour: bool,
}

/// Number of images that are checked for colour, spread over all.
const SAMPLE: usize = 256;

/// Longest side of images that keep their own size, if all have the same.
const OWN_SIDE_MAX: usize = 96;

/// Pixels a side if images differ in size, unless most of them are smaller.
const DEFAULT_SIDE: usize = 64;

impl Survey {
    /// Looks at the size of every image, and at the colours of some.
    pub fn of(listing: &Listing, room: &MemoryBudget, stop: &StopFlag) -> Result<Self, DataError> {
        let count = listing.entries.len();
        let is_stopped = || stop.requested().is_some();
        let (mut sizes, is_colour) = run_in_pool(|| {
            let sizes: Vec<(usize, usize)> = match &listing.content {
                Content::Files(_) => (0..count)
                    .into_par_iter()
                    .filter(|_| !is_stopped())
                    .filter_map(|index| listing.size(index).ok())
                    .collect(),
                Content::Arrays(_) => {
                    (0..count).filter_map(|index| listing.size(index).ok()).collect()
                }
            };
            let stride = count.div_ceil(SAMPLE).max(1);
            let is_colour = (0..count).into_par_iter().step_by(stride).any(|index| {
                !is_stopped()
                    && listing
                        .picture(index, None, room)
                        .is_ok_and(|(picture, _)| picture.is_colour())
            });
            (sizes, is_colour)
        });
        if is_stopped() {
            return Err(DataError::Stopped);
        }
        sizes.sort_unstable_by_key(|&(height, width)| (height * width, height));
        Ok(Self { size: common_size(&sizes), is_colour })
    }

    /// As numbers, for the cache.
    pub fn to_note(&self) -> BTreeMap<String, usize> {
        let Size { height, width } = self.size;
        let colour = usize::from(self.is_colour);
        [("height", height), ("width", width), ("colour", colour)]
            .map(|(name, value)| (name.to_owned(), value))
            .into()
    }

    /// From numbers in the cache.
    pub fn of_note(note: &BTreeMap<String, usize>) -> Option<Self> {
        let size = Size { height: *note.get("height")?, width: *note.get("width")? };
        Some(Self { size, is_colour: *note.get("colour")? != 0 })
    }

    /// The shape that the images are brought to; `framing` holds what the study sets.
    pub fn frame(&self, framing: &Framing) -> Frame {
        let Size { height, width } = framing.size.unwrap_or(self.size);
        let channels = framing.channels.unwrap_or(if self.is_colour { CHANNELS_MAX } else { 1 });
        let fit = framing.fit.unwrap_or_default().into();
        Frame { channels, height, width, fit, background: GREY_BACKGROUND }
    }
}

/// The size of the images if all have the same, small size; otherwise a square of at most [`DEFAULT_SIDE`]. `sizes` are
/// sorted by area.
fn common_size(sizes: &[(usize, usize)]) -> Size {
    let square = |side| Size { height: side, width: side };
    match sizes {
        [] => square(DEFAULT_SIDE),
        [(height, width), .., last] if (*height, *width) == *last => {
            if *height.max(width) <= OWN_SIDE_MAX {
                return Size { height: *height, width: *width };
            }
            square(DEFAULT_SIDE)
        }
        sizes => {
            let (height, width) = sizes[sizes.len() / 2];
            square(height.min(width).clamp(8, DEFAULT_SIDE))
        }
    }
}

#[cfg(test)]
mod tests;
