//! What `burgeon registry` prints.

use std::fmt::Write;

use burgeon_drift::probability;
use serde::Serialize;

use crate::cli::shown::shown;
use crate::cli::view::{grouped, percent};
use crate::registry::{
    Action, Alias, Judgement, Manifest, Promotion, Record, Registry, RegistryError, Verification,
};
#[cfg(feature = "serve")]
use crate::retrain::Retraining;
use crate::sys::clock::rfc3339;

const NAME_CHARACTERS_MAX: usize = 48;

/// A registry as JSON.
#[derive(Debug, Serialize)]
pub(super) struct Listed {
    v: u32,
    name: String,
    versions: Vec<ListedVersion>,
    aliases: Vec<Alias>,
}

#[derive(Debug, Serialize)]
struct ListedVersion {
    #[serde(flatten)]
    manifest: Manifest,
    aliases: Vec<String>,
}

pub(super) fn list_json(registry: &Registry) -> Result<Listed, RegistryError> {
    let aliases = registry.aliases()?;
    let mut versions = Vec::new();
    for version in registry.versions()? {
        let manifest = registry.manifest(version)?.0;
        versions.push(ListedVersion { aliases: names(&aliases, version), manifest });
    }
    Ok(Listed { v: 1, name: registry.settings()?.name, versions, aliases })
}

pub(super) fn list_text(registry: &Registry) -> Result<String, RegistryError> {
    let aliases = registry.aliases()?;
    let mut text = format!(
        "{:>7}  {:>9}  {:>10}  {:19}  {:24}  aliases\n",
        "version", "accuracy", "parameters", "added", "from"
    );
    for version in registry.versions()? {
        let manifest = registry.manifest(version)?.0;
        let _ = writeln!(
            text,
            "{version:>7}  {:>9}  {:>10}  {:.19}  {:24}  {}",
            percent(manifest.accuracy),
            grouped(manifest.parameters as usize),
            rfc3339(manifest.added),
            shown(&manifest.run, NAME_CHARACTERS_MAX),
            names(&aliases, version).join(", ")
        );
    }
    let set = registry.held_out_set()?;
    let _ = writeln!(
        text,
        "{}: judged on {} held-out images ({})",
        registry.settings()?.name,
        grouped(set.images),
        shown(&set.origin, 200)
    );
    Ok(text)
}

fn names(aliases: &[Alias], version: u64) -> Vec<String> {
    let here = aliases.iter().filter(|alias| alias.version == version);
    here.map(|alias| alias.alias.clone()).collect()
}

pub(super) fn promotion_json(promotion: &Promotion) -> serde_json::Value {
    serde_json::json!({ "v": 1, "decision": promotion.record, "alias": promotion.alias })
}

/// A decision about a retraining.
#[cfg(feature = "serve")]
pub(in crate::cli) fn decision_text(record: &Record) -> String {
    let mut text = String::new();
    if let Some(Retraining { number, cause, why, .. }) = &record.retraining {
        let _ = writeln!(text, "retraining {number} ({})", cause.words());
        if !why.is_empty() {
            let _ = writeln!(text, "- {why}");
        }
    }
    if let Some(judgement) = &record.judgement_of_feedback {
        text += "on feedback: ";
        text += &judgement_text(judgement);
    }
    text + &promotion_text(&Promotion { record: record.clone(), alias: None })
}

pub(super) fn promotion_text(promotion: &Promotion) -> String {
    let Record { record, action, alias, from, to, forced, judgement, .. } = &promotion.record;
    let name = alias.as_deref().unwrap_or_default();
    let to = to.unwrap_or_default();
    let mut text = judgement.as_ref().map(judgement_text).unwrap_or_default();
    let before =
        from.map_or("it was not set before".into(), |from| format!("it was version {from} before"));
    let _ = match action {
        Action::Refused => match from {
            Some(from) => {
                writeln!(text, "refused: {name} remains version {from} (record {record})")
            }
            None => writeln!(text, "refused: there is no {name} (record {record})"),
        },
        _ => {
            let force = match judgement {
                Some(judgement) if *forced && !judgement.accepted => ", by force",
                _ => "",
            };
            writeln!(text, "{name} is now version {to}{force}; {before} (record {record})")
        }
    };
    text
}

fn judgement_text(judgement: &Judgement) -> String {
    let Judgement { images, left_out, accuracy, interval: [low, high], gate, .. } = judgement;
    let mut text = format!(
        "accuracy {} ({} to {}) on {} held-out images; gate {}\n",
        percent(*accuracy),
        percent(*low),
        percent(*high),
        grouped(*images as usize),
        percent(*gate)
    );
    if *left_out > 0 {
        let _ = writeln!(text, "{left_out} images are not counted, because they were trained on");
    }
    if let Some(paired) = &judgement.paired {
        let _ = writeln!(
            text,
            "version {}: {}; images classified correctly only by that version: {}, only by this one: {}; {} (McNemar's exact test); the difference is at least {:+.2} points (level {})",
            paired.version,
            percent(paired.accuracy),
            paired.only_before,
            paired.only_new,
            probability(paired.p_value),
            paired.difference_least * 100.0,
            paired.level
        );
    }
    for reason in &judgement.reasons {
        let _ = writeln!(text, "- {reason}");
    }
    text
}

pub(super) fn verification_text(found: &Verification) -> String {
    let Verification { versions, records, aliases, faults } = found;
    let mut text = String::new();
    for fault in faults {
        let _ = writeln!(text, "- {fault}");
    }
    let verdict = match faults.len() {
        0 => "no faults".to_owned(),
        1 => "1 fault".into(),
        faults => format!("{faults} faults"),
    };
    let several = |count: u64, one: &str, more: &str| {
        format!("{} {}", grouped(count as usize), if count == 1 { one } else { more })
    };
    let versions = several(*versions, "version", "versions");
    let records = several(*records, "record", "records");
    let aliases = several(*aliases, "alias", "aliases");
    let _ = writeln!(text, "{versions}, {records}, {aliases}: {verdict}");
    text
}

pub(super) fn cleared_text(cleared: &[u64]) -> String {
    match cleared {
        [] => "there are no old versions to remove\n".into(),
        cleared => {
            let names: Vec<String> = cleared.iter().map(u64::to_string).collect();
            format!("removed version {}\n", names.join(", "))
        }
    }
}
