//! Results of examining a data set: counts by class and split, and findings.

use serde::{Deserialize, Serialize};

/// One of the three parts of a data set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Split {
    /// The images that the network is trained on.
    Train,
    /// The images on which trials are judged.
    Validation,
    /// The images that are evaluated only after a model is accepted.
    Test,
}

impl Split {
    /// `training`, `validation` or `test`, for messages.
    pub fn name(self) -> &'static str {
        match self {
            Self::Train => "training",
            Self::Validation => "validation",
            Self::Test => "test",
        }
    }
}

/// How many images each class has in each split, by label.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct SplitCounts {
    /// In the training split.
    pub train: Vec<usize>,
    /// In the validation split.
    pub validation: Vec<usize>,
    /// In the test split.
    pub test: Vec<usize>,
}

/// Something unusual about a data set. Classes are given by label.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "finding", rename_all = "snake_case")]
#[non_exhaustive]
pub enum DataFinding {
    /// All images of a split are of one class.
    OneClass {
        /// The split.
        split: Split,
        /// The class.
        class: usize,
    },
    /// A split has classes without training images, which cannot be learned.
    NotTrained {
        /// The split.
        split: Split,
        /// The classes.
        classes: Vec<usize>,
    },
    /// A split has no images of some trained classes, whose accuracy is therefore not measured.
    NotMeasured {
        /// The split.
        split: Split,
        /// The classes.
        classes: Vec<usize>,
    },
    /// No split has images of these classes, although larger labels occur.
    NoImages {
        /// The classes.
        classes: Vec<usize>,
    },
    /// Classes have fewer images than there are folds, so that not every fold has one.
    FewerThanFolds {
        /// How many folds there are.
        folds: usize,
        /// The classes.
        classes: Vec<usize>,
    },
    /// One class has most of the images.
    Majority {
        /// The split.
        split: Split,
        /// The class.
        class: usize,
        /// Its share of the split's images, 0..=1.
        share: f64,
    },
    /// Images of one split are also in another one, pixel for pixel.
    SharedImages {
        /// The split on which accuracy is measured.
        split: Split,
        /// The split that also has them.
        other: Split,
        /// Number of images of `split` that are in both.
        images: usize,
    },
    /// Images with the same pixels have different labels.
    ConflictingLabels {
        /// Number of such images in all splits.
        images: usize,
    },
    /// Files that cannot be read and were left out.
    Unreadable {
        /// How many.
        files: usize,
        /// The first of them, each with what is wrong.
        named: Vec<String>,
    },
    /// Files that are not pictures and folders without any, which were skipped.
    NoPictures {
        /// How many.
        files: usize,
        /// The first of them.
        named: Vec<String>,
    },
    /// Images of a split without classes, which are not used.
    Unlabelled {
        /// The folder or file that has them.
        name: String,
        /// How many.
        images: usize,
    },
    /// Images that are identical to another one, pixel for pixel.
    Duplicates {
        /// How many, not counting the first of each group of copies.
        images: usize,
        /// The first of them, each with its copies.
        named: Vec<String>,
    },
    /// Images whose pixels all have the same value.
    ConstantImages {
        /// The split.
        split: Split,
        /// How many.
        images: usize,
    },
}

impl DataFinding {
    /// The finding as a clause; `names` holds the class names by label.
    pub fn words(&self, names: &[String]) -> String {
        let name = |class: usize| names.get(class).cloned().unwrap_or_else(|| class.to_string());
        match self {
            Self::OneClass { split, class } => {
                format!("all {} images are of class {}", split.name(), name(*class))
            }
            Self::NotTrained { split, classes } => format!(
                "no training image is of class {}, though {} images are",
                listed(classes, name),
                split.name()
            ),
            Self::NotMeasured { split, classes } => format!(
                "no {} image is of class {}: accuracy on that class is not measured",
                split.name(),
                listed(classes, name)
            ),
            Self::NoImages { classes } => format!("no image is of class {}", listed(classes, name)),
            Self::FewerThanFolds { folds, classes } => format!(
                "there are {folds} folds, but fewer images of class {}: some folds have none of that class",
                listed(classes, name)
            ),
            Self::Majority { split, class, share } => format!(
                "{:.2} % of the {} images are of class {}",
                share * 100.0,
                split.name(),
                name(*class)
            ),
            Self::SharedImages { split, other, images } => format!(
                "{} also in the {} split, pixel for pixel, so accuracy measured on them is not held-out accuracy",
                counted(*images, split.name()),
                other.name()
            ),
            Self::ConflictingLabels { images } => format!(
                "{images} images have the same pixels as an image of another class: at most one of the labels is right"
            ),
            Self::Unreadable { files, named } => format!(
                "{files} {} left out: {}",
                if *files == 1 {
                    "file that cannot be read was"
                } else {
                    "files that cannot be read were"
                },
                first_of(named, *files, "; ")
            ),
            Self::NoPictures { files, named } => format!(
                "{files} {} skipped: {}",
                if *files == 1 {
                    "file or folder without pictures of a known format was"
                } else {
                    "files or folders without pictures of a known format were"
                },
                first_of(named, *files, ", ")
            ),
            Self::Unlabelled { name, images } => format!(
                "{name} has {images} {} without class labels: {} not used, and images for that split are set aside from the training images",
                if *images == 1 { "image" } else { "images" },
                if *images == 1 { "it is" } else { "they are" },
            ),
            Self::Duplicates { images, named } => format!(
                "{images} {} of another image; copies are always put into the same split: {}",
                if *images == 1 { "image is a copy" } else { "images are copies" },
                first_of(named, named.len(), "; ")
            ),
            Self::ConstantImages { split, images } => {
                format!(
                    "{} without content: all pixels have the same value",
                    counted(*images, split.name())
                )
            }
        }
    }
}

/// The named ones, and how many more there are.
fn first_of(named: &[String], all: usize, between: &str) -> String {
    match all.saturating_sub(named.len()) {
        0 => named.join(between),
        more => format!("{}{between}and {more} more", named.join(between)),
    }
}

/// `1 test image is`, `7 test images are`.
fn counted(images: usize, split: &str) -> String {
    match images {
        1 => format!("1 {split} image is"),
        images => format!("{images} {split} images are"),
    }
}

/// `3`, `3 or 4`, `1, 2 or 3`; of many, only the first ones.
fn listed(classes: &[usize], name: impl Fn(usize) -> String) -> String {
    const SHOWN: usize = 10;
    let mut names: Vec<String> = classes.iter().take(SHOWN).map(|&class| name(class)).collect();
    if classes.len() > SHOWN {
        names.push(format!("{} others", classes.len() - SHOWN));
    }
    match names.as_slice() {
        [] => String::new(),
        [only] => only.clone(),
        [first @ .., last] => format!("{} or {last}", first.join(", ")),
    }
}
