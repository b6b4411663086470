//! Decodes picture files: checks that they are complete, turns them upright, and recognizes formats by content, not name.

use std::borrow::Cow;
use std::io::Cursor;
use std::path::Path;

use image::error::{DecodingError, ImageFormatHint};
use image::metadata::Orientation;
use image::{
    DynamicImage, GrayImage, ImageDecoder, ImageError, ImageFormat, ImageReader, Limits, RgbImage,
};
use sha2::{Digest, Sha256};

use burgeon_ink::{Grey, InkError};
use burgeon_jpeg as jpeg;

use crate::complete;
use crate::extent::{Extent, is_turned};
use crate::layout::interleaved;

/// Longest side of a picture that is decoded.
pub const PICTURE_SIDE_MAX: u32 = 8192;

/// Largest file that is decoded.
const FILE_BYTES_MAX: u64 = 512 << 20;

/// Most memory that decoding a picture may use.
const DECODER_BYTES_MAX: u64 = 256 << 20;

/// A picture that cannot be classified.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PictureError {
    /// The content has no supported format.
    #[error("not a PNG, JPEG, WebP, GIF, BMP, TIFF or PNM picture")]
    UnknownFormat,
    /// The file ends before its picture does.
    #[error("the {format} picture is truncated: {missing}")]
    Truncated {
        /// The picture's format.
        format: &'static str,
        /// What is missing.
        missing: &'static str,
    },
    /// The picture cannot be decoded.
    #[error("not a readable {format} picture")]
    Undecodable {
        /// The picture's format.
        format: &'static str,
        /// The decoder's error.
        source: ImageError,
    },
    /// The file cannot be read.
    #[error("cannot be read")]
    Read(#[source] std::io::Error),
    /// The file is too large.
    #[error("the file has {bytes} bytes; at most {FILE_BYTES_MAX} are supported")]
    TooLarge {
        /// Its size.
        bytes: u64,
    },
    /// It is a pipe, a device or a socket.
    #[error("not a regular file")]
    NotAFile,
    /// The file has no content.
    #[error("the file is empty")]
    Empty,
    /// Nothing differs from the background.
    #[error("the picture is blank: no stroke stands out from the background")]
    Blank,
    /// Ink and paper cannot be distinguished.
    #[error(
        "cannot tell whether the ink is dark or light; use `--invert always` for dark ink on light paper, `--invert never` for light ink on dark paper"
    )]
    Undecided,
}

impl From<InkError> for PictureError {
    fn from(error: InkError) -> Self {
        match error {
            InkError::Blank => Self::Blank,
            InkError::Undecided => Self::Undecided,
        }
    }
}

/// A decoded picture, turned upright as its EXIF orientation says.
#[derive(Debug, Clone)]
pub struct Picture {
    pixels: DynamicImage,
    extent: Extent,
    digest: Option<[u8; 32]>,
}

impl Picture {
    /// Decodes the content of a PNG, JPEG, WebP, GIF (its first frame), BMP, TIFF or PNM
    /// file.
    ///
    /// # Errors
    /// When the content has another format, is truncated (even if an end marker follows the part that is there) or
    /// damaged, or is wider or higher than [`PICTURE_SIDE_MAX`].
    pub fn decode(bytes: &[u8]) -> Result<Self, PictureError> {
        Self::decode_for(bytes, None)
    }

    /// Like [`decode`](Self::decode), but if `wanted` rows and columns (upright) suffice, a JPEG picture that is at least
    /// twice as large is decoded at a half, a quarter or an eighth of its size, the smallest that is at least the wanted
    /// one. Each pixel is then the mean of those that it replaces. Progressive files and those with unusual colour spaces
    /// are decoded in full size.
    ///
    /// # Errors
    /// As [`decode`](Self::decode).
    pub fn decode_for(bytes: &[u8], wanted: Option<[usize; 2]>) -> Result<Self, PictureError> {
        Self::decode_within(bytes, wanted, &mut |_| ())
    }

