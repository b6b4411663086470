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
/// How deep folders of data are looked at.
const DEPTH_MAX: u32 = 16;

/// What changes when files are added, removed or written: how many there are, their bytes, and the newest time.
pub(super) type Stamp = (u64, u64, Option<SystemTime>);

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
        // It is written into another folder.
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
        // The layers are those of the model. Copies of an image could be in two folds, and jobs elsewhere know no feedback.
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

    /// Whether the content of the study's data is other than when production was trained, and than when it was last
    /// trained on. Data that cannot be read now has not changed.
    pub(super) fn data_changed(
        &mut self,
        settings: &RetrainSettings,
        alias: &Alias,
        decided: &[(Record, Retraining)],
    ) -> bool {
        match self.look_at_data(settings, alias, decided) {
            Ok(changed) => changed,
            Err(error) => {
                self.output
                    .warn(&format!("the study's data is not looked at: {}", error_chain(&error)));
                false
            }
        }
    }

    fn look_at_data(
        &mut self,
        settings: &RetrainSettings,
        alias: &Alias,
        decided: &[(Record, Retraining)],
    ) -> Result<bool, CliError> {
        let file = self.study(settings, alias)?;
        let Some(path) = &file.data.path else { return Ok(false) };
        let mut stamp = (alias.record, 0, None);
        look(path, 0, &mut stamp);
        if let Some((seen, changed)) = self.data_seen
            && seen == stamp
        {
            return Ok(changed);
        }
        let loaded = launch(self.common, Growth::Off).load(&file, &mut View::new(self.silent()))?;
        let now = data_hash(&DataOrigin::of(&loaded.origin).sha256);
        let then = data_hash(&self.provenance(alias)?.data.sha256);
        let last = decided.iter().rev().find(|(_, last)| !last.data.is_empty());
        let changed = now != then && last.is_none_or(|(_, last)| last.data != now);
        self.data_seen = Some((stamp, changed));
        Ok(changed)
    }
}

/// Of files that are looked at, their number, bytes and newest time.
fn look(path: &Path, depth: u32, stamp: &mut Stamp) {
    let Ok(found) = std::fs::metadata(path) else { return };
    let (count, bytes, newest) = stamp;
    (*count, *bytes) = (*count + 1, bytes.wrapping_add(found.len()));
    *newest = (*newest).max(found.modified().ok());
    if found.is_dir() && depth < DEPTH_MAX {
        let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
        entries.for_each(|entry| look(&entry.path(), depth + 1, stamp));
    }
}

/// Of the hashes of a study's files, one.
pub(super) fn data_hash(sha256: &BTreeMap<String, String>) -> String {
    hex::encode(Sha256::digest(serde_json::to_vec(sha256).unwrap_or_default()))
}
