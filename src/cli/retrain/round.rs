//! A retraining on disk: fixed when it begins, so that one that was killed goes on with the same.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::cli::error::CliError;
use crate::registry::{Action, HeldOut, Record, Registry, RegistryError};
use crate::retrain::Retraining;
use crate::sys::files::PathKind;

const ROUND_FILE: &str = "round.json";
const STUDY_FILE: &str = "study.toml";
const BYTES_MAX: u64 = 16 << 20;
const SETS: [&str; 3] = ["new", "validation", "held-out"];
/// Rounds that are kept, the newest, besides that of the version in production.
const KEPT: u64 = 10;

/// A retraining that was begun.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Round {
    pub(super) v: u32,
    pub(super) retraining: Retraining,
    /// The version that it starts from, and the hash of its manifest.
    pub(super) production: u64,
    pub(super) manifest: String,
    /// What it has to reach on feedback.
    pub(super) accuracy: f64,
    /// The share of feedback in what is trained on.
    pub(super) share: f64,
}

impl Round {
    /// The decision that put a version into production, if it was a retraining.
    pub(super) fn of_version(
        decided: &[(Record, Retraining)],
        version: u64,
    ) -> Option<(&Record, &Retraining)> {
        let is_it =
            |record: &Record| record.action == Action::Promoted && record.to == Some(version);
        decided.iter().rev().find(|(record, _)| is_it(record)).map(|(record, own)| (record, own))
    }

    /// The one that was begun and has no decision.
    pub(super) fn begun(
        registry: &Registry,
        decided: &[(Record, Retraining)],
    ) -> Result<Option<Self>, CliError> {
        let Some(newest) = numbers(registry)?.last().copied() else { return Ok(None) };
        if decided.iter().any(|(_, known)| known.round == newest) {
            return Ok(None);
        }
        let path = folder(registry, newest).join(ROUND_FILE);
        let bytes = match registry.files().read(&path, BYTES_MAX) {
            Err(error) if error.is_not_found() => return Ok(None),
            read => read.map_err(CliError::File)?,
        };
        let damaged = |why: String| RegistryError::Damaged { path: path.clone(), why };
        let round: Self =
            serde_json::from_slice(&bytes).map_err(|error| damaged(error.to_string()))?;
        match round.v == 1 && round.retraining.round == newest {
            true => Ok(Some(round)),
            false => Err(damaged("it is of another version of burgeon".into()).into()),
        }
    }

    /// The number of the next one: that of a decided one is never given again.
    pub(super) fn next(
        registry: &Registry,
        decided: &[(Record, Retraining)],
    ) -> Result<u64, CliError> {
        let decided = decided.iter().map(|(_, known)| known.round).max().unwrap_or(0);
        let there = numbers(registry)?.last().copied().unwrap_or(0);
        // One that was cut short while it was written is written anew.
        Ok(there.max(decided + 1))
    }

    /// Images of feedback: to train on, to validate by and to judge by.
    pub(super) fn images(registry: &Registry, round: u64) -> Result<[HeldOut; 3], CliError> {
        let [train, validation, held_out] = SETS
            .map(|name| HeldOut::read(&**registry.files(), &folder(registry, round).join(name)));
        Ok([train?, validation?, held_out?])
    }

    /// Writes it, and removes old ones.
    pub(super) fn write(
        &self,
        registry: &Registry,
        study: &str,
        sets: &[HeldOut; 3],
    ) -> Result<(), CliError> {
        let files = &**registry.files();
        let own = self.folder(registry);
        let base = registry.retrainings()?;
        let base = Self::of_version(&base, self.production).map(|(_, base)| base.round);
        let number = self.retraining.round;
        let is_old = |round: &u64| round + KEPT <= number && Some(*round) != base;
        for old in numbers(registry)?.into_iter().filter(is_old) {
            files.remove_folder_atomically(&folder(registry, old)).map_err(CliError::File)?;
        }
        if files.kind(&own).map_err(CliError::File)? == Some(PathKind::Folder) {
            files.remove_folder(&own).map_err(CliError::File)?;
        }
        for (name, set) in SETS.iter().zip(sets) {
            set.write(files, &own.join(name))?;
        }
        let json = serde_json::to_vec_pretty(self).unwrap_or_default();
        let written = files.write_atomically(&own.join(STUDY_FILE), study.as_bytes());
        let written = written.and_then(|()| files.write_atomically(&own.join(ROUND_FILE), &json));
        written.map_err(CliError::File)
    }

    /// The file of its study.
    pub(super) fn study_file(&self, registry: &Registry) -> PathBuf {
        self.folder(registry).join(STUDY_FILE)
    }

    pub(super) fn folder(&self, registry: &Registry) -> PathBuf {
        folder(registry, self.retraining.round)
    }
}

fn folder(registry: &Registry, round: u64) -> PathBuf {
    registry.retrain().join(format!("{round:06}"))
}

/// The numbers of all that are there, in order.
fn numbers(registry: &Registry) -> Result<Vec<u64>, CliError> {
    let files = registry.files();
    files.remove_leftovers(&registry.retrain()).map_err(CliError::File)?;
    let names = files.list(&registry.retrain()).map_err(CliError::File)?;
    let mut numbers: Vec<u64> = names.iter().filter_map(|name| name.parse().ok()).collect();
    numbers.sort_unstable();
    Ok(numbers)
}