    /// Like [`decode_for`](Self::decode_for), but first calls `take_room`, once, with the approximate memory that decoding
    /// needs.
    ///
    /// # Errors
    /// As [`decode`](Self::decode).
    pub fn decode_within(
        bytes: &[u8],
        wanted: Option<[usize; 2]>,
        take_room: &mut dyn FnMut(u64),
    ) -> Result<Self, PictureError> {
        let (decoder, name, orientation) = opened(bytes, Demand::Whole)?;
        // The decoder has buffers of its own, and the pixels are converted.
        take_room(decoder.total_bytes().saturating_mul(3));
        let (columns, rows) = decoder.dimensions();
        let (mut extent, mut digest, mut reduced) = (None, None, None);
        if name == JPEG {
            let turned = |[height, width]: [usize; 2]| match is_turned(orientation) {
                true => [width, height],
                false => [height, width],
            };
            let content = jpeg::read(bytes, PICTURE_SIDE_MAX, wanted.map(turned));
            let content = content.map_err(jpeg_error)?;
            digest = content.digest.map(|digest| upright_digest(digest, orientation));
            let size = [rows as usize, columns as usize];
            let step = content.reduced.as_ref().map(|reduced| reduced.step);
            reduced = content.reduced.and_then(of_reduced);
            let step = step.filter(|_| reduced.is_some());
            extent = step.map(|step| Extent::reduced(size, step, orientation));
        }
        let mut pixels = match reduced {
            Some(pixels) => pixels,
            None => DynamicImage::from_decoder(decoder)
                .map_err(|source| PictureError::Undecodable { format: name, source })?,
        };
        pixels.apply_orientation(orientation);
        let extent = extent.unwrap_or_else(|| Extent::whole(size_of(&pixels)));
        Ok(Self { pixels, extent, digest })
    }

    /// Rows and columns of a picture, upright, from its header.
    ///
    /// # Errors
    /// When the header is damaged. Whether the pixels are complete is not checked.
    pub fn size_of(bytes: &[u8]) -> Result<(usize, usize), PictureError> {
        let (decoder, _, orientation) = opened(bytes, Demand::Header)?;
        let (width, height) = decoder.dimensions();
        let (width, height) = (width as usize, height as usize);
        Ok(if is_turned(orientation) { (width, height) } else { (height, width) })
    }

    /// A picture from bytes `[channels, height, width]`, grey or colour.
    ///
    /// # Panics
    /// If there are not 1 or 3 channels, or the number of bytes does not match the shape.
    pub fn of_planes(planes: &[u8], [channels, height, width]: [usize; 3]) -> Self {
        let bytes = interleaved(planes, channels);
        let (columns, rows) = (width as u32, height as u32);
        let pixels = match channels {
            1 => GrayImage::from_raw(columns, rows, bytes).map(DynamicImage::ImageLuma8),
            3 => RgbImage::from_raw(columns, rows, bytes).map(DynamicImage::ImageRgb8),
            _ => None,
        };
        assert!(
            pixels.is_some() && planes.len() == channels * height * width,
            "{} bytes do not form a picture of {channels}×{height}×{width}",
            planes.len()
        );
        let pixels = pixels.unwrap_or_default();
        Self { extent: Extent::whole((height, width)), pixels, digest: None }
    }

    /// Rows and columns of pixels.
    pub fn size(&self) -> (usize, usize) {
        size_of(&self.pixels)
    }

    /// The part of the pixel buffer that the picture covers.
    pub(crate) fn extent(&self) -> Extent {
        self.extent
    }

    /// A SHA-256 that identifies the picture whatever size it was decoded at: that of a JPEG file's coefficients. `None`
    /// for other pictures, whose pixels identify them.
    pub fn digest(&self) -> Option<[u8; 32]> {
        self.digest
    }

