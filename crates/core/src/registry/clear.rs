//! Which versions are removed: by age and size, never one that an alias needs.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::alias::Alias;
use super::settings::KeepSettings;
use super::version::Manifest;

const DAY_SECONDS: u64 = 24 * 60 * 60;

/// The versions to remove, oldest first. `versions` are all versions in order.
pub(super) fn to_clear(
    keep: &KeepSettings,
    versions: &[Manifest],
    aliases: &[Alias],
    now: Timestamp,
) -> Vec<u64> {
    let mut needed: BTreeSet<u64> = aliases.iter().map(|alias| alias.version).collect();
    // And what a rollback goes to.
    for alias in aliases {
        let is_there = |version: &&u64| {
            **version != alias.version && versions.iter().any(|known| known.version == **version)
        };
        needed.extend(alias.history.iter().rev().find(is_there));
    }
    let newest = versions.iter().rev().take(usize::try_from(keep.versions).unwrap_or(usize::MAX));
    needed.extend(newest.map(|manifest| manifest.version));
    let mut bytes: u64 = versions.iter().map(Manifest::bytes).fold(0, u64::saturating_add);
    let mut cleared = Vec::new();
    for manifest in versions {
        let age = now.duration_since(manifest.added).as_secs();
        let is_old =
            keep.days.is_some_and(|days| age > days.saturating_mul(DAY_SECONDS).cast_signed());
        let is_too_much = keep.size.is_some_and(|most| bytes > most.0);
        if (is_old || is_too_much) && !needed.contains(&manifest.version) {
            bytes = bytes.saturating_sub(manifest.bytes());
            cleared.push(manifest.version);
        }
    }
    cleared
}
