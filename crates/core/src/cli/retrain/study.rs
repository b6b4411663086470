//! The study of a retraining, and whether its data has changed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use sha2::{Digest, Sha256};

use super::Retrainer;
use crate::cli::error::CliError;
use crate::cli::view::View;
use crate::cli::{document, launch, overrides};
use crate::ledger::{DataOrigin, Provenance};
use crate::registry::{Alias, Record, RegistryError};
use crate::retrain::{RetrainSettings, Retraining};
use crate::spec::{ModelSpec, RunSpec, Source, StudyDocument, StudyFile};
use crate::study::Growth;
use crate::sys::error_chain;

const FILE_BYTES_MAX: u64 = 16 << 20;
/// How deeply nested folders of data are scanned for changes.
const DEPTH_MAX: u32 = 16;

/// What changes when files are added, removed or written.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Stamp {
    path: PathBuf,
    files: u64,
    bytes: u64,
    newest: Option<SystemTime>,
}

/// The hash of the study's data, and the stamp that its files had when it was computed.
#[derive(Debug)]
pub(super) struct HashedData {
    stamp: Stamp,
    hash: String,
}

impl Retrainer<'_> {
    /// The study of a retraining, which starts from the version in production.
    pub(super) fn study(
        &self,
        settings: &RetrainSettings,
        alias: &Alias,
    ) -> Result<StudyFile, CliError> {
        let version = self.registry.version_folder(alias.version);
        let (document, folder) = match &settings.study {
            Some(path) => {
                let path = self.registry.path().join(path);
                let folder = path.parent().unwrap_or(Path::new("/")).to_owned();
                (document(Some(&path), self.common, self.output)?, folder)
            }
            None => {
                let path = version.join("study.toml");
                let text = self.registry.files().read(&path, FILE_BYTES_MAX);
                let text = String::from_utf8_lossy(&text.map_err(CliError::File)?).into_owned();
                let document = StudyDocument::new(path.display().to_string(), text);
                (document.with_overrides(overrides(self.common)), version.clone())
            }
        };
        let mut file = document.parse()?;
        // The study is written into another folder.
        for path in [&mut file.data.path, &mut file.data.cache].into_iter().flatten() {
            *path = folder.join(&*path);
        }
        file.notify.resolve_paths(|_, path| Ok::<PathBuf, CliError>(folder.join(path)))?;
        if file.data.source == Source::Mnist
            && file.data.path.is_none()
            && self.common.data.is_none()
        {
            file.data.path = self.provenance(alias)?.data.dir.map(PathBuf::from);
        }
        // The layers are those of the model. Copies of an image could be in two folds, and jobs elsewhere know no
        // feedback.
        file.model = ModelSpec { from: Some(version), ..ModelSpec::default() };
        file.gate.folds = None;
        file.run = RunSpec::default();
        Ok(file)
    }

    fn provenance(&self, alias: &Alias) -> Result<Provenance, CliError> {
        let path = self.registry.version_folder(alias.version).join("provenance.json");
        let bytes = self.registry.files().read(&path, FILE_BYTES_MAX).map_err(CliError::File)?;
        serde_json::from_slice(&bytes)
            .map_err(|error| RegistryError::Damaged { path, why: error.to_string() }.into())
    }

    /// Whether the content of the study's data differs both from what production was trained on and from what the last
    /// retraining was trained on. Data that cannot be read counts as unchanged.
    pub(super) fn data_changed(
        &mut self,
        settings: &RetrainSettings,
        alias: &Alias,
        decided: &[(Record, Retraining)],
    ) -> bool {
        match self.compare_data(settings, alias, decided) {
            Ok(changed) => changed,
            Err(error) => {
                self.output.warn(&format!(
                    "cannot check whether the study's data has changed: {}",
                    error_chain(&error)
                ));
                false
            }
        }
    }

    fn compare_data(
        &mut self,
        settings: &RetrainSettings,
        alias: &Alias,
        decided: &[(Record, Retraining)],
    ) -> Result<bool, CliError> {
        let file = self.study(settings, alias)?;
        let Some(path) = &file.data.path else { return Ok(false) };
        let stamp = Stamp::of(path);
        // Only the hash is remembered: each decision changes what it is compared with.
        let seen = self.data_seen.take().filter(|seen| seen.stamp == stamp);
        let hash = match seen {
            Some(seen) => seen.hash,
            None => {
                let mut view = View::new(self.training_output());
                let loaded = launch(self.common, Growth::Off).load(&file, &mut view)?;
                data_hash(&DataOrigin::of(&loaded.origin).sha256)
            }
        };
        let production = data_hash(&self.provenance(alias)?.data.sha256);
        let last = decided.iter().rev().find(|(_, last)| !last.data.is_empty());
        let changed = hash != production && last.is_none_or(|(_, last)| last.data != hash);
        self.data_seen = Some(HashedData { stamp, hash });
        Ok(changed)
    }
}

impl Stamp {
    fn of(path: &Path) -> Self {
        let mut stamp = Self { path: path.into(), files: 0, bytes: 0, newest: None };
        stamp.add(path, 0);
        stamp
    }

    /// Adds a file, or a folder with what is in it.
    fn add(&mut self, path: &Path, depth: u32) {
        let Ok(found) = std::fs::metadata(path) else { return };
        self.files += 1;
        self.bytes = self.bytes.wrapping_add(found.len());
        self.newest = self.newest.max(found.modified().ok());
        if found.is_dir() && depth < DEPTH_MAX {
            let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
            entries.for_each(|entry| self.add(&entry.path(), depth + 1));
        }
    }
}

/// One hash of the hashes of a study's files.
pub(super) fn data_hash(sha256: &BTreeMap<String, String>) -> String {
    hex::encode(Sha256::digest(serde_json::to_vec(sha256).unwrap_or_default()))
}
