//! Decodes picture files as people have them: complete, upright, and told apart by content, not by name.

use std::io::Cursor;
use std::path::Path;

use image::error::{DecodingError, ImageFormatHint};
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader, Limits};

use super::DataError;
use super::jpeg;

/// Longest side of a picture that is decoded.
pub const PICTURE_SIDE_MAX: u32 = 8192;

/// Largest file that is decoded.
const FILE_BYTES_MAX: u64 = 512 << 20;

/// Memory that decoding a picture may take.
const DECODER_BYTES_MAX: u64 = 256 << 20;

/// Which of light and dark is the ink.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Invert {
    /// As the picture tells: paper is what most of it is.
    #[default]
    Auto,
    /// Dark ink on light paper.
    Always,
    /// Light ink on dark paper, as MNIST has it.
    Never,
}

/// A picture that cannot be classified.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PictureError {
    /// The content is of no accepted format.
    #[error("neither a PNG nor a JPEG picture")]
    UnknownFormat,
    /// The file ends before its picture does.
    #[error("the {format} picture is cut short: {missing}")]
    Truncated {
        /// Of which format it is.
        format: &'static str,
        /// What is not there.
        missing: &'static str,
    },
    /// The decoder gave up.
    #[error("not a readable {format} picture")]
    Undecodable {
        /// Of which format it is.
        format: &'static str,
        /// What the decoder said.
        source: ImageError,
    },
    /// Nothing stands out from the background.
    #[error("the picture is blank: no stroke stands out from the background")]
    Blank,
    /// Ink and paper cannot be told apart.
    #[error(
        "cannot tell whether the ink is dark or light; use `--invert always` for dark ink on light paper, `--invert never` for light ink on dark paper"
    )]
    Undecided,
}

/// A decoded picture, turned upright as its EXIF orientation says.
#[derive(Debug, Clone)]
pub struct Picture {
    pixels: DynamicImage,
}

impl Picture {
    /// Decodes the content of a PNG or JPEG file.
    ///
    /// # Errors
    /// When the content is of another format, cut short (also where an end was put behind a part of it), damaged, or wider or higher than [`PICTURE_SIDE_MAX`].
    pub fn decode(bytes: &[u8]) -> Result<Self, PictureError> {
        let format = image::guess_format(bytes).map_err(|_| PictureError::UnknownFormat)?;
        let (name, exif) = match format {
            ImageFormat::Png => ("PNG", complete_png(bytes)?),
            ImageFormat::Jpeg => {
                jpeg::check_complete(bytes, PICTURE_SIDE_MAX).map_err(jpeg_error)?;
                ("JPEG", None)
            }
            _ => return Err(PictureError::UnknownFormat),
        };
        let failed = |source| PictureError::Undecodable { format: name, source };
        let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
        let mut limits = Limits::default();
        limits.max_image_width = Some(PICTURE_SIDE_MAX);
        limits.max_image_height = Some(PICTURE_SIDE_MAX);
        limits.max_alloc = Some(DECODER_BYTES_MAX);
        reader.limits(limits);
        let mut decoder = reader.into_decoder().map_err(failed)?;
        let orientation = match exif {
            Some(exif) => Orientation::from_exif_chunk(exif),
            None => decoder.orientation().ok(),
        };
        let mut pixels = DynamicImage::from_decoder(decoder).map_err(failed)?;
        pixels.apply_orientation(orientation.unwrap_or(Orientation::NoTransforms));
        Ok(Self { pixels })
    }

    /// Reads and decodes a file.
    ///
    /// # Errors
    /// When it cannot be read or [decoded](Self::decode); the error names the file.
    pub fn open(path: &Path) -> Result<Self, DataError> {
        let len = std::fs::metadata(path).map_err(DataError::read(path))?.len();
        if len > FILE_BYTES_MAX {
            let problem = format!("{len} bytes are more than a picture may have");
            return Err(DataError::malformed(path, problem));
        }
        let bytes = std::fs::read(path).map_err(DataError::read(path))?;
        Self::decode(&bytes).map_err(DataError::picture(path))
    }

