//! Reads a registry's folder, at any time and without a lock.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::alias::Alias;
use super::error::RegistryError;
use super::held_out::{HeldOut, HeldOutSet};
use super::judge::{Judgement, Judges, judge_feedback};
use super::lock::lock;
use super::name::is_alias_name;
use super::record::{Action, Record, sha256};
use super::settings::Settings;
use super::version::{self, Manifest, version_name};
use crate::retrain::Retraining;
use crate::sys::files::{Files, PathKind};

pub(super) const SETTINGS_FILE: &str = "registry.toml";
pub(super) const HELD_OUT: &str = "held-out";
pub(super) const VERSIONS: &str = "versions";
pub(super) const ALIASES: &str = "aliases";
pub(super) const RECORDS: &str = "records";
/// The folder of the request log and stored images.
const REQUESTS: &str = "requests";
/// The folder of retrainings.
const RETRAIN: &str = "retrain";
const RETRAIN_STATE: &str = "state.json";
const SETTINGS_BYTES_MAX: u64 = 1 << 20;
const ALIAS_BYTES_MAX: u64 = 1 << 20;
/// The reasons of a judgement and the names of classes are short.
const RECORD_BYTES_MAX: u64 = 16 << 20;

/// A registry.
#[derive(Debug, Clone)]
pub(crate) struct Registry {
    pub(super) files: Arc<dyn Files>,
    pub(super) folder: PathBuf,
}

impl Registry {
    /// Opens a registry.
    ///
    /// # Errors
    ///
    /// If the folder is not a registry.
    pub fn open(files: Arc<dyn Files>, folder: impl Into<PathBuf>) -> Result<Self, RegistryError> {
        let registry = Self { files, folder: folder.into() };
        match registry.files.kind(&registry.settings_file())? {
            Some(PathKind::File) => Ok(registry),
            _ => Err(RegistryError::NoRegistry { folder: registry.folder }),
        }
    }

    /// Creates a registry, unless it exists; returns whether it is new. If several processes do so at once, one creates
    /// it, and the others wait.
    ///
    /// # Errors
    ///
    /// Those of [`Registry::begin`], and if another process holds its lock for too long.
    pub fn create(
        files: &Arc<dyn Files>,
        folder: &Path,
        settings: &Settings,
        held_out: &HeldOut,
    ) -> Result<(Self, bool), RegistryError> {
        // Before the lock, which would leave a folder behind.
        held_out.check()?;
        files.create_folders(folder)?;
        let _lock = lock(files, folder, "creating the registry")?;
        match Self::open(Arc::clone(files), folder) {
            Err(RegistryError::NoRegistry { .. }) => {
                Ok((Self::begin(Arc::clone(files), folder, settings, held_out)?, true))
            }
            opened => Ok((opened?, false)),
        }
    }

    /// Creates a registry, unless it exists. The settings are written last, so that an incomplete folder is not a
    /// registry, and is created again.
    ///
    /// # Errors
    ///
    /// If there are no held-out images, or too many, or a file cannot be written.
    pub fn begin(
        files: Arc<dyn Files>,
        folder: impl Into<PathBuf>,
        settings: &Settings,
        held_out: &HeldOut,
    ) -> Result<Self, RegistryError> {
        let registry = Self { files, folder: folder.into() };
        let Self { files, folder } = &registry;
        if files.kind(&registry.settings_file())?.is_some() {
            return Ok(registry);
        }
        held_out.check()?;
        for name in [VERSIONS, ALIASES, RECORDS] {
            files.create_folders(&folder.join(name))?;
        }
        held_out.write(&**files, &folder.join(HELD_OUT))?;
        let text = settings.to_toml().map_err(|error| registry.wrong_settings(&error))?;
        files.write_atomically(&registry.settings_file(), text.as_bytes())?;
        Ok(registry)
    }

    /// Its folder.
    pub fn path(&self) -> &Path {
        &self.folder
    }

    /// The folder of the request log.
    pub fn requests(&self) -> PathBuf {
        self.folder.join(REQUESTS)
    }

    /// The folder of retrainings.
    pub fn retrain(&self) -> PathBuf {
        self.folder.join(RETRAIN)
    }

