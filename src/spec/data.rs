//! `[data]`: where images come from, what is made of them, and how many are set aside.

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
    /// Where the images come from.
    pub source: Source,
    /// What happens when MNIST can neither be found nor fetched, and no folder was named for it.
    pub fallback: Fallback,
    /// Images set aside for validation, which the gate and the policies read: a number, or a share of those
    /// that are not for testing. Unless said, a fifth, but at most 5,000; nothing where the data has a
    /// validation split of its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub validation: Option<Amount>,
    /// Images set aside for testing where the data has no test split of its own: a number, or a share.
    /// Unless said, a fifth, but at most 10,000.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub test: Option<Amount>,
    /// Use only so many training images, after validation has been carved out.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub train: Option<usize>,
    /// The folder of the images, or their file; with `source = "mnist"`, in place of the usual ones. A
    /// relative one is taken from the folder of the study file; with `--set`, from the current one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<PathBuf>,
    /// With `source = "folder"`: a CSV file with a line for each picture, its file and its class. Without
    /// one, the folder that a picture lies in is its class.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub labels: Option<PathBuf>,
    /// Pixels a side of the images that the network sees, or `[height, width]`. Unless said, that of the
    /// images where all have the same and at most 96 pixels a side, else 64.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<Size>,
    /// How a picture of another shape is brought to this one: `crop` unless said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fit: Option<Fit>,
    /// 1 for grey, 3 for colour. Unless said, colour where some image is not grey.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channels: Option<usize>,
    /// Leave out pictures that cannot be read, and name them, instead of ending with an error.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub skip_unreadable: bool,
    /// Memory that images may take, such as `"2 GB"`: more of them are decoded into a file that is read as
    /// they are needed. Unless said, half of what the machine has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory: Option<Bytes>,
    /// The folder in which decoded images are kept, so that they are decoded once. Unless said, that in
    /// `BURGEON_CACHE`, or `burgeon/images` in `XDG_CACHE_HOME` or `~/.cache`. A relative one is taken from
    /// the folder of the study file. It may be emptied at any time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cache: Option<PathBuf>,
    /// Whether the pictures to classify show digits in ink on paper, which are made light on dark and
    /// centred as MNIST's are. If not, they are taken whole. Unless said, `mnist` and `synthetic` do
    /// and other sources do not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub centre_digits: Option<bool>,
}

impl DataSpec {
    /// Whether pictures to classify are digits that are centred as MNIST's are.
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

/// Where images come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    /// The MNIST database, found on disk or downloaded.
    Mnist,
    /// A folder of IDX files of any image size and class count.
    Idx,
    /// A folder of pictures: PNG, JPEG, WebP, GIF, BMP, TIFF or PNM, in a folder for each class.
    Folder,
    /// A folder with the binary files of CIFAR-10 or CIFAR-100.
    Cifar,
    /// An archive of NumPy arrays, as MedMNIST has them.
    Npz,
    /// A file with a line for each image, its class and its pixels, as Kaggle's digits are; or a folder with
    /// one such file for each split.
    Csv,
    /// The built-in drawn digits.
    Synthetic,
    /// Images that a program hands over to the library; the command cannot load them.
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

    /// Whether images are brought to one size and number of channels, as `size`, `fit` and `channels` say.
    pub fn is_framed(self) -> bool {
        matches!(self, Self::Folder | Self::Cifar | Self::Npz | Self::Csv)
    }
}

/// What happens when MNIST can neither be found nor fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Fallback {
    /// Warn, record it, and train on the built-in digits.
    Synthetic,
    /// Fail.
    None,
}

/// How a picture of another size becomes one of the network's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Fit {
    /// Scaled until it fills the frame; what hangs over on both sides is cut off.
    #[default]
    Crop,
    /// Scaled until all of it fits; the background fills the rest.
    Pad,
    /// Each axis is scaled for itself.
    Stretch,
}

/// How many images are set aside.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Amount {
    /// So many.
    Count(usize),
    /// This share of them, above 0 and below 1.
    Share(f64),
}

impl Amount {
    /// So many of `total`, rounded, at least one of a share.
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
                    Err(_) => Err(E::custom(format_args!("{count} images are fewer than none"))),
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

/// Rows and columns in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// Rows.
    pub height: usize,
    /// Columns.
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
                    Err(_) => Err(E::custom(format_args!("no image has {side} pixels a side"))),
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
mod tests {
    use super::*;

    fn data(text: &str) -> Result<DataSpec, String> {
        toml::from_str(text).map_err(|error: toml::de::Error| error.message().to_owned())
    }

    #[test]
    fn amounts_are_numbers_or_shares_and_sizes_one_side_or_two() {
        let spec = data("validation = 500\ntest = 0.25\nsize = [32, 48]").unwrap();
        assert_eq!(spec.validation, Some(Amount::Count(500)));
        assert_eq!(spec.test, Some(Amount::Share(0.25)));
        assert_eq!(spec.size, Some(Size { height: 32, width: 48 }));
        assert_eq!(data("size = 64").unwrap().size, Some(Size { height: 64, width: 64 }));
        let text = toml::to_string(&spec).unwrap();
        assert_eq!(data(&text).unwrap(), spec, "{text}");
    }

    #[test]
    fn what_is_neither_says_what_would_be_right() {
        for wrong in ["validation = \"many\"", "validation = -1", "test = true"] {
            let error = data(wrong).unwrap_err();
            assert!(error.contains("images"), "{wrong}: {error}");
        }
        for wrong in ["size = [1, 2, 3]", "size = [1]", "size = \"big\"", "size = -4"] {
            let error = data(wrong).unwrap_err();
            assert!(error.contains("side"), "{wrong}: {error}");
        }
    }

    #[test]
    fn a_share_is_rounded_and_never_nothing() {
        assert_eq!(Amount::Share(0.2).of(2527), 505);
        assert_eq!(Amount::Share(0.2).of(2), 1);
        #[cfg(feature = "train")]
        assert_eq!(Amount::fifth(60_000, 5000), Amount::Count(5000));
        #[cfg(feature = "train")]
        assert_eq!(Amount::fifth(2527, 5000), Amount::Share(0.2));
    }
}