    /// The grey picture, with what is transparent in it.
    pub(crate) fn grey(&self) -> Grey {
        let size = (self.pixels.width() as usize, self.pixels.height() as usize);
        let has_alpha = self.pixels.color().has_alpha();
        let (values, alpha) = match (is_16_bit(&self.pixels), has_alpha) {
            (false, false) => (scaled(self.pixels.to_luma8().iter().copied(), 255), None),
            (true, false) => {
                let luma = self.pixels.to_luma16();
                (scaled(luma.iter().copied(), used_range(luma.iter().copied())), None)
            }
            (false, true) => {
                let both = self.pixels.to_luma_alpha8();
                let alpha = scaled(both.pixels().map(|pixel| pixel.0[1]), 255);
                (scaled(both.pixels().map(|pixel| pixel.0[0]), 255), Some(alpha))
            }
            (true, true) => {
                let both = self.pixels.to_luma_alpha16();
                let plane = |channel: usize| {
                    let values = || both.pixels().map(move |pixel| pixel.0[channel]);
                    scaled(values(), used_range(values()))
                };
                (plane(0), Some(plane(1)))
            }
        };
        let alpha = alpha.filter(|alpha| alpha.iter().any(|&alpha| alpha < 1.0));
        Grey { values, alpha, width: size.0, height: size.1 }
    }
}

/// Brightness of each pixel, 0 to 1, `[height, width]`, and how opaque it is where some is not.
#[derive(Debug, Clone)]
pub(crate) struct Grey {
    pub values: Vec<f32>,
    pub alpha: Option<Vec<f32>>,
    pub width: usize,
    pub height: usize,
}

impl Grey {
    /// The picture on a background of one brightness.
    pub(crate) fn over(mut self, background: f32) -> Self {
        for (value, alpha) in self.values.iter_mut().zip(self.alpha.iter().flatten()) {
            *value = *value * alpha + background * (1.0 - alpha);
        }
        Self { alpha: None, ..self }
    }

    /// The values along its four sides.
    pub(crate) fn border(&self) -> Vec<f32> {
        border(&self.values, self.height, self.width)
    }
}

/// The values along the four sides, those of the corners twice, of an image `[height, width]`.
pub(crate) fn border(values: &[f32], height: usize, width: usize) -> Vec<f32> {
    let at = |x: usize, y: usize| values[y * width + x];
    let rows = (0..width).flat_map(|x| [at(x, 0), at(x, height - 1)]);
    rows.chain((0..height).flat_map(|y| [at(0, y), at(width - 1, y)])).collect()
}

fn is_16_bit(pixels: &DynamicImage) -> bool {
    let color = pixels.color();
    color.bytes_per_pixel() / color.channel_count() > 1
}

/// The largest number of as many bits as the values use, 8 at least: cameras and scanners put 10, 12 and 14 bits into
/// the lower end of 16.
fn used_range(values: impl Iterator<Item = u16>) -> u16 {
    let most = values.max().unwrap_or(0);
    u16::MAX >> most.leading_zeros().min(8)
}

fn scaled<T: Into<f32>>(values: impl Iterator<Item = T>, range: u16) -> Vec<f32> {
    values.map(|value| value.into() / f32::from(range)).collect()
}

/// Checks that every chunk of a PNG file is there, the last one too; returns the content of its EXIF chunk.
///
/// Decoders stop at the last row of pixels, and know of no EXIF that follows it.
fn complete_png(bytes: &[u8]) -> Result<Option<&[u8]>, PictureError> {
    const SIGNATURE_LEN: usize = 8;
    let cut = |missing| PictureError::Truncated { format: "PNG", missing };
    let mut exif = None;
    let mut rest = bytes.get(SIGNATURE_LEN..).unwrap_or_default();
    loop {
        let (head, after) = rest.split_at_checked(8).ok_or(cut("its IEND chunk is missing"))?;
        let len = u32::from_be_bytes([head[0], head[1], head[2], head[3]]) as usize;
        let (content, after) =
            after.split_at_checked(len).ok_or(cut("a chunk lacks part of its content"))?;
        let (_checksum, after) =
            after.split_at_checked(4).ok_or(cut("a chunk lacks its checksum"))?;
        match &head[4..] {
            b"IEND" => return Ok(exif),
            // Some writers put JPEG's prefix before it.
            b"eXIf" => exif = Some(content.strip_prefix(b"Exif\0\0").unwrap_or(content)),
            _ => {}
        }
        rest = after;
    }
}

fn jpeg_error(fault: jpeg::Fault) -> PictureError {
    let format = "JPEG";
    match fault {
        jpeg::Fault::Missing(missing) => PictureError::Truncated { format, missing },
        jpeg::Fault::Damaged(what) => {
            let format_hint = ImageFormatHint::Exact(ImageFormat::Jpeg);
            let source = ImageError::Decoding(DecodingError::new(format_hint, what));
            PictureError::Undecodable { format, source }
        }
    }
}