    /// The outcome of the last check of `burgeon retrain`; `None` if there was none.
    ///
    /// # Errors
    ///
    /// If it cannot be read.
    pub fn retraining_state(&self) -> Result<Option<serde_json::Value>, RegistryError> {
        match self.files.read(&self.retrain().join(RETRAIN_STATE), RECORD_BYTES_MAX) {
            Err(error) if error.is_not_found() => Ok(None),
            read => Ok(serde_json::from_slice(&read?).ok()),
        }
    }

    /// Stores the outcome of a check of `burgeon retrain`.
    ///
    /// # Errors
    ///
    /// If it cannot be written.
    pub fn keep_retraining_state(&self, state: &serde_json::Value) -> Result<(), RegistryError> {
        let bytes = serde_json::to_vec(state).unwrap_or_default();
        Ok(self.files.write_atomically(&self.retrain().join(RETRAIN_STATE), &bytes)?)
    }

    /// All decisions about retrainings, oldest first.
    ///
    /// # Errors
    ///
    /// If one cannot be read.
    pub fn retrainings(&self) -> Result<Vec<(Record, Retraining)>, RegistryError> {
        let mut found = Vec::new();
        for number in self.records()? {
            let record = self.record(number)?.0;
            if let Some(retraining) = record.retraining.clone()
                && record.action != Action::Added
            {
                found.push((record, retraining));
            }
        }
        Ok(found)
    }

    /// Judges a version on feedback images, compared with the previous version.
    ///
    /// # Errors
    ///
    /// If the settings cannot be read.
    pub fn judge_feedback(
        &self,
        accuracy: f64,
        images: &HeldOut,
        new: &[bool],
        before: (u64, &[bool]),
    ) -> Result<Judgement, RegistryError> {
        let (held_out, classes) = (&images.set.sha256, &images.set.classes);
        let judges = Judges { held_out, labels: &images.labels, classes };
        Ok(judge_feedback(&self.settings()?.promotion, accuracy, judges, new, before))
    }

    /// The folder of a version.
    pub fn version_folder(&self, version: u64) -> PathBuf {
        self.folder.join(VERSIONS).join(version_name(version))
    }

    /// The file of an alias.
    pub fn alias_file(&self, name: &str) -> PathBuf {
        self.folder.join(ALIASES).join(name)
    }

    pub(super) fn record_file(&self, record: u64) -> PathBuf {
        self.folder.join(RECORDS).join(format!("{record:08}.json"))
    }

    fn settings_file(&self) -> PathBuf {
        self.folder.join(SETTINGS_FILE)
    }

    fn wrong_settings(&self, why: &dyn std::fmt::Display) -> RegistryError {
        RegistryError::Settings { path: self.settings_file(), why: why.to_string() }
    }

    /// The current settings.
    ///
    /// # Errors
    ///
    /// If they cannot be read, or are not valid.
    pub fn settings(&self) -> Result<Settings, RegistryError> {
        let bytes = self.files.read(&self.settings_file(), SETTINGS_BYTES_MAX)?;
        let text = String::from_utf8_lossy(&bytes);
        let mut settings = Settings::parse(&text).map_err(|why| self.wrong_settings(&why))?;
        for (_, path) in settings.notify.paths() {
            let joined = self.folder.join(&*path);
            *path = std::path::absolute(&joined).unwrap_or(joined);
        }
        Ok(settings)
    }

    /// The held-out images.
    ///
    /// # Errors
    ///
    /// If they cannot be read, or were changed.
    pub fn held_out(&self) -> Result<HeldOut, RegistryError> {
        HeldOut::read(&*self.files, &self.folder.join(HELD_OUT))
    }

    /// The description of the held-out images.
    ///
    /// # Errors
    ///
    /// If it cannot be read.
    pub fn held_out_set(&self) -> Result<HeldOutSet, RegistryError> {
        HeldOutSet::read(&*self.files, &self.folder.join(HELD_OUT))
    }

    /// The numbers of all versions, in order.
    ///
    /// # Errors
    ///
    /// If the folder cannot be read.
    pub fn versions(&self) -> Result<Vec<u64>, RegistryError> {
        self.numbers(VERSIONS, "")
    }

    /// The numbers of all records, in order.
    ///
    /// # Errors
    ///
    /// If the folder cannot be read.
    pub fn records(&self) -> Result<Vec<u64>, RegistryError> {
        self.numbers(RECORDS, ".json")
    }

