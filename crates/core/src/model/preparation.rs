//! How a picture becomes a network's input. This is part of the model, and is saved in every model file.

use std::collections::BTreeSet;

use burgeon_ink::{self as ink, Grey, Invert};
use burgeon_pixels::{CHANNELS_MAX, Frame, GREY_BACKGROUND, Picture, PictureError, to_bytes};
use serde::{Deserialize, Serialize};

use crate::data::{Dataset, Normalization, Subset};
use crate::spec::{Fit, InputShape, Spec};

/// How a picture becomes a network's input.
///
/// It is saved as JSON in `model.safetensors` (metadata `burgeon`), in `model.onnx` (metadata
/// `burgeon.preparation`) and in `card.md`. A reader refuses a [`version`](Self::version) that it does not
/// know. Version 2 added colour; preparations of grey images are still written as version 1, for older
/// readers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Preparation {
    /// Version of this format, at most [`Preparation::VERSION`].
    pub version: u32,
    /// Height of the network's input in pixels.
    pub height: usize,
    /// Width of the network's input in pixels.
    pub width: usize,
    /// Whether the input is grey or in colour.
    pub channels: Channels,
    /// Whether pictures are cut out and centred as digits, or used whole.
    pub subject: Subject,
    /// How a whole picture of another size is brought to `height` and `width`.
    pub fit: Fit,
    /// Brightness, 0..=1, that shows through transparent parts and fills the area around a padded picture.
    pub background: f32,
    /// The values of black and white before normalization.
    pub range: [f32; 2],
    /// Mean of each channel, which is subtracted.
    pub mean: Vec<f32>,
    /// Standard deviation of each channel, by which the difference is divided.
    pub std: Vec<f32>,
    /// The name of each class, by label.
    pub classes: Vec<String>,
}

/// The channels of an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Channels {
    /// One channel of brightness; colours are weighted as in ITU-R BT.709.
    Grey,
    /// Three channels: red, green and blue.
    Rgb,
}

impl Channels {
    /// The number of channels.
    pub fn count(self) -> usize {
        match self {
            Self::Grey => 1,
            Self::Rgb => CHANNELS_MAX,
        }
    }
}

/// What a picture shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Subject {
    /// A digit in ink on paper, which is made light on dark, cropped, scaled and centred as in MNIST.
    Digit,
    /// Anything; the whole picture is used.
    Whole,
}

/// A preparation that is invalid or not supported by this version.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum PreparationError {
    /// It was written by a newer version.
    #[error(
        "the model's preparation has version {found}, but this burgeon supports versions up to {known} only; use a newer burgeon",
        known = Preparation::VERSION
    )]
    Version {
        /// The version in the file.
        found: u64,
    },
    /// A value is invalid.
    #[error("`{key}` of the model's preparation is {value}; expected {expected}")]
    Value {
        /// The key.
        key: &'static str,
        /// Its value.
        value: String,
        /// What would be valid.
        expected: &'static str,
    },
    /// The preparation and the network differ in the shape of images.
    #[error("the model's preparation returns {prepared}, but its network takes {taken}")]
    OtherInput {
        /// The images that the preparation returns, in words.
        prepared: String,
        /// The images that the network takes, in words.
        taken: String,
    },
}

/// Longest side of a network's input in pixels.
const SIDE_MAX: usize = 8192;

impl Preparation {
    /// The newest version that this burgeon reads and writes.
    pub const VERSION: u32 = 2;

    /// The preparation for a network of `spec` that was trained on `data`.
    pub fn new(spec: &Spec, data: &Dataset) -> Self {
        let subject =
            if spec.file().data.centres_digits() { Subject::Digit } else { Subject::Whole };
        let data_spec = &spec.file().data;
        let grey = Self::grey(spec.input(), data.normalization, data.classes.clone(), subject);
        let prepared = match spec.input().channels {
            CHANNELS_MAX => grey.coloured(data.normalization),
            _ => grey,
        };
        if data_spec.source.is_framed() {
            // The same as for the training images.
            let fit = data_spec.fit.unwrap_or_default();
            return Self { fit, background: GREY_BACKGROUND, ..prepared };
        }
        Self { background: background(&data.train), ..prepared }
    }

