//! The plan of a retraining, on disk: fixed when it begins, so that a retraining that is killed resumes with the same
//! images and the same study.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::cli::error::CliError;
use crate::registry::{Action, HeldOut, Record, Registry, RegistryError};
use crate::retrain::Retraining;
use crate::sys::files::PathKind;

const PLAN_FILE: &str = "round.json";
const STUDY_FILE: &str = "study.toml";
const BYTES_MAX: u64 = 16 << 20;
const SETS: [&str; 3] = ["new", "validation", "held-out"];
/// How many retrainings are kept on disk, the newest, besides that of the version in production.
const KEPT: u64 = 10;

/// What a retraining does, from the version that it starts from to the accuracy that it has to reach.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Plan {
    pub(super) v: u32,
    pub(super) retraining: Retraining,
    /// The version that it starts from, and the hash of its manifest.
    pub(super) production: u64,
    pub(super) manifest: String,
    /// The accuracy that the new model has to reach on held-out feedback.
    pub(super) accuracy: f64,
    /// The share of feedback among the training images.
    pub(super) share: f64,
}

impl Plan {
    /// The plan of the retraining that has begun and has no decision yet, if there is one.
    pub(super) fn unfinished(
        registry: &Registry,
        decided: &[(Record, Retraining)],
    ) -> Result<Option<Self>, CliError> {
        let Some(newest) = numbers(registry)?.last().copied() else { return Ok(None) };
        if decided.iter().any(|(_, known)| known.number == newest) {
            return Ok(None);
        }
        let path = folder(registry, newest).join(PLAN_FILE);
        let bytes = match registry.files().read(&path, BYTES_MAX) {
            Err(error) if error.is_not_found() => return Ok(None),
            read => read.map_err(CliError::File)?,
        };
        let damaged = |why: String| RegistryError::Damaged { path: path.clone(), why };
        let plan: Self =
            serde_json::from_slice(&bytes).map_err(|error| damaged(error.to_string()))?;
        match plan.v == 1 && plan.retraining.number == newest {
            true => Ok(Some(plan)),
            false => Err(damaged("it was written by another version of burgeon".into()).into()),
        }
    }

    /// The number of the next retraining: that of a decided one is never reused.
    pub(super) fn next_number(
        registry: &Registry,
        decided: &[(Record, Retraining)],
    ) -> Result<u64, CliError> {
        let decided = decided.iter().map(|(_, known)| known.number).max().unwrap_or(0);
        let there = numbers(registry)?.last().copied().unwrap_or(0);
        // A plan whose writing was interrupted is overwritten.
        Ok(there.max(decided + 1))
    }

    /// The feedback images of a retraining: those to train on, to validate on and to judge on.
    pub(super) fn images(registry: &Registry, number: u64) -> Result<[HeldOut; 3], CliError> {
        let [train, validation, held_out] = SETS
            .map(|name| HeldOut::read(&**registry.files(), &folder(registry, number).join(name)));
        Ok([train?, validation?, held_out?])
    }

    /// Writes the plan with its study and images, and removes old retrainings.
    pub(super) fn write(
        &self,
        registry: &Registry,
        study: &str,
        sets: &[HeldOut; 3],
    ) -> Result<(), CliError> {
        let files = &**registry.files();
        let own = self.folder(registry);
        let base = registry.retrainings()?;
        let base = promotion_of(&base, self.production).map(|(_, base)| base.number);
        let number = self.retraining.number;
        let is_old = |old: &u64| old + KEPT <= number && Some(*old) != base;
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
        let written = written.and_then(|()| files.write_atomically(&own.join(PLAN_FILE), &json));
        written.map_err(CliError::File)
    }

    /// The file of the study that is trained.
    pub(super) fn study_file(&self, registry: &Registry) -> PathBuf {
        self.folder(registry).join(STUDY_FILE)
    }

    pub(super) fn folder(&self, registry: &Registry) -> PathBuf {
        folder(registry, self.retraining.number)
    }
}

/// The decision that put a version into production, if it came from a retraining.
pub(super) fn promotion_of(
    decided: &[(Record, Retraining)],
    version: u64,
) -> Option<(&Record, &Retraining)> {
    let is_it = |record: &Record| record.action == Action::Promoted && record.to == Some(version);
    decided.iter().rev().find(|(record, _)| is_it(record)).map(|(record, own)| (record, own))
}

fn folder(registry: &Registry, number: u64) -> PathBuf {
    registry.retrain().join(format!("{number:06}"))
}

/// The numbers of all retrainings on disk, in order.
fn numbers(registry: &Registry) -> Result<Vec<u64>, CliError> {
    let files = registry.files();
    files.remove_leftovers(&registry.retrain()).map_err(CliError::File)?;
    let names = files.list(&registry.retrain()).map_err(CliError::File)?;
    let mut numbers: Vec<u64> = names.iter().filter_map(|name| name.parse().ok()).collect();
    numbers.sort_unstable();
    Ok(numbers)
}