    /// Whether some pixel is not grey, by more than compression artefacts.
    pub fn is_colour(&self) -> bool {
        const SPREAD: u8 = 16;
        let spread = |pixel: &[u8]| {
            let [r, g, b] = [pixel[0], pixel[1], pixel[2]];
            r.max(g).max(b) - r.min(g).min(b)
        };
        self.pixels.color().has_color()
            && self.interleaved(3, 0.0).chunks_exact(3).any(|pixel| spread(pixel) > SPREAD)
    }

    /// Bytes `[height, width, channels]`, grey (1) or colour (3), on a background of one brightness.
    pub fn interleaved(&self, channels: usize, background: f32) -> Cow<'_, [u8]> {
        let is_plain = !is_16_bit(&self.pixels) && !self.pixels.color().has_alpha();
        if channels == 1 {
            return match &self.pixels {
                DynamicImage::ImageLuma8(grey) => Cow::Borrowed(grey.as_raw()),
                pixels if is_plain => Cow::Owned(pixels.to_luma8().into_raw()),
                _ => Cow::Owned(to_bytes(&self.grey().over(background).values)),
            };
        }
        match &self.pixels {
            DynamicImage::ImageRgb8(colour) => return Cow::Borrowed(colour.as_raw()),
            pixels if is_plain => return Cow::Owned(pixels.to_rgb8().into_raw()),
            _ => {}
        }
        let all = self.pixels.to_rgba16();
        // 8-bit pictures use their whole range.
        let range = match is_16_bit(&self.pixels) {
            true => used_range(all.pixels().flat_map(|pixel| [pixel.0[0], pixel.0[1], pixel.0[2]])),
            false => u16::MAX,
        };
        let blend = |value: u16, alpha: u16| {
            let (value, alpha) = (f32::from(value) / f32::from(range), f32::from(alpha) / 65535.0);
            ((value * alpha + background * (1.0 - alpha)) * 255.0).round().clamp(0.0, 255.0) as u8
        };
        let pixels = all.pixels().map(|pixel| pixel.0);
        Cow::Owned(pixels.flat_map(|[r, g, b, a]| [r, g, b].map(|value| blend(value, a))).collect())
    }

    /// The picture in grey, with its transparency.
    pub fn grey(&self) -> Grey {
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

/// The content of a picture file, if it is not too large.
pub fn read_bounded(path: &Path) -> Result<Vec<u8>, PictureError> {
    let found = std::fs::metadata(path).map_err(PictureError::Read)?;
    // Reading a pipe would wait for its writer; reading a folder is an error of the system.
    if !found.is_file() && !found.is_dir() {
        return Err(PictureError::NotAFile);
    }
    if found.len() > FILE_BYTES_MAX {
        return Err(PictureError::TooLarge { bytes: found.len() });
    }
    let bytes = std::fs::read(path).map_err(PictureError::Read)?;
    if bytes.is_empty() { Err(PictureError::Empty) } else { Ok(bytes) }
}

/// How much of a picture must be complete.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Demand {
    Whole,
    Header,
}

