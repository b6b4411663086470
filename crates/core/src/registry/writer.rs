//! Changes a registry, with one writer at a time.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;

use super::alias::Alias;
use super::clear::to_clear;
use super::error::RegistryError;
use super::folder::{HELD_OUT, RECORDS, Registry, VERSIONS};
use super::held_out::read_labels;
use super::judge::{Judgement, Judges, Measured, judge};
use super::lock::lock;
use super::name::is_alias_name;
use super::record::{Action, Record};
use super::version::{self, Draft, Manifest};
use crate::retrain::Retraining;
use crate::sys::clock::Clock;
use crate::sys::files::Files;
use crate::sys::lock::RunLock;

/// The writer of a registry, which holds its lock until it is dropped.
#[derive(Debug)]
pub(crate) struct Writer {
    registry: Registry,
    clock: Arc<dyn Clock>,
    by: String,
    /// What its decisions follow from.
    retraining: Option<(Retraining, Option<Judgement>)>,
    _lock: Option<RunLock>,
}

/// Whether a version is promoted regardless of the judgement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Force {
    /// Only if it is accepted.
    No,
    /// In any case, which is recorded.
    Yes,
}

/// The outcome of a promotion.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Promotion {
    /// The record of the decision.
    pub record: Record,
    /// The alias after it; `None` if it does not exist because the version was refused.
    pub alias: Option<Alias>,
}

impl Writer {
    /// Waits a while for other writers, then carries out the newest decision if a killed writer did not, and removes its
    /// temporary files. `by` says who writes.
    ///
    /// # Errors
    ///
    /// If another process holds the lock for too long, or a file cannot be written.
    pub fn open(
        registry: &Registry,
        clock: Arc<dyn Clock>,
        by: &str,
        command: &str,
    ) -> Result<Self, RegistryError> {
        let lock = lock(&registry.files, &registry.folder, command)?;
        Self::with(registry, clock, by, Some(lock))
    }

