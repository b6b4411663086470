//! `[data]`: where the images come from, how they are prepared, and how they are split.

use std::borrow::Cow;
use std::fmt;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::de::{Deserializer, Error, SeqAccess, Visitor};
use serde::{Deserialize, Serialize, Serializer};

use super::bytes::Bytes;

/// `[data]` of a study file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct DataSpec {
    /// The kind of data set.
    pub source: Source,
    /// What to do when MNIST is neither found nor can be downloaded, and `path` is not set.
    pub fallback: Fallback,
    /// Images set aside for validation, on which trials are judged: a number of images, or a share of
    /// those that are not test images. Default: a fifth, at most 5,000; none where the data has a
    /// validation split of its own. With `[gate] folds` the first fold, and not to be set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub validation: Option<Amount>,
    /// Images set aside for testing where the data has no test split of its own: a number of images, or
    /// a share of all. Default: a fifth, at most 10,000.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub test: Option<Amount>,
    /// Train on only this many images, taken after the validation images were set aside; with `[gate]
    /// folds`, use only this many images for all folds together.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub train: Option<usize>,
    /// The folder or file to read; with `source = "mnist"`, instead of the default folders. A relative
    /// path starts from the study file's folder, or, given by `--set`, from the current folder.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<PathBuf>,
    /// With `source = "folder"`: a CSV file with a line for each picture, giving its file and its class.
    /// Without it, the name of a picture's folder is its class.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub labels: Option<PathBuf>,
    /// Size in pixels to which images are brought: one number for squares, or `[height, width]`. Default:
    /// the images' own size if they all share one of at most 96 pixels a side, else 64.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<Size>,
    /// How images of another shape are brought to `size`. Default: `crop`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fit: Option<Fit>,
    /// 1 for grey, 3 for colour. Default: 3 if any image has colour, else 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channels: Option<usize>,
    /// Leave out pictures that cannot be read, and list them, instead of ending with an error.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub skip_unreadable: bool,
    /// Most memory that images may use, such as `"2 GB"`; a larger data set is decoded into a file, from
    /// which images are read as they are needed. Default: half of the machine's memory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory: Option<Bytes>,
    /// The folder in which decoded images are kept, so that they are decoded only once. Default:
    /// `BURGEON_CACHE`, or else `burgeon/images` in `XDG_CACHE_HOME` or `~/.cache`. A relative path starts
    /// from the study file's folder. It may be emptied at any time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cache: Option<PathBuf>,
    /// Whether pictures to classify are digits written in ink on paper, to be cut out, made light on
    /// dark and centred as in MNIST; otherwise the whole picture is used. Default: true for `mnist` and
    /// `synthetic`, false for other sources.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub centre_digits: Option<bool>,
}

impl DataSpec {
    /// `centre-digits`, or its default for this source.
    pub fn centres_digits(&self) -> bool {
        self.centre_digits.unwrap_or(matches!(self.source, Source::Mnist | Source::Synthetic))
    }
}

impl Default for DataSpec {
    fn default() -> Self {
        Self {
            source: Source::Mnist,
            fallback: Fallback::None,
            validation: None,
            test: None,
            train: None,
            path: None,
            labels: None,
            size: None,
            fit: None,
            channels: None,
            skip_unreadable: false,
            memory: None,
            cache: None,
            centre_digits: None,
        }
    }
}

/// The kind of data set that images are read from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    /// The MNIST database, found on disk or downloaded.
    Mnist,
    /// A folder of IDX files, of any image size and number of classes.
    Idx,
    /// A folder of pictures: PNG, JPEG, WebP, GIF, BMP, TIFF or PNM, in a folder for each class.
    Folder,
    /// A folder with the binary files of CIFAR-10 or CIFAR-100.
    Cifar,
    /// A `.npz` archive of NumPy arrays, laid out like MedMNIST's.
    Npz,
    /// A CSV file with a line for each image, giving its class and its pixels, like that of Kaggle's Digit
    /// Recognizer; or a folder with one such file for each split.
    Csv,
    /// The built-in drawn digits.
    Synthetic,
    /// Images that a program gives to the library; the command cannot load them.
    Own,
}

impl Source {
    /// The name as study files spell it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Mnist => "mnist",
            Self::Idx => "idx",
            Self::Folder => "folder",
            Self::Cifar => "cifar",
            Self::Npz => "npz",
            Self::Csv => "csv",
            Self::Synthetic => "synthetic",
            Self::Own => "own",
        }
    }

    /// Whether images are brought to one size and number of channels: whether `size`, `fit`, `channels`
    /// and `test` may be set.
    pub fn is_framed(self) -> bool {
        matches!(self, Self::Folder | Self::Cifar | Self::Npz | Self::Csv)
    }
}