/// A decoder of a picture that is as complete as demanded, the format's name, and the orientation.
fn opened(
    bytes: &[u8],
    demand: Demand,
) -> Result<(impl ImageDecoder, &'static str, Orientation), PictureError> {
    let format = image::guess_format(bytes).map_err(|_| PictureError::UnknownFormat)?;
    let cut = |format| move |missing| PictureError::Truncated { format, missing };
    let (name, exif) = match format {
        ImageFormat::Png => ("PNG", complete::png(bytes).map_err(cut("PNG"))?),
        // Its completeness is checked when it is read.
        ImageFormat::Jpeg => (JPEG, None),
        ImageFormat::WebP => {
            complete::webp(bytes).map_err(cut("WebP"))?;
            ("WebP", None)
        }
        // Decoders of these formats refuse truncated files.
        ImageFormat::Bmp => ("BMP", None),
        ImageFormat::Tiff => ("TIFF", None),
        ImageFormat::Pnm => ("PNM", None),
        // The first frame of an animation is used.
        ImageFormat::Gif => {
            complete::gif(bytes).map_err(cut("GIF"))?;
            ("GIF", None)
        }
        _ => return Err(PictureError::UnknownFormat),
    };
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    let mut limits = Limits::default();
    limits.max_image_width = Some(PICTURE_SIDE_MAX);
    limits.max_image_height = Some(PICTURE_SIDE_MAX);
    limits.max_alloc = Some(DECODER_BYTES_MAX);
    reader.limits(limits);
    let mut decoder = reader.into_decoder().map_err(|source| {
        // What is missing is a better explanation than the decoder's error.
        let is_whole = match name == JPEG && demand == Demand::Whole {
            true => jpeg::read(bytes, PICTURE_SIDE_MAX, None).map_err(jpeg_error),
            false => return PictureError::Undecodable { format: name, source },
        };
        is_whole.err().unwrap_or(PictureError::Undecodable { format: name, source })
    })?;
    let orientation = match exif {
        Some(exif) => Orientation::from_exif_chunk(exif),
        None => decoder.orientation().ok(),
    };
    Ok((decoder, name, orientation.unwrap_or(Orientation::NoTransforms)))
}

/// Whether these first bytes of a file are those of a supported format.
pub fn is_known_format(start: &[u8]) -> bool {
    use ImageFormat::{Bmp, Gif, Jpeg, Png, Pnm, Tiff, WebP};
    matches!(image::guess_format(start), Ok(Bmp | Gif | Jpeg | Png | Pnm | Tiff | WebP))
}

/// Brightness from 0 to 1 as bytes.
pub fn to_bytes(values: &[f32]) -> Vec<u8> {
    values.iter().map(|value| (value * 255.0).round().clamp(0.0, 255.0) as u8).collect()
}

fn is_16_bit(pixels: &DynamicImage) -> bool {
    let color = pixels.color();
    color.bytes_per_pixel() / color.channel_count() > 1
}

/// The largest number with as many bits as the values use, at least 8: cameras and scanners store 10, 12 and 14 bits in
/// the lower bits of 16.
fn used_range(values: impl Iterator<Item = u16>) -> u16 {
    let most = values.max().unwrap_or(0);
    u16::MAX >> most.leading_zeros().min(8)
}

fn scaled<T: Into<f32>>(values: impl Iterator<Item = T>, range: u16) -> Vec<f32> {
    values.map(|value| value.into() / f32::from(range)).collect()
}

const JPEG: &str = "JPEG";

fn size_of(pixels: &DynamicImage) -> (usize, usize) {
    (pixels.height() as usize, pixels.width() as usize)
}

fn of_reduced(reduced: jpeg::Reduced) -> Option<DynamicImage> {
    let (width, height) = (reduced.width as u32, reduced.height as u32);
    match reduced.channels {
        1 => GrayImage::from_raw(width, height, reduced.bytes).map(DynamicImage::ImageLuma8),
        _ => RgbImage::from_raw(width, height, reduced.bytes).map(DynamicImage::ImageRgb8),
    }
}

/// The digest of an upright picture, from that of the stored one: the orientation is part of the content.
fn upright_digest(stored: [u8; 32], orientation: Orientation) -> [u8; 32] {
    Sha256::new_with_prefix(stored).chain_update([orientation.to_exif()]).finalize().into()
}

fn jpeg_error(fault: jpeg::Fault) -> PictureError {
    let format = JPEG;
    match fault {
        jpeg::Fault::Missing(missing) => PictureError::Truncated { format, missing },
        jpeg::Fault::Damaged(what) => {
            let format_hint = ImageFormatHint::Exact(ImageFormat::Jpeg);
            let source = ImageError::Decoding(DecodingError::new(format_hint, what));
            PictureError::Undecodable { format, source }
        }
    }
}
