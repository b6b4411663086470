//! The images of a launch: loaded as `[data]` says, or given by the program.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

use crate::data::more::MoreImages;
use crate::data::{DataError, DataReport, Dataset, Loaded, Origin, Store, Subset};
use crate::ledger::DataOrigin;
use crate::spec::{Amount, DataSpec, Fallback, InputShape, Source};
use crate::study::recorded_data::data_hash;

/// Images, where they come from, and the hash by which a resumed run recognizes them.
pub(super) struct StudyImages {
    pub(super) dataset: Dataset,
    /// Number of images per class and split, and anything unusual about them.
    pub(super) report: DataReport,
    pub(super) origin: DataOrigin,
    pub(super) hash: String,
    /// What to write into `[data]`; `None` for images of a program.
    pub(super) chosen: Option<Origin>,
}

/// Images given by a program, with a name for the record.
#[derive(Debug, Clone)]
pub(super) struct OwnImages {
    pub(super) dataset: Dataset,
    pub(super) name: String,
}

impl StudyImages {
    pub(super) fn loaded(loaded: Loaded) -> Self {
        let hash = data_hash(&loaded);
        let origin = DataOrigin::of(&loaded.origin);
        let chosen = Some(loaded.origin);
        Self { dataset: loaded.dataset, report: loaded.report, origin, hash, chosen }
    }

    /// With more images. The origin still is that of the study's own data, which can so be found again.
    ///
    /// # Errors
    ///
    /// If they do not fit.
    pub(super) fn with_more(self, more: &MoreImages, store: &Store) -> Result<Self, DataError> {
        let Self { dataset, origin, hash, .. } = self;
        let count = more.train.count() + more.validation.count();
        let words = format!("{}, and {count} images of feedback", origin.origin);
        let (origin, hash) = (DataOrigin { origin: words, ..origin }, more.hash(&hash));
        Ok(Self { dataset: dataset.with_more(more, store)?, origin, hash, ..self })
    }

    /// # Errors
    ///
    /// If nothing can be learned from the images, or they are too few for the folds of the study with this seed.
    pub(super) fn own(own: OwnImages, folds: Option<usize>, seed: u64) -> Result<Self, DataError> {
        let OwnImages { dataset, name } = own;
        let splits = [
            ("train", &dataset.train),
            ("validation", &dataset.validation),
            ("test", &dataset.test),
        ];
        let sha256: BTreeMap<String, String> =
            splits.into_iter().map(|(name, split)| (name.to_owned(), split_hash(split))).collect();
        let mut hash = Sha256::new();
        for class in &dataset.classes {
            hash.update(format!("{class}\n"));
        }
        for (name, split) in &sha256 {
            hash.update(format!("{name} {split}\n"));
        }
        let hash = hex::encode(hash.finalize());
        let dataset = match folds {
            Some(folds) => dataset.folded(folds, seed)?,
            None => dataset,
        };
        let report = DataReport::of(&dataset);
        if let Some(problem) = report.refusal(&dataset.classes) {
            return Err(DataError::Request { problem });
        }
        let origin = DataOrigin { origin: name, dir: None, fallback: None, split: None, sha256 };
        Ok(Self { dataset, report, origin, hash, chosen: None })
    }
}

impl OwnImages {
    /// The `[data]` section that stands for them in the record.
    pub(super) fn spec(&self) -> DataSpec {
        DataSpec {
            source: Source::Own,
            fallback: Fallback::None,
            validation: Some(Amount::Count(self.dataset.validation.len())),
            train: Some(self.dataset.train.len()),
            ..DataSpec::default()
        }
    }
}

/// SHA-256 in hex over the size, the pixels and the labels of a split, in its order.
fn split_hash(split: &Subset) -> String {
    let mut hash = Sha256::new();
    let [channels, height, width] = split.shape();
    // Grey images have no such part, so that runs from before there were colour images can be resumed.
    let colour = if channels == 1 { String::new() } else { format!("{channels} ") };
    hash.update(format!("{colour}{} {height} {width}\n", split.len()));
    for image in 0..split.len() {
        hash.update(split.image(image));
        let label = split.label(image);
        match u8::try_from(label) {
            Ok(label) => hash.update([label]),
            Err(_) => hash.update(label.to_le_bytes()),
        }
    }
    hex::encode(hash.finalize())
}

/// Size, channels and classes of the images, as the network's input.
pub fn input_shape(data: &Dataset) -> InputShape {
    let [channels, height, width] = data.input_shape();
    InputShape { channels, height, width, classes: data.classes.len() }
}

/// Where images come from, in words.
pub fn describe(origin: &Origin) -> String {
    match origin {
        Origin::Mnist { dir, .. } => format!("MNIST in {}", dir.display()),
        Origin::Idx { dir, .. } => format!("IDX files in {}", dir.display()),
        Origin::Framed { source, dir, .. } => match source {
            Source::Folder => format!("pictures in {}", dir.display()),
            Source::Cifar => format!("CIFAR files in {}", dir.display()),
            Source::Npz => format!("NumPy arrays in {}", dir.display()),
            _ => format!("CSV images in {}", dir.display()),
        },
        Origin::Synthetic { generator, seed, .. } => {
            format!("built-in digits (generator {generator}, seed {seed})")
        }
    }
}