/// What to do when MNIST is neither found nor can be downloaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Fallback {
    /// Warn, record it, and train on the built-in drawn digits.
    Synthetic,
    /// End with an error.
    None,
}

/// How an image of another shape is brought to the size that the network sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Fit {
    /// Scale it to cover the frame, keeping its proportions, and cut off what extends beyond.
    #[default]
    Crop,
    /// Scale it to fit inside the frame, keeping its proportions, and fill the rest with background.
    Pad,
    /// Scale height and width independently.
    Stretch,
}

/// How many images to set aside: in a study file a whole number, or a share such as 0.2.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Amount {
    /// This many images.
    Count(usize),
    /// This share of the images, above 0 and below 1.
    Share(f64),
}

impl Amount {
    /// The number of images out of `total`; a share is rounded, and is at least one image.
    pub fn of(self, total: usize) -> usize {
        match self {
            Self::Count(count) => count,
            Self::Share(share) => ((total as f64 * share).round() as usize).max(1),
        }
    }

    /// A fifth of `total`, but at most `most`.
    #[cfg(feature = "train")]
    pub(crate) fn fifth(total: usize, most: usize) -> Self {
        if total / 5 > most { Self::Count(most) } else { Self::Share(0.2) }
    }
}

impl Serialize for Amount {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match *self {
            Self::Count(count) => serializer.serialize_u64(count as u64),
            Self::Share(share) => serializer.serialize_f64(share),
        }
    }
}

impl<'de> Deserialize<'de> for Amount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AmountVisitor;
        impl Visitor<'_> for AmountVisitor {
            type Value = Amount;

            fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
                formatter.write_str("a number of images, such as 500, or a share, such as 0.2")
            }

            fn visit_u64<E: Error>(self, count: u64) -> Result<Amount, E> {
                Ok(Amount::Count(usize::try_from(count).unwrap_or(usize::MAX)))
            }

            fn visit_i64<E: Error>(self, count: i64) -> Result<Amount, E> {
                match u64::try_from(count) {
                    Ok(count) => self.visit_u64(count),
                    Err(_) => Err(E::custom(format_args!(
                        "a number of images cannot be negative, but this is {count}"
                    ))),
                }
            }

            fn visit_f64<E: Error>(self, share: f64) -> Result<Amount, E> {
                Ok(Amount::Share(share))
            }
        }
        deserializer.deserialize_any(AmountVisitor)
    }
}

impl JsonSchema for Amount {
    fn schema_name() -> Cow<'static, str> {
        "Amount".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "description": "A number of images, or a share of them.",
            "anyOf": [
                { "type": "integer", "minimum": 1 },
                { "type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1 },
            ],
        })
    }
}

/// Height and width in pixels; in a study file one number for squares, or `[height, width]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// Rows of pixels.
    pub height: usize,
    /// Columns of pixels.
    pub width: usize,
}

impl Serialize for Size {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.height == self.width {
            serializer.serialize_u64(self.height as u64)
        } else {
            [self.height, self.width].serialize(serializer)
        }
    }
}

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct SizeVisitor;
        impl<'de> Visitor<'de> for SizeVisitor {
            type Value = Size;

            fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
                formatter.write_str("pixels a side, such as 64, or [height, width]")
            }

            fn visit_u64<E: Error>(self, side: u64) -> Result<Size, E> {
                let side = usize::try_from(side).unwrap_or(usize::MAX);
                Ok(Size { height: side, width: side })
            }

            fn visit_i64<E: Error>(self, side: i64) -> Result<Size, E> {
                match u64::try_from(side) {
                    Ok(side) => self.visit_u64(side),
                    Err(_) => Err(E::custom(format_args!(
                        "a size needs at least 1 pixel a side, but this is {side}"
                    ))),
                }
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut sides: A) -> Result<Size, A::Error> {
                let missing = || A::Error::custom("a size has two sides, [height, width]");
                let height = sides.next_element()?.ok_or_else(missing)?;
                let width = sides.next_element()?.ok_or_else(missing)?;
                match sides.next_element::<usize>()? {
                    None => Ok(Size { height, width }),
                    Some(_) => Err(missing()),
                }
            }
        }
        deserializer.deserialize_any(SizeVisitor)
    }
}

impl JsonSchema for Size {
    fn schema_name() -> Cow<'static, str> {
        "Size".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "description": "Pixels a side, or [height, width].",
            "anyOf": [
                { "type": "integer", "minimum": 1 },
                { "type": "array", "items": { "type": "integer", "minimum": 1 }, "minItems": 2, "maxItems": 2 },
            ],
        })
    }
}

#[cfg(test)]
mod tests;