    /// The same preparation for images in colour.
    #[must_use]
    pub fn coloured(self, normalization: Normalization) -> Self {
        Self {
            version: 2,
            channels: Channels::Rgb,
            mean: normalization.mean.to_vec(),
            std: normalization.std.to_vec(),
            ..self
        }
    }

    /// A preparation for grey images of the input's height and width on black; pictures of another size are
    /// stretched.
    pub fn grey(
        input: InputShape,
        normalization: Normalization,
        classes: Vec<String>,
        subject: Subject,
    ) -> Self {
        Self {
            version: 1,
            height: input.height,
            width: input.width,
            channels: Channels::Grey,
            subject,
            fit: Fit::Stretch,
            background: 0.0,
            range: [0.0, 1.0],
            mean: vec![normalization.mean[0]],
            std: vec![normalization.std[0]],
            classes,
        }
    }

    /// The same preparation, but pictures are used whole.
    #[must_use]
    pub fn whole(self) -> Self {
        Self { subject: Subject::Whole, ..self }
    }

    /// Shape of the prepared images, and the number of classes.
    pub fn input(&self) -> InputShape {
        let channels = self.channels.count();
        InputShape { channels, height: self.height, width: self.width, classes: self.classes.len() }
    }

    /// The normalization of pixels in 0..=255.
    pub fn normalization(&self) -> Normalization {
        let mut normalization = Normalization::of_all(0.0, 1.0);
        for (slot, value) in normalization.mean.iter_mut().zip(&self.mean) {
            *slot = *value;
        }
        for (slot, value) in normalization.std.iter_mut().zip(&self.std) {
            *slot = *value;
        }
        normalization
    }

    /// Checks that every value is valid and supported by this version.
    ///
    /// # Errors
    ///
    /// The first value that is not.
    pub fn check(&self) -> Result<(), PreparationError> {
        let wrong =
            |key, value: String, expected| Err(PreparationError::Value { key, value, expected });
        if !(1..=Self::VERSION).contains(&self.version) {
            return Err(PreparationError::Version { found: self.version.into() });
        }
        for (key, side) in [("height", self.height), ("width", self.width)] {
            if !(1..=SIDE_MAX).contains(&side) {
                return wrong(key, side.to_string(), "a number of pixels from 1 to 8192");
            }
        }
        if !(0.0..=1.0).contains(&self.background) {
            return wrong("background", self.background.to_string(), "a brightness from 0 to 1");
        }
        if self.range != [0.0, 1.0] {
            return wrong("range", format!("{:?}", self.range), "[0, 1]");
        }
        let channels = self.channels.count();
        if self.mean.len() != channels || !self.mean.iter().all(|mean| mean.is_finite()) {
            return wrong("mean", format!("{:?}", self.mean), "a number for each channel");
        }
        if self.std.len() != channels || !self.std.iter().all(|std| std.is_finite() && *std > 0.0) {
            return wrong("std", format!("{:?}", self.std), "a number above 0 for each channel");
        }
        if self.subject == Subject::Digit && self.channels != Channels::Grey {
            return wrong("subject", "digit".into(), "`whole` for images in colour");
        }
        if self.classes.len() < 2 {
            return wrong("classes", format!("{:?}", self.classes), "at least two names");
        }
        let mut seen = BTreeSet::new();
        if let Some(name) = self.classes.iter().find(|name| !seen.insert(*name)) {
            let value = format!("a list with {name:?} more than once");
            return wrong("classes", value, "a name of its own for each class");
        }
        Ok(())
    }

    /// Checks that the prepared images fit the network of `spec`.
    ///
    /// # Errors
    ///
    /// Those of [`check`](Self::check), and [`PreparationError::OtherInput`].
    pub fn check_fits(&self, spec: &Spec) -> Result<(), PreparationError> {
        self.check()?;
        let (prepared, taken) = (self.input(), spec.input());
        if prepared == taken {
            return Ok(());
        }
        let words = |input: InputShape| {
            let InputShape { channels, height, width, classes } = input;
            format!("{channels}×{height}×{width} images of {classes} classes")
        };
        Err(PreparationError::OtherInput { prepared: words(prepared), taken: words(taken) })
    }

