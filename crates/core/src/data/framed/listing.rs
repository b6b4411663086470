//! The images of a source before they are decoded: their classes, splits and files.

use std::path::{Path, PathBuf};

use burgeon_pixels::{Picture, PictureError, read_bounded};

use super::room::{MemoryBudget, Reservation};
use crate::data::DataError;
use crate::data::pixels::Pixels;

/// The images of a source, with their classes and splits.
#[derive(Debug, Clone)]
pub struct Listing {
    /// What was read: a folder or a file.
    pub root: PathBuf,
    /// The name of each class, by label.
    pub classes: Vec<String>,
    /// One for each image.
    pub entries: Vec<Entry>,
    /// Their content.
    pub content: Content,
    /// Files that are not pictures, judged by name or content, and folders without pictures.
    pub skipped: Vec<PathBuf>,
    /// Folders and files of a split without classes, and how many images they have, which cannot be used.
    pub unlabelled: Vec<(String, usize)>,
}

/// An image that was listed.
#[derive(Debug, Clone, Copy)]
pub struct Entry {
    /// Its class.
    pub label: u16,
    /// The split that the source puts it in.
    pub given: Given,
}

/// The split that the source puts an image in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Given {
    /// The training images, from which other splits may be taken.
    Train,
    /// The validation images.
    Validation,
    /// The test images.
    Test,
}

impl Given {
    /// All of them, in the order of their numbers in a cache file.
    pub const ALL: [Self; 3] = [Self::Train, Self::Validation, Self::Test];

    /// The split that a folder, column or file of this name stands for.
    pub fn of_name(name: &str) -> Option<Self> {
        match name.to_lowercase().as_str() {
            "train" | "training" => Some(Self::Train),
            "val" | "valid" | "validation" => Some(Self::Validation),
            "test" | "testing" => Some(Self::Test),
            _ => None,
        }
    }

    /// Its name in a record.
    pub fn role(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Validation => "validation",
            Self::Test => "test",
        }
    }
}

/// Where the pixels are, in the order of the entries.
#[derive(Debug, Clone)]
pub enum Content {
    /// A picture file each.
    Files(Vec<PathBuf>),
    /// Raw images, `[count, channels, height, width]`, in parts that may differ in shape.
    Arrays(Vec<Part>),
}

/// Raw images of one shape, one after another.
#[derive(Debug, Clone)]
pub struct Part {
    /// Bytes.
    pub pixels: Pixels,
    /// `[channels, height, width]` of each.
    pub shape: [usize; 3],
}

impl Part {
    fn image_len(&self) -> usize {
        self.shape.iter().product()
    }

    /// How many images there are.
    pub fn count(&self) -> usize {
        self.pixels.len() / self.image_len().max(1)
    }
}

impl Listing {
    /// A listing of which every image has a class, and that skips nothing.
    pub fn of(root: &Path, classes: Vec<String>, entries: Vec<Entry>, content: Content) -> Self {
        let (skipped, unlabelled) = (Vec::new(), Vec::new());
        Self { root: root.into(), classes, entries, content, skipped, unlabelled }
    }

    /// Whether the source has images of a split.
    pub fn gives(&self, given: Given) -> bool {
        self.entries.iter().any(|entry| entry.given == given)
    }

    /// What an image is called in messages.
    pub fn name(&self, index: usize) -> String {
        match &self.content {
            Content::Files(paths) => paths[index].display().to_string(),
            Content::Arrays(_) => {
                let entry = self.entries[index];
                let same = self.entries[..index].iter().filter(|other| other.given == entry.given);
                format!("{} image {}", entry.given.role(), same.count())
            }
        }
    }

    /// The bytes of an image's file; `None` for a raw image.
    fn file(&self, index: usize) -> Option<Result<Vec<u8>, PictureError>> {
        let Content::Files(paths) = &self.content else {
            return None;
        };
        Some(read_bounded(&paths[index]))
    }

    fn array(&self, mut index: usize) -> (&[u8], [usize; 3]) {
        if let Content::Arrays(parts) = &self.content {
            for part in parts {
                if index < part.count() {
                    let len = part.image_len();
                    return (&part.pixels[index * len..][..len], part.shape);
                }
                index -= part.count();
            }
        }
        (&[], [1, 0, 0])
    }

    /// Rows and columns of an image, from its file's header.
    pub fn size(&self, index: usize) -> Result<(usize, usize), PictureError> {
        match self.file(index) {
            Some(bytes) => Picture::size_of(&bytes?),
            None => {
                let [_, height, width] = self.array(index).1;
                Ok((height, width))
            }
        }
    }

    /// An image, decoded once there is room for it, at no less than the [wanted size](Picture::decode_for).
    pub fn picture<'a>(
        &self,
        index: usize,
        wanted: Option<[usize; 2]>,
        room: &'a MemoryBudget,
    ) -> Result<(Picture, Option<Reservation<'a>>), PictureError> {
        match self.file(index) {
            Some(bytes) => {
                let mut place = None;
                let picture = Picture::decode_within(&bytes?, wanted, &mut |bytes| {
                    place = Some(room.take(bytes));
                })?;
                Ok((picture, place))
            }
            None => {
                let (pixels, shape) = self.array(index);
                Ok((Picture::of_planes(pixels, shape), None))
            }
        }
    }

    /// The files that hold the images; empty for arrays.
    pub fn files(&self) -> Vec<PathBuf> {
        match &self.content {
            Content::Files(files) => files.clone(),
            Content::Arrays(_) => Vec::new(),
        }
    }
}

/// Checks that a data set has a supported number of classes.
pub fn check_classes(root: &Path, classes: usize) -> Result<(), DataError> {
    match classes {
        2..=crate::data::splits::CLASSES_MAX => Ok(()),
        0 | 1 => Err(DataError::malformed(
            root,
            format!(
                "its images are of {classes} class{}, but a classifier needs at least 2",
                if classes == 1 { "" } else { "es" }
            ),
        )),
        _ => Err(DataError::malformed(
            root,
            format!(
                "it has {classes} classes; at most {} are supported",
                crate::data::splits::CLASSES_MAX
            ),
        )),
    }
}
