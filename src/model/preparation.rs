//! How a picture becomes a network's input: a part of the model, carried in every file that holds one.

use serde::{Deserialize, Serialize};

use crate::data::frame::{Frame, GREY_BACKGROUND};
use crate::data::image_file::{Grey, Invert, Picture, PictureError, border, to_bytes};
use crate::data::{CHANNELS_MAX, Dataset, Normalization, Subset, center, ink};
use crate::spec::{Fit, InputShape, Spec};

/// What is done to a picture before the network sees it.
///
/// Its JSON form stands in `model.safetensors` (metadata `burgeon`), in `model.onnx` (metadata `burgeon.preparation`)
/// and in `card.md`. A reader refuses a [`version`](Self::version) that it does not know. Version 2 has colour;
/// descriptions of grey images stay in version 1, which older readers know.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Preparation {
    /// Of this description, at most [`Preparation::VERSION`].
    pub version: u32,
    /// Rows of the network's input.
    pub height: usize,
    /// Columns of the network's input.
    pub width: usize,
    /// What a pixel holds.
    pub channels: Channels,
    /// What a picture shows.
    pub subject: Subject,
    /// How a picture of another size is brought to this one, where it is taken whole.
    pub fit: Fit,
    /// Brightness, 0 to 1, of what lies behind transparent parts and of what is added around a picture.
    pub background: f32,
    /// What black and white become before normalization.
    pub range: [f32; 2],
    /// Subtracted from each channel of that range.
    pub mean: Vec<f32>,
    /// What each channel is divided by then.
    pub std: Vec<f32>,
    /// The name of each class, by label.
    pub classes: Vec<String>,
}

/// What a pixel holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Channels {
    /// Brightness alone; colours are weighted as in ITU-R BT.709.
    Grey,
    /// A red, a green and a blue plane.
    Rgb,
}

impl Channels {
    /// How many planes an image has.
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
    /// A digit in ink on paper: turned into light on dark, cropped, scaled and centred as MNIST's digits are.
    Digit,
    /// Anything: the whole picture is taken.
    Whole,
}

/// A preparation that this version cannot follow.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum PreparationError {
    /// It was written by a newer version.
    #[error(
        "the model's preparation is of version {found}; this burgeon knows versions up to {known}: use a newer one",
        known = Preparation::VERSION
    )]
    Version {
        /// Its version.
        found: u64,
    },
    /// One of its values cannot be.
    #[error("the model's preparation says `{key}` {value}; right would be {expected}")]
    Value {
        /// Which one.
        key: &'static str,
        /// What it says.
        value: String,
        /// What would be right.
        expected: &'static str,
    },
    /// The network takes other images.
    #[error("the model's preparation makes {prepared}, but its network takes {taken}")]
    OtherInput {
        /// What the preparation makes, in words.
        prepared: String,
        /// What the network takes, in words.
        taken: String,
    },
}

/// Longest side of a network's input.
const SIDE_MAX: usize = 8192;

impl Preparation {
    /// The version of the descriptions that this burgeon writes.
    pub const VERSION: u32 = 2;

    /// What a network of `spec` that was trained on `data` needs.
    pub fn new(spec: &Spec, data: &Dataset) -> Self {
        let subject =
            if spec.file().data.centres_digits() { Subject::Digit } else { Subject::Whole };
        let spoken = &spec.file().data;
        let grey = Self::grey(spec.input(), data.normalization, data.classes.clone(), subject);
        let prepared = match spec.input().channels {
            CHANNELS_MAX => grey.coloured(data.normalization),
            _ => grey,
        };
        if spoken.source.is_framed() {
            // As the training images were brought to their shape.
            let fit = spoken.fit.unwrap_or_default();
            return Self { fit, background: GREY_BACKGROUND, ..prepared };
        }
        Self { background: background(&data.train), ..prepared }
    }

    /// The same for images of red, green and blue.
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

    /// For grey images of that height and width on black, stretched where pictures have another size.
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

    /// The same for pictures that are taken whole, whatever they show.
    #[must_use]
    pub fn whole(self) -> Self {
        Self { subject: Subject::Whole, ..self }
    }

    /// The images that it makes, and how many classes it names.
    pub fn input(&self) -> InputShape {
        let channels = self.channels.count();
        InputShape { channels, height: self.height, width: self.width, classes: self.classes.len() }
    }

    /// What takes pixels from `0..=255` to the network's input.
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

    /// Checks that every value is one that this version can follow.
    ///
    /// # Errors
    /// The first that is not.
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
            return wrong("subject", "digit".into(), "`whole`, for images in colour");
        }
        if self.classes.len() < 2 {
            return wrong("classes", format!("{:?}", self.classes), "at least two names");
        }
        Ok(())
    }

    /// Checks that the network of `spec` takes what this makes.
    ///
    /// # Errors
    /// What is wrong with it or does not fit.
    pub fn check_fits(&self, spec: &Spec) -> Result<(), PreparationError> {
        self.check()?;
        let (made, taken) = (self.input(), spec.input());
        if made == taken {
            return Ok(());
        }
        let words = |input: InputShape| {
            let InputShape { channels, height, width, classes } = input;
            format!("{channels}×{height}×{width} images of {classes} classes")
        };
        Err(PreparationError::OtherInput { prepared: words(made), taken: words(taken) })
    }

    /// Turns a picture into the network's input, `[channels, height, width]` bytes. What looks like the training images is taken
    /// as it is: a picture that already has their size, and for digits their black paper (or white, as its negative).
    ///
    /// `invert` says which of light and dark is the ink of a digit. Of pictures that are taken whole,
    /// [`Invert::Always`] turns light into dark and dark into light, and the others change nothing.
    ///
    /// # Errors
    /// For digits, when the picture is blank or its ink cannot be told from its paper.
    pub fn prepare(&self, picture: &Picture, invert: Invert) -> Result<Vec<u8>, PictureError> {
        if self.subject == Subject::Whole {
            return Ok(self.frame().take(picture, invert == Invert::Always));
        }
        let grey = picture.grey();
        if let Some(image) = self.as_trained(&grey, invert) {
            return Ok(image);
        }
        let drawing = ink::find(grey, invert)?;
        center::center(&drawing, self.width, self.height).ok_or(PictureError::Blank)
    }

    /// The picture as it is where it has the size of the training images and their paper, which is black, or is the
    /// negative of one that has; `None` for any other, and for a blank one.
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
            fit: self.fit,
            background: self.background,
        }
    }

    /// The steps in words, for people.
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

/// How far paper may be from black or white: MNIST's is black, JPEG leaves a little more.
const PAPER_SPREAD: f32 = 0.1;

/// The brightness that the border of most training images has.
fn background(images: &Subset) -> f32 {
    const IMAGES_MAX: usize = 1000;
    if images.is_empty() {
        return 0.0;
    }
    let step = images.len().div_ceil(IMAGES_MAX);
    let borders = (0..images.len()).step_by(step).flat_map(|at| {
        let values: Vec<f32> =
            images.image(at).iter().map(|&byte| f32::from(byte) / 255.0).collect();
        border(&values, images.height(), images.width())
    });
    median(borders.collect())
}

fn median(mut values: Vec<f32>) -> f32 {
    let middle = values.len() / 2;
    *values.select_nth_unstable_by(middle, f32::total_cmp).1
}
