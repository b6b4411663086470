//! Decodes picture files as people have them: complete, upright, and told apart by content, not by name.

use std::borrow::Cow;
use std::io::Cursor;
use std::path::Path;

use image::error::{DecodingError, ImageFormatHint};
use image::metadata::Orientation;
use image::{
    DynamicImage, GrayImage, ImageDecoder, ImageError, ImageFormat, ImageReader, Limits, RgbImage,
};

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
    #[error("not a PNG, JPEG, WebP, GIF, BMP, TIFF or PNM picture")]
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
    /// The file cannot be read.
    #[error("cannot be read")]
    Read(#[source] std::io::Error),
    /// The file is larger than pictures are.
    #[error("{bytes} bytes are more than a picture may have")]
    TooLarge {
        /// How large it is.
        bytes: u64,
    },
    /// It is a pipe, a device or a socket.
    #[error("not a regular file")]
    NotAFile,
    /// The file has no content.
    #[error("the file is empty")]
    Empty,
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
    /// Decodes the content of a PNG, JPEG, WebP, GIF (its first frame), BMP, TIFF or PNM
    /// file.
    ///
    /// # Errors
    /// When the content is of another format, cut short (also where an end was put behind a part of it), damaged, or
    /// wider or higher than [`PICTURE_SIDE_MAX`].
    pub fn decode(bytes: &[u8]) -> Result<Self, PictureError> {
        Ok(Self::decode_within(bytes, |_| ())?.0)
    }

    /// The same, after `take_room` was called with how many bytes that takes, about; what it returns comes back.
    ///
    /// # Errors
    /// As [`decode`](Self::decode).
    pub(crate) fn decode_within<R>(
        bytes: &[u8],
        take_room: impl FnOnce(u64) -> R,
    ) -> Result<(Self, R), PictureError> {
        let (decoder, name, orientation) = opened(bytes, Demand::Whole)?;
        // The decoder has buffers of its own, and the pixels are converted.
        let room = take_room(decoder.total_bytes().saturating_mul(3));
        let mut pixels = DynamicImage::from_decoder(decoder)
            .map_err(|source| PictureError::Undecodable { format: name, source })?;
        pixels.apply_orientation(orientation);
        Ok((Self { pixels }, room))
    }

    /// Rows and columns of a picture, upright, which its file says before its pixels.
    ///
    /// # Errors
    /// When that is damaged. Whether all pixels are there is not looked at.
    pub fn size_of(bytes: &[u8]) -> Result<(usize, usize), PictureError> {
        use Orientation::{Rotate90, Rotate90FlipH, Rotate270, Rotate270FlipH};
        let (decoder, _, orientation) = opened(bytes, Demand::Header)?;
        let (width, height) = decoder.dimensions();
        let (width, height) = (width as usize, height as usize);
        Ok(match orientation {
            Rotate90 | Rotate90FlipH | Rotate270 | Rotate270FlipH => (width, height),
            _ => (height, width),
        })
    }

    /// A picture of bytes `[channels, height, width]`, grey or colour.
    ///
    /// # Panics
    /// If there are other than 1 or 3 channels or another number of bytes.
    pub(crate) fn of_planes(planes: &[u8], [channels, height, width]: [usize; 3]) -> Self {
        let bytes = super::layout::interleaved(planes, channels);
        let (columns, rows) = (width as u32, height as u32);
        let pixels = match channels {
            1 => GrayImage::from_raw(columns, rows, bytes).map(DynamicImage::ImageLuma8),
            3 => RgbImage::from_raw(columns, rows, bytes).map(DynamicImage::ImageRgb8),
            _ => None,
        };
        assert!(
            pixels.is_some() && planes.len() == channels * height * width,
            "{} bytes are no picture of {channels}×{height}×{width}",
            planes.len()
        );
        Self { pixels: pixels.unwrap_or_default() }
    }

    /// Rows and columns.
    pub(crate) fn size(&self) -> (usize, usize) {
        (self.pixels.height() as usize, self.pixels.width() as usize)
    }

    /// Whether some pixel is not grey, by more than compression leaves.
    pub(crate) fn is_colour(&self) -> bool {
        const SPREAD: u8 = 16;
        let spread = |pixel: &[u8]| {
            let [r, g, b] = [pixel[0], pixel[1], pixel[2]];
            r.max(g).max(b) - r.min(g).min(b)
        };
        self.pixels.color().has_color()
            && self.interleaved(3, 0.0).chunks_exact(3).any(|pixel| spread(pixel) > SPREAD)
    }

    /// Bytes `[height, width, channels]`, grey (1) or colour (3), on a background of one brightness.
    pub(crate) fn interleaved(&self, channels: usize, background: f32) -> Cow<'_, [u8]> {
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
        // Of 8-bit pictures every value is used.
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

    /// Reads and decodes a file.
    ///
    /// # Errors
    /// When it cannot be read or [decoded](Self::decode); the error names the file.
    pub fn open(path: &Path) -> Result<Self, DataError> {
        let decoded = read_bounded(path).and_then(|bytes| Self::decode(&bytes));
        decoded.map_err(|error| match error {
            PictureError::Read(source) => DataError::Read { path: path.into(), source },
            error => DataError::picture(path)(error),
        })
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

/// The content of a picture file, if it is no larger than pictures are.
pub(crate) fn read_bounded(path: &Path) -> Result<Vec<u8>, PictureError> {
    let found = std::fs::metadata(path).map_err(PictureError::Read)?;
    // Reading a pipe would wait for whoever writes into it; a folder says so itself.
    if !found.is_file() && !found.is_dir() {
        return Err(PictureError::NotAFile);
    }
    if found.len() > FILE_BYTES_MAX {
        return Err(PictureError::TooLarge { bytes: found.len() });
    }
    let bytes = std::fs::read(path).map_err(PictureError::Read)?;
    if bytes.is_empty() { Err(PictureError::Empty) } else { Ok(bytes) }
}

/// What has to be there of a picture.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Demand {
    Whole,
    Header,
}

/// A decoder of a picture that is as whole as demanded, the format's name, and which way is up.
fn opened(
    bytes: &[u8],
    demand: Demand,
) -> Result<(impl ImageDecoder, &'static str, Orientation), PictureError> {
    let format = image::guess_format(bytes).map_err(|_| PictureError::UnknownFormat)?;
    let (name, exif) = match format {
        ImageFormat::Png => ("PNG", complete_png(bytes)?),
        ImageFormat::Jpeg if demand == Demand::Header => ("JPEG", None),
        ImageFormat::Jpeg => {
            jpeg::check_complete(bytes, PICTURE_SIDE_MAX).map_err(jpeg_error)?;
            ("JPEG", None)
        }
        ImageFormat::WebP => {
            complete_webp(bytes)?;
            ("WebP", None)
        }
        // Decoders of these refuse files that are cut short.
        ImageFormat::Bmp => ("BMP", None),
        ImageFormat::Tiff => ("TIFF", None),
        ImageFormat::Pnm => ("PNM", None),
        // Of a moving picture the first is taken.
        ImageFormat::Gif => ("GIF", None),
        _ => return Err(PictureError::UnknownFormat),
    };
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    let mut limits = Limits::default();
    limits.max_image_width = Some(PICTURE_SIDE_MAX);
    limits.max_image_height = Some(PICTURE_SIDE_MAX);
    limits.max_alloc = Some(DECODER_BYTES_MAX);
    reader.limits(limits);
    let mut decoder = reader
        .into_decoder()
        .map_err(|source| PictureError::Undecodable { format: name, source })?;
    let orientation = match exif {
        Some(exif) => Orientation::from_exif_chunk(exif),
        None => decoder.orientation().ok(),
    };
    Ok((decoder, name, orientation.unwrap_or(Orientation::NoTransforms)))
}

/// Whether a file that starts so is of a format that is decoded.
pub(crate) fn is_known_format(start: &[u8]) -> bool {
    use ImageFormat::{Bmp, Gif, Jpeg, Png, Pnm, Tiff, WebP};
    matches!(image::guess_format(start), Ok(Bmp | Gif | Jpeg | Png | Pnm | Tiff | WebP))
}

/// Checks that a WebP file is as long as it says.
fn complete_webp(bytes: &[u8]) -> Result<(), PictureError> {
    let said = bytes.get(4..8).map(|b| u32::from_le_bytes([b[0], b[1], b[2], b[3]]));
    match said {
        Some(said) if bytes.len() as u64 >= u64::from(said) + 8 => Ok(()),
        _ => {
            Err(PictureError::Truncated { format: "WebP", missing: "its last chunks are missing" })
        }
    }
}

/// Brightness from 0 to 1 as bytes.
pub(crate) fn to_bytes(values: &[f32]) -> Vec<u8> {
    values.iter().map(|value| (value * 255.0).round().clamp(0.0, 255.0) as u8).collect()
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