    /// Rows and columns that a picture should be [decoded to](Picture::decode_for) at least, like the training images;
    /// `None` for digits, which are cut out of the whole picture.
    pub(crate) fn decode_size(&self) -> Option<[usize; 2]> {
        (self.subject == Subject::Whole).then(|| self.frame().decode_size())
    }

    /// Turns a picture into the network's input, `[channels, height, width]` bytes.
    ///
    /// A picture that already looks like a training image is used as it is: one of the same size and, for
    /// digits, on black paper. A digit of that size on white paper is only inverted.
    ///
    /// `invert` says whether a digit is in dark or light ink. Whole pictures are inverted with
    /// [`Invert::Always`], and otherwise not.
    ///
    /// # Errors
    ///
    /// For digits, if the picture is blank or its ink cannot be distinguished from its paper.
    pub fn prepare(&self, picture: &Picture, invert: Invert) -> Result<Vec<u8>, PictureError> {
        if self.subject == Subject::Whole {
            return Ok(self.frame().take(picture, invert == Invert::Always));
        }
        let grey = picture.grey();
        if let Some(image) = self.as_trained(&grey, invert) {
            return Ok(image);
        }
        let drawing = ink::find(grey, invert)?;
        ink::center(&drawing, self.width, self.height).ok_or(PictureError::Blank)
    }

    /// The pixels of a picture that has the size of the training images and black paper, or white paper,
    /// when they are inverted; `None` for any other picture, and for a blank one.
    fn as_trained(&self, grey: &Grey, invert: Invert) -> Option<Vec<u8>> {
        if grey.alpha.is_some() || (grey.height, grey.width) != (self.height, self.width) {
            return None;
        }
        let paper = median(grey.border());
        if grey.values.iter().all(|value| (value - paper).abs() <= PAPER_SPREAD) {
            return None;
        }
        let bytes = to_bytes(&grey.values);
        if paper <= PAPER_SPREAD && invert != Invert::Always {
            Some(bytes)
        } else if paper >= 1.0 - PAPER_SPREAD && invert != Invert::Never {
            Some(bytes.into_iter().map(|byte| 255 - byte).collect())
        } else {
            None
        }
    }

    fn frame(&self) -> Frame {
        Frame {
            channels: self.channels.count(),
            height: self.height,
            width: self.width,
            fit: self.fit.into(),
            background: self.background,
        }
    }

    /// The preparation in words.
    pub fn describe(&self) -> String {
        let (height, width) = (self.height, self.width);
        let size = match (self.subject, self.fit) {
            (Subject::Digit, _) => format!(
                "a digit in ink on paper; unless it already is {height}×{width} on black, it is made light on dark, cropped, scaled into the frame of MNIST and centred by mass"
            ),
            (Subject::Whole, Fit::Stretch) => {
                format!("the whole picture, stretched to {height}×{width} unless it has that size")
            }
            (Subject::Whole, Fit::Pad) => {
                format!("the whole picture, scaled into {height}×{width} and padded")
            }
            (Subject::Whole, Fit::Crop) => {
                format!("the whole picture, scaled over {height}×{width} and cropped")
            }
        };
        match (self.channels, &self.mean[..], &self.std[..]) {
            (Channels::Grey, [mean], [std]) => {
                format!("{size}; grey, 0 to 1; then (x − {mean}) / {std}")
            }
            (_, mean, std) => format!(
                "{size}; red, green and blue, 0 to 1; then (x − {mean:?}) / {std:?}, channel by channel"
            ),
        }
    }
}

/// How far paper may be from black or white: in MNIST it is black, but JPEG changes it a little.
const PAPER_SPREAD: f32 = 0.1;

/// The median brightness of the border of training images.
fn background(images: &Subset) -> f32 {
    const IMAGES_MAX: usize = 1000;
    if images.is_empty() {
        return 0.0;
    }
    let step = images.len().div_ceil(IMAGES_MAX);
    let borders = (0..images.len()).step_by(step).flat_map(|at| {
        let values: Vec<f32> =
            images.image(at).iter().map(|&byte| f32::from(byte) / 255.0).collect();
        ink::border(&values, images.height(), images.width())
    });
    median(borders.collect())
}

fn median(mut values: Vec<f32>) -> f32 {
    let middle = values.len() / 2;
    *values.select_nth_unstable_by(middle, f32::total_cmp).1
}
