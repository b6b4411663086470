//! Overrides of a resumed run's study, of which only those of `[notify]` and `[run]` are possible.

use super::error::LaunchError;
use super::session::recorded_study;
use super::source::StudySource;
use crate::ledger::RunFolder;
use crate::spec::{Override, StudyFile};

/// The study that a run began with, with these overrides.
///
/// # Errors
///
/// [`LaunchError::Fixed`] if they would change anything but `[notify]` and `[run]`.
pub(super) fn overridden_study(
    folder: &RunFolder,
    overrides: &[Override],
) -> Result<StudySource, LaunchError> {
    let recorded = recorded_study(folder)?;
    if overrides.is_empty() {
        return Ok(recorded.into());
    }
    let begun = recorded.parse()?;
    let changed = recorded.with_overrides(overrides.to_vec());
    let requested_study = changed.parse()?;
    let with_old_notify = StudyFile {
        notify: begun.notify.clone(),
        run: begun.run.clone(),
        ..requested_study.clone()
    };
    if with_old_notify == begun {
        return Ok(changed.into());
    }
    let settings: Vec<String> =
        overrides.iter().map(|set| format!("{} {set}", set.origin())).collect();
    Err(LaunchError::Fixed {
        folder: folder.path().into(),
        settings: settings.join(" "),
        lines: changed_lines(&begun.to_toml(), &with_old_notify.to_toml()),
    })
}

/// The lines that only one of two texts has: removed ones after `- `, added ones after `+ `.
fn changed_lines(before: &str, after: &str) -> Vec<String> {
    let has = |text: &str, line: &str| text.lines().any(|other| other == line);
    let removed = before.lines().filter(|line| !has(after, line)).map(|line| format!("- {line}"));
    let added = after.lines().filter(|line| !has(before, line)).map(|line| format!("+ {line}"));
    removed.chain(added).collect()
}
