//! The images that a study is launched on: loaded as `[data]` says, or a program's own.

use std::collections::BTreeMap;
use std::path::Path;

use sha2::{Digest, Sha256};

use crate::data::{Dataset, Loaded, Origin, Subset};
use crate::ledger::DataOrigin;
use crate::spec::{DataSpec, Fallback, InputShape, Source};

/// Images, where they come from, and the hash that tells them from others.
pub(super) struct StudyImages {
    pub(super) dataset: Dataset,
    pub(super) origin: DataOrigin,
    pub(super) hash: String,
}

/// The images of a program, and what it calls them.
#[derive(Debug, Clone)]
pub(super) struct OwnImages {
    pub(super) dataset: Dataset,
    pub(super) name: String,
}

impl StudyImages {
    pub(super) fn loaded(loaded: Loaded) -> Self {
        let hash = data_hash(&loaded);
        let origin = DataOrigin {
            origin: describe(&loaded.origin),
            fallback: loaded.origin.fallback_reason().map(str::to_owned),
            sha256: digests(&loaded.origin),
        };
        Self { dataset: loaded.dataset, origin, hash }
    }

    pub(super) fn own(own: OwnImages) -> Self {
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
        Self { dataset, origin: DataOrigin { origin: name, fallback: None, sha256 }, hash }
    }
}

impl OwnImages {
    /// What `[data]` says of them.
    pub(super) fn spec(&self) -> DataSpec {
        DataSpec {
            source: Source::Own,
            fallback: Fallback::None,
            validation: self.dataset.validation.len(),
            train: Some(self.dataset.train.len()),
            ..DataSpec::default()
        }
    }
}

/// SHA-256 in hex over the size, the pixels and the labels of a split, in its order.
fn split_hash(split: &Subset) -> String {
    let mut hash = Sha256::new();
    hash.update(format!("{} {} {}\n", split.len(), split.height(), split.width()));
    for image in 0..split.len() {
        hash.update(split.image(image));
        hash.update([split.label(image)]);
    }
    hex::encode(hash.finalize())
}

/// What the data hands to a network.
pub fn input_shape(data: &Dataset) -> InputShape {
    let [channels, height, width] = data.input_shape();
    InputShape { channels, height, width, classes: data.classes.len() }
}

/// Where images come from, in words.
pub fn describe(origin: &Origin) -> String {
    match origin {
        Origin::Mnist { dir, .. } => format!("MNIST in {}", dir.display()),
        Origin::Idx { dir, .. } => format!("IDX files in {}", dir.display()),
        Origin::Synthetic { generator, seed, .. } => {
            format!("built-in digits (generator {generator}, seed {seed})")
        }
    }
}

fn digests(origin: &Origin) -> BTreeMap<String, String> {
    match origin {
        Origin::Mnist { files, .. } | Origin::Idx { files, .. } => {
            let name =
                |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            files.iter().map(|file| (name(&file.path), file.sha256.clone())).collect()
        }
        Origin::Synthetic { .. } => BTreeMap::new(),
    }
}

/// SHA-256 in hex over what the images are and how they are split.
pub fn data_hash(loaded: &Loaded) -> String {
    let data = &loaded.dataset;
    let mut hash = Sha256::new();
    hash.update(serde_json::to_string(&digests(&loaded.origin)).unwrap_or_default());
    if let Origin::Synthetic { generator, seed, .. } = &loaded.origin {
        hash.update(format!("synthetic {generator} {seed}"));
    }
    hash.update(format!("{} {} {}", data.train.len(), data.validation.len(), data.test.len()));
    hex::encode(hash.finalize())
}