    /// Opens a writer without a lock, for simulated disks.
    #[cfg(test)]
    pub(super) fn unlocked(
        registry: &Registry,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, RegistryError> {
        Self::with(registry, clock, "test", None)
    }

    fn with(
        registry: &Registry,
        clock: Arc<dyn Clock>,
        by: &str,
        lock: Option<RunLock>,
    ) -> Result<Self, RegistryError> {
        let writer = Self {
            registry: registry.clone(),
            clock,
            by: by.into(),
            retraining: None,
            _lock: lock,
        };
        let files = &*writer.registry.files;
        for folder in [VERSIONS, RECORDS] {
            files.remove_leftovers(&writer.registry.folder.join(folder))?;
        }
        if let Some(&newest) = writer.registry.records()?.last() {
            let (record, _) = writer.registry.record(newest)?;
            writer.carry_out(&record)?;
        }
        Ok(writer)
    }

    /// Adds a retraining and its judgement on feedback to every record.
    pub fn for_retraining(self, retraining: Retraining, judgement: Option<Judgement>) -> Self {
        Self { retraining: Some((retraining, judgement)), ..self }
    }

    /// Records that a retraining led to no acceptable version.
    ///
    /// # Errors
    ///
    /// If a file cannot be written.
    pub fn refuse(&self, name: &str) -> Result<Record, RegistryError> {
        let record = Record {
            alias: Some(name.into()),
            from: self.registry.alias(name)?.map(|before| before.version),
            ..self.record(Action::Refused)?
        };
        self.write(&record)?;
        Ok(record)
    }

    /// Adds a version under the next number.
    ///
    /// # Errors
    ///
    /// If it does not fit the registry, was trained on too many of its held-out images, or cannot be written. Nothing is
    /// then added.
    pub fn add(&self, mut draft: Draft) -> Result<Manifest, RegistryError> {
        let set = self.registry.held_out_set()?;
        let settings = self.registry.settings()?.promotion;
        let manifest = &mut draft.manifest;
        let unfit = |why: String| Err(RegistryError::Unfit { why });
        if manifest.shape != set.shape {
            let ([c, h, w], [channels, height, width]) = (manifest.shape, set.shape);
            return unfit(format!(
                "its images are {c}×{h}×{w} (channels, height, width), but the held-out images {channels}×{height}×{width}"
            ));
        }
        if manifest.classes != set.classes {
            return unfit(format!(
                "its classes are {}, but those of the registry {}",
                listed(&manifest.classes),
                listed(&set.classes)
            ));
        }
        if draft.right.len() != set.images || manifest.held_out != set.sha256 {
            return unfit("it was measured on other held-out images".into());
        }
        settings.check_seen(manifest.seen.len(), set.images)?;
        manifest.version = self.next_version()?;
        manifest.added = self.now();
        let folder = self.registry.version_folder(manifest.version);
        let (manifest, hash) = version::write(&*self.registry.files, &folder, draft)?;
        let record = Record {
            to: Some(manifest.version),
            manifest: Some(hash),
            ..self.record(Action::Added)?
        };
        self.write(&record)?;
        Ok(manifest)
    }

    /// Judges a version and, if it is accepted or forced, moves an alias to it.
    ///
    /// # Errors
    ///
    /// If the version does not exist or is damaged, the alias already points to it, or a file cannot be written. The
    /// alias is then unchanged.
    pub fn promote(
        &self,
        name: &str,
        version: u64,
        force: Force,
    ) -> Result<Promotion, RegistryError> {
        let registry = &self.registry;
        let settings = registry.settings()?.promotion;
        let before = registry.alias(name)?;
        if before.as_ref().is_some_and(|before| before.version == version) {
            return Err(RegistryError::AlreadyThere { name: name.into(), version });
        }
        let (manifest, hash) = registry.manifest(version)?;
        manifest.check_files(&*registry.files, &registry.version_folder(version))?;
        let is_judged = settings.judged.iter().any(|judged| judged == name);
        let judgement = match is_judged {
            true => Some(self.judge(&settings, &manifest, before.as_ref())?),
            false => None,
        };
        let is_accepted = judgement.as_ref().is_none_or(|judgement| judgement.accepted);
        let moves = is_accepted || force == Force::Yes;
        let action = if moves { Action::Promoted } else { Action::Refused };
        let record = Record {
            alias: Some(name.into()),
            from: before.as_ref().map(|before| before.version),
            to: Some(version),
            manifest: Some(hash),
            forced: force == Force::Yes,
            judgement,
            ..self.record(action)?
        };
        let alias = if moves {
            self.decide(&record)?
        } else {
            self.write(&record)?;
            before
        };
        Ok(Promotion { record, alias })
    }

    /// Points an alias back to the previous version, which is not judged again.
    ///
    /// # Errors
    ///
    /// If there is no such alias or version, or a file cannot be written.
    pub fn roll_back(&self, name: &str) -> Result<Promotion, RegistryError> {
        let registry = &self.registry;
        let before =
            registry.alias(name)?.ok_or_else(|| RegistryError::NoAlias { name: name.into() })?;
        let known: BTreeSet<u64> = registry.versions()?.into_iter().collect();
        let is_other = |version: &&u64| **version != before.version && known.contains(version);
        let version = *before
            .history
            .iter()
            .rev()
            .find(is_other)
            .ok_or_else(|| RegistryError::NothingBefore { name: name.into() })?;
        let (manifest, hash) = registry.manifest(version)?;
        // Not the hashes, which take as long as reading the files: they are checked when the model is loaded.
        manifest.check_lengths(&*registry.files, &registry.version_folder(version))?;
        let record = Record {
            alias: Some(name.into()),
            from: Some(before.version),
            to: Some(version),
            manifest: Some(hash),
            ..self.record(Action::RolledBack)?
        };
        let alias = self.decide(&record)?;
        Ok(Promotion { record, alias })
    }

    /// Removes old versions according to the settings. Returns the removed ones.
    ///
    /// # Errors
    ///
    /// If a file cannot be read or removed.
    pub fn clear(&self) -> Result<Vec<u64>, RegistryError> {
        let registry = &self.registry;
        let keep = registry.settings()?.keep;
        let mut versions = Vec::new();
        for version in registry.versions()? {
            versions.push(registry.manifest(version)?.0);
        }
        let old = to_clear(&keep, &versions, &registry.aliases()?, self.now());
        if old.is_empty() {
            return Ok(old);
        }
        // Recorded first, so that no version vanishes without a record.
        self.write(&Record { cleared: old.clone(), ..self.record(Action::Cleared)? })?;
        for &version in &old {
            registry.files.remove_folder_atomically(&registry.version_folder(version))?;
        }
        Ok(old)
    }

    fn judge(
        &self,
        settings: &super::settings::PromotionSettings,
        new: &Manifest,
        before: Option<&Alias>,
    ) -> Result<Judgement, RegistryError> {
        let registry = &self.registry;
        let files = &*registry.files;
        let set = registry.held_out_set()?;
        let labels = read_labels(files, &registry.folder.join(HELD_OUT), &set)?;
        let right = |manifest: &Manifest| -> Result<Vec<bool>, RegistryError> {
            let folder = registry.version_folder(manifest.version);
            if manifest.held_out != set.sha256 {
                let path = folder.join(version::MANIFEST_FILE);
                let why =
                    "it was measured on held-out images other than those of the registry".into();
                return Err(RegistryError::Damaged { path, why });
            }
            manifest.right(files, &folder, set.images)
        };
        let new_right = right(new)?;
        let before = match before {
            Some(before) => {
                let manifest = registry.manifest(before.version)?.0;
                let right = right(&manifest)?;
                Some((manifest, right))
            }
            None => None,
        };
        let judges = Judges { held_out: &set.sha256, labels: &labels, classes: &set.classes };
        let before = before.as_ref().map(|(manifest, right)| measured(manifest, right));
        Ok(judge(settings, judges, &measured(new, &new_right), before.as_ref()))
    }

    /// Writes a decision, and moves its alias. If that fails before the alias has moved, the decision is deleted.
    fn decide(&self, record: &Record) -> Result<Option<Alias>, RegistryError> {
        let done = self.write(record).and_then(|()| self.carry_out(record));
        done.inspect_err(|_| {
            let alias = record.alias.as_deref().map(|name| self.registry.alias(name));
            let has_moved = alias.is_some_and(|alias| {
                alias.is_ok_and(|now| now.is_some_and(|now| now.record >= record.record))
            });
            // Otherwise the next writer would carry out a decision that was reported as failed, as it does if this fails.
            if !has_moved {
                let _ = self.registry.files.remove_file(&self.registry.record_file(record.record));
            }
        })
    }

    /// Moves the alias of a decision, unless it has been moved.
    fn carry_out(&self, record: &Record) -> Result<Option<Alias>, RegistryError> {
        let Some(name) = record.alias.as_deref().filter(|_| record.action.moves()) else {
            return Ok(None);
        };
        if !is_alias_name(name) {
            return Err(RegistryError::AliasName { name: name.into() });
        }
        let before = self.registry.alias(name)?;
        if before.as_ref().is_some_and(|before| before.record >= record.record) {
            return Ok(before);
        }
        let after = Alias::after(before.as_ref(), record);
        if let Some(alias) = &after {
            let mut json = serde_json::to_vec(alias).unwrap_or_default();
            json.push(b'\n');
            self.registry.files.write_atomically(&self.registry.alias_file(name), &json)?;
        }
        Ok(after)
    }

    /// A record with the next number; the rest has to be filled in.
    fn record(&self, action: Action) -> Result<Record, RegistryError> {
        let newest = self.registry.records()?.last().copied();
        let previous = match newest {
            Some(newest) => self.registry.record(newest)?.1,
            None => String::new(),
        };
        Ok(Record {
            v: 1,
            record: newest.unwrap_or(0) + 1,
            at: self.now(),
            by: self.by.clone(),
            action,
            alias: None,
            from: None,
            to: None,
            manifest: None,
            forced: false,
            judgement: None,
            retraining: self.retraining.as_ref().map(|(retraining, _)| retraining.clone()),
            judgement_of_feedback: self.retraining.as_ref().and_then(|(_, judged)| judged.clone()),
            cleared: Vec::new(),
            previous,
        })
    }

    fn write(&self, record: &Record) -> Result<(), RegistryError> {
        let mut json = serde_json::to_vec_pretty(record).unwrap_or_default();
        json.push(b'\n');
        Ok(self
            .registry
            .files
            .write_atomically(&self.registry.record_file(record.record), &json)?)
    }

    /// The next version number, which is never that of a removed version.
    fn next_version(&self) -> Result<u64, RegistryError> {
        let there = self.registry.versions()?.last().copied().unwrap_or(0);
        let mut newest = there;
        for record in self.registry.records()?.into_iter().rev() {
            let (record, _) = self.registry.record(record)?;
            if record.action == Action::Added {
                newest = newest.max(record.to.unwrap_or(0));
                break;
            }
        }
        Ok(newest + 1)
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }
}

fn measured<'a>(manifest: &'a Manifest, right: &'a [bool]) -> Measured<'a> {
    Measured {
        version: manifest.version,
        right,
        seen: &manifest.seen,
        size_bytes: manifest.size_bytes,
        latency_ms: manifest.latency_ms,
        data_checked: manifest.data_checked,
    }
}

fn listed(classes: &[String]) -> String {
    let shown: Vec<String> = classes.iter().take(12).map(|name| format!("{name:?}")).collect();
    let more = if classes.len() > shown.len() { ", …" } else { "" };
    format!("{}{more} ({})", shown.join(", "), classes.len())
}

impl Registry {
    /// The file system, for other files of the registry.
    pub fn files(&self) -> &Arc<dyn Files> {
        &self.files
    }
}
