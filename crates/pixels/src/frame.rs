//! Resizes and converts pictures of any size and colour to the shape that a network takes.

use std::borrow::Cow;
use std::cell::RefCell;

use fast_image_resize::images::{Image, ImageRef};
use fast_image_resize::{FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer};

use crate::Picture;
use crate::extent::Extent;
use crate::layout::planes;

/// How a picture of another shape is brought to a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fit {
    /// Scaled to cover the frame, keeping its proportions; what extends beyond is cut off.
    Crop,
    /// Scaled to fit inside the frame, keeping its proportions; the rest is background.
    Pad,
    /// Height and width scaled independently.
    Stretch,
}

/// The shape that pictures are brought to, and how.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Frame {
    /// 1 for grey, 3 for colour.
    pub channels: usize,
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
    /// How a picture of another shape is brought to this one.
    pub fit: Fit,
    /// Brightness, 0 to 1, behind transparent parts and in the padding around a picture.
    pub background: f32,
}

/// The background of transparent parts and padding: grey, so that neither black nor white ink vanishes on it.
pub const GREY_BACKGROUND: f32 = 0.5;

/// What a thread keeps of the largest picture for the next one.
const KEPT_BYTES_MAX: usize = 16 << 20;

/// Bytes `[height, width, channels]`.
struct Interleaved<'a> {
    bytes: Cow<'a, [u8]>,
    height: usize,
    width: usize,
    /// The part of it that is used.
    extent: Extent,
}

thread_local! {
    /// Its buffers are reused from picture to picture, as is that for the pixels of one.
    static RESIZER: RefCell<(Resizer, Vec<u8>)> = RefCell::default();
}

impl Frame {
    /// `[channels, height, width]` of the result.
    pub fn shape(&self) -> [usize; 3] {
        [self.channels, self.height, self.width]
    }

    /// The smallest size, rows and columns, at which a picture may be decoded.
    pub fn decode_size(&self) -> [usize; 2] {
        [self.height, self.width]
    }

    /// The picture in this shape, `[channels, height, width]`; with `invert`, light and dark are exchanged first. A
    /// picture that has the frame's size is copied pixel for pixel; others are resampled with a bilinear filter that
    /// covers all old pixels within each new one.
    pub fn take(&self, picture: &Picture, invert: bool) -> Vec<u8> {
        let mut bytes = picture.interleaved(self.channels, self.background);
        if invert {
            bytes.to_mut().iter_mut().for_each(|byte| *byte = 255 - *byte);
        }
        let (height, width) = picture.size();
        let source = Interleaved { bytes, height, width, extent: picture.extent() };
        if (height, width) == (self.height, self.width) {
            return planes(&source.bytes, self.channels);
        }
        let background = (self.background * 255.0).round() as u8;
        let background = if invert { 255 - background } else { background };
        planes(&self.resized(source, background), self.channels)
    }

    fn resized(&self, source: Interleaved<'_>, background: u8) -> Vec<u8> {
        let Extent { top, left, height, width } = source.extent;
        let (old, new) = ([height, width], [self.height, self.width].map(|side| side as f64));
        // The fourth channel is none of transparency.
        let options = ResizeOptions::new()
            .resize_alg(ResizeAlg::Convolution(FilterType::Bilinear))
            .use_alpha(false);
        let pixels = [source.height, source.width].map(|side| side as f64);
        let crop = |top: f64, left: f64, [rows, columns]: [f64; 2]| {
            let (rows, columns) = (within(top, rows, pixels[0]), within(left, columns, pixels[1]));
            options.crop(left, top, columns, rows)
        };
        let all = crop(top, left, [height, width]);
        match self.fit {
            Fit::Stretch => self.resample(source, [self.height, self.width], &all),
            Fit::Crop => {
                // The largest part of the picture that has the frame's proportions, in the middle.
                let scale = (old[0] / new[0]).min(old[1] / new[1]);
                let part = [new[0] * scale, new[1] * scale];
                let margin = |axis: usize| ((old[axis] - part[axis]) / 2.0).max(0.0);
                let options = crop(top + margin(0), left + margin(1), part);
                self.resample(source, [self.height, self.width], &options)
            }
            Fit::Pad => {
                let scale = (new[0] / old[0]).min(new[1] / old[1]);
                let side = |old: f64, most: usize| ((old * scale).round() as usize).clamp(1, most);
                let inner = [side(old[0], self.height), side(old[1], self.width)];
                let scaled = self.resample(source, inner, &all);
                self.padded(&scaled, inner, background)
            }
        }
    }

    /// Bytes `[height, width, channels]` of that height and width.
    fn resample(
        &self,
        source: Interleaved<'_>,
        [height, width]: [usize; 2],
        options: &ResizeOptions,
    ) -> Vec<u8> {
        let mut out = Image::new(width as u32, height as u32, PixelType::U8x4);
        let (rows, columns) = (source.height as u32, source.width as u32);
        let done = RESIZER.with_borrow_mut(|(resizer, wide)| {
            match self.channels {
                1 => widen::<1>(&source.bytes, wide),
                _ => widen::<3>(&source.bytes, wide),
            }
            let done = ImageRef::new(columns, rows, wide, PixelType::U8x4)
                .is_ok_and(|source| resizer.resize(&source, &mut out, options).is_ok());
            if wide.capacity() > KEPT_BYTES_MAX {
                *wide = Vec::new();
            }
            done
        });
        // Sizes are at least one pixel and the part lies in the picture, which is all that it asks for.
        debug_assert!(done, "a picture of {rows}×{columns} could not be resampled");
        let channels = 0..self.channels;
        out.buffer()
            .as_chunks::<4>()
            .0
            .iter()
            .flat_map(|pixel| &pixel[channels.clone()])
            .copied()
            .collect()
    }

    /// A picture in the middle of the frame.
    fn padded(&self, inner: &[u8], [height, width]: [usize; 2], background: u8) -> Vec<u8> {
        let mut out = vec![background; self.height * self.width * self.channels];
        let (top, left) = ((self.height - height) / 2, (self.width - width) / 2);
        let row_len = width * self.channels;
        for (y, row) in inner.chunks_exact(row_len).enumerate() {
            let start = ((top + y) * self.width + left) * self.channels;
            out[start..start + row_len].copy_from_slice(row);
        }
        out
    }
}

/// Pixels of four bytes, the only ones that are resampled: code for every other kind, by precision and instruction set,
/// would be a tenth of the program. Each channel is resampled on its own, so the result is the same.
fn widen<const CHANNELS: usize>(bytes: &[u8], wide: &mut Vec<u8>) {
    let pixels = bytes.as_chunks::<CHANNELS>().0;
    wide.resize(pixels.len() * 4, 0);
    for (wide, pixel) in wide.as_chunks_mut::<4>().0.iter_mut().zip(pixels) {
        let mut four = [0; 4];
        four[..CHANNELS].copy_from_slice(pixel);
        *wide = four;
    }
}

/// `length` from `start` on, or a little less where rounding would lead beyond `end`.
fn within(start: f64, length: f64, end: f64) -> f64 {
    let mut length = length.min(end - start);
    while start + length > end {
        length = length.next_down();
    }
    length
}

#[cfg(test)]
mod tests;