    fn numbers(&self, folder: &str, extension: &str) -> Result<Vec<u64>, RegistryError> {
        let names = self.files.list(&self.folder.join(folder))?;
        let number = |name: &String| {
            let digits = name.strip_suffix(extension)?;
            let is_number = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
            digits.parse().ok().filter(|&number: &u64| is_number && number > 0)
        };
        let mut numbers: Vec<u64> = names.iter().filter_map(number).collect();
        numbers.sort_unstable();
        Ok(numbers)
    }

    /// The manifest of a version and its hash; the other files are not checked.
    ///
    /// # Errors
    ///
    /// If there is no such version, or its manifest is damaged.
    pub fn manifest(&self, version: u64) -> Result<(Manifest, String), RegistryError> {
        let folder = self.version_folder(version);
        if self.files.kind(&folder)? != Some(PathKind::Folder) {
            return Err(RegistryError::NoVersion { version, versions: self.versions()? });
        }
        let (manifest, hash) = version::read(&*self.files, &folder)?;
        if manifest.version != version {
            let path = folder.join(version::MANIFEST_FILE);
            let why = format!("it belongs to version {}", manifest.version);
            return Err(RegistryError::Damaged { path, why });
        }
        Ok((manifest, hash))
    }

    /// The manifest of a version, after checking the hashes of all files, and that of the manifest if one is given.
    ///
    /// # Errors
    ///
    /// If something is missing or was changed.
    pub fn verified(
        &self,
        version: u64,
        manifest_hash: Option<&str>,
    ) -> Result<Manifest, RegistryError> {
        let (manifest, hash) = self.manifest(version)?;
        let folder = self.version_folder(version);
        if let Some(expected) = manifest_hash.filter(|expected| **expected != *hash) {
            let path = folder.join(version::MANIFEST_FILE);
            let why = format!("its SHA-256 is {hash}, not {expected}");
            return Err(RegistryError::Damaged { path, why });
        }
        manifest.check_files(&*self.files, &folder)?;
        Ok(manifest)
    }

    /// An alias; `None` if it does not exist.
    ///
    /// # Errors
    ///
    /// If the name is not valid, or its file cannot be read.
    pub fn alias(&self, name: &str) -> Result<Option<Alias>, RegistryError> {
        if !is_alias_name(name) {
            return Err(RegistryError::AliasName { name: name.into() });
        }
        let path = self.alias_file(name);
        let bytes = match self.files.read(&path, ALIAS_BYTES_MAX) {
            Err(error) if error.is_not_found() => return Ok(None),
            read => read?,
        };
        let alias: Alias = serde_json::from_slice(&bytes).map_err(|error| {
            RegistryError::Damaged { path: path.clone(), why: error.to_string() }
        })?;
        match alias.v == 1 && alias.alias == name && alias.version > 0 {
            true => Ok(Some(alias)),
            false => {
                let why =
                    "it belongs to another alias, or was written by another version of burgeon"
                        .into();
                Err(RegistryError::Damaged { path, why })
            }
        }
    }

    /// All aliases, by name.
    ///
    /// # Errors
    ///
    /// If one cannot be read.
    pub fn aliases(&self) -> Result<Vec<Alias>, RegistryError> {
        let names = self.files.list(&self.folder.join(ALIASES))?;
        let mut aliases = Vec::new();
        for name in names.iter().filter(|name| is_alias_name(name)) {
            aliases.extend(self.alias(name)?);
        }
        Ok(aliases)
    }

    /// A record and its hash.
    ///
    /// # Errors
    ///
    /// If it cannot be read.
    pub fn record(&self, record: u64) -> Result<(Record, String), RegistryError> {
        let path = self.record_file(record);
        let bytes = self.files.read(&path, RECORD_BYTES_MAX)?;
        let damaged = |why: String| RegistryError::Damaged { path: path.clone(), why };
        let found: Record =
            serde_json::from_slice(&bytes).map_err(|error| damaged(error.to_string()))?;
        match found.v == 1 && found.record == record {
            true => Ok((found, sha256(&bytes))),
            false => Err(damaged(
                "it has another number, or was written by another version of burgeon".into(),
            )),
        }
    }
}
