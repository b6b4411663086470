//! Checks that a resumed run has the images that it began with.
//!
//! Files are compared by content and role, not by location or compression.

// In a circle with images: loading images uses these hashes, and they are compared here.
// In a circle with error: a launch checks its data here, and `OtherData` is one of its errors.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::launch::{LaunchError, describe};
use crate::data::folder::Part;
use crate::data::{Loaded, Origin, SPLIT_VERSION, Split};
use crate::ledger::{DataOrigin, RunFolder, RunFolderError};

/// How the images differ from those that a run began with.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OtherData {
    /// Different files, or different content.
    #[error(
        "the data is not what {} began with:{}\nrestore the data, or start a new run",
        folder.display(),
        lines(differences)
    )]
    Content {
        /// The run folder.
        folder: PathBuf,
        /// A clause for each difference.
        differences: Vec<String>,
    },
    /// The same files, but different validation images are chosen from them.
    #[error(
        "{} was started by a version of burgeon that chose different validation images (split version {then}; this version has {SPLIT_VERSION}), so its accuracy would now be measured on images that it was trained on; start a new run, or resume with the version that started it",
        folder.display()
    )]
    Split {
        /// The run folder.
        folder: PathBuf,
        /// The version of the split in the record.
        then: u32,
    },
}

fn lines(differences: &[String]) -> String {
    differences.iter().map(|difference| format!("\n  {difference}")).collect()
}

impl DataOrigin {
    /// The part of an origin that is recorded.
    pub fn of(origin: &Origin) -> Self {
        Self {
            origin: describe(origin),
            // A record is text, so a path that is not UTF-8 is left out.
            dir: origin.dir().map(absolute).and_then(|dir| dir.to_str().map(str::to_owned)),
            fallback: origin.fallback_reason().map(str::to_owned),
            split: is_carved(origin).then_some(SPLIT_VERSION),
            sha256: digests(origin),
        }
    }
}

/// The absolute path; `path` itself if the current folder was deleted.
pub(super) fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

/// SHA-256 of the content of every file, by file name.
fn digests(origin: &Origin) -> BTreeMap<String, String> {
    if let Origin::Framed { content, .. } = origin {
        return content.clone();
    }
    let name = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    origin.files().iter().map(|file| (name(&file.path), file.sha256.clone())).collect()
}

/// Whether validation images are chosen from the training images.
fn is_carved(origin: &Origin) -> bool {
    !matches!(origin, Origin::Synthetic { .. })
}

/// SHA-256 in hex of the images, labels and splits.
pub fn data_hash(loaded: &Loaded) -> String {
    let data = &loaded.dataset;
    let mut hash = Sha256::new();
    let parts = by_part(&digests(&loaded.origin));
    hash.update(serde_json::to_string(&parts).unwrap_or_default());
    if let Origin::Synthetic { generator, seed, .. } = &loaded.origin {
        hash.update(format!("synthetic {generator} {seed}"));
    }
    hash.update(format!("{} {} {}", data.train.len(), data.validation.len(), data.test.len()));
    if is_carved(&loaded.origin) {
        hash.update(format!(" split {SPLIT_VERSION}"));
    }
    hex::encode(hash.finalize())
}

/// The same hashes by the role of the file: `train-labels` and so on.
fn by_part(sha256: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let part =
        |name: &String| Part::of_name(name).map_or_else(|| name.clone(), |part| part.role().into());
    sha256.iter().map(|(name, sha256)| (part(name), sha256.clone())).collect()
}

/// The differences between recorded and present data, a clause each.
fn differences(then: &DataOrigin, now: &DataOrigin) -> Vec<String> {
    let (old, new) = (by_part(&then.sha256), by_part(&now.sha256));
    if old == new {
        return Vec::new();
    }
    if old.is_empty() || new.is_empty() || old.keys().ne(new.keys()) {
        return vec![format!("{} recorded, {} now", then.origin, now.origin)];
    }
    let changed = old.iter().filter_map(|(part, old)| {
        let new = new.get(part).filter(|new| *new != old)?;
        Some(format!("{part}: sha256 {old} recorded, {new} now"))
    });
    changed.chain(moved(then, now)).collect()
}

fn moved(then: &DataOrigin, now: &DataOrigin) -> Option<String> {
    let is_same = match (&then.dir, &now.dir) {
        (Some(then), Some(now)) => then == now,
        _ => then.origin == now.origin,
    };
    (!is_same).then(|| format!("{} recorded, {} now", then.origin, now.origin))
}

/// The data in a run's provenance; `None` for a run without provenance.
pub(super) fn recorded_origin(folder: &RunFolder) -> Result<Option<DataOrigin>, RunFolderError> {
    match folder.read_provenance() {
        Ok(provenance) => Ok(Some(provenance.data)),
        Err(RunFolderError::File(error)) if error.is_not_found() => Ok(None),
        Err(error) => Err(error),
    }
}

/// Compares the content of the images, and how `split` is chosen, with what the run began with. A run without
/// provenance is not compared.
pub(super) fn check_same_data(
    folder: &RunFolder,
    now: &DataOrigin,
    split: Split,
) -> Result<(), LaunchError> {
    if let Some(then) = recorded_origin(folder)? {
        check_content(folder, &then, now)?;
        check_split(folder, &then, now, split)?;
    }
    Ok(())
}

/// Compares the content of the files.
fn check_content(folder: &RunFolder, then: &DataOrigin, now: &DataOrigin) -> Result<(), OtherData> {
    match differences(then, now) {
        none if none.is_empty() => Ok(()),
        differences => Err(OtherData::Content { folder: folder.path().into(), differences }),
    }
}

/// Compares how a split is chosen. The test split has always been the whole test file.
fn check_split(
    folder: &RunFolder,
    then: &DataOrigin,
    now: &DataOrigin,
    split: Split,
) -> Result<(), OtherData> {
    // Runs of version 0.1.0 do not record it.
    let version = then.split.unwrap_or(1);
    match now.split.is_some() && split != Split::Test && version != SPLIT_VERSION {
        false => Ok(()),
        true => Err(OtherData::Split { folder: folder.path().into(), then: version }),
    }
}

#[cfg(test)]
mod tests;
