//! What is wrong with a configuration: the key, the problem, and what would be valid.

use std::path::{Component, Path};

use crate::spec::{NotifySpec, RunSpec};

/// An invalid value: its key, the problem, and what would be valid.
pub(super) struct Problem {
    pub(super) key: String,
    pub(super) problem: String,
    pub(super) help: &'static str,
}

impl Problem {
    pub(super) fn new(key: &str, problem: String, help: &'static str) -> Self {
        Self { key: key.into(), problem, help }
    }
}

/// Checks a `[notify]`; the problem names its own key.
pub(super) fn check_notify(key: &str, notify: &NotifySpec) -> Result<(), Problem> {
    match notify.problems().into_iter().next() {
        Some(problem) => Err(Problem::new(key, problem, "see docs/notify.md")),
        None => Ok(()),
    }
}

/// Checks a `[run]`; the problem names its own key.
pub(super) fn check_run(key: &str, run: &RunSpec) -> Result<(), Problem> {
    match run.problems().into_iter().next() {
        Some(problem) => Err(Problem::new(key, problem, "see docs/scale.md")),
        None => Ok(()),
    }
}

/// Whether a path stays in the folder that it starts from.
pub(in crate::chain) fn is_inside(path: &Path) -> bool {
    path.components().next().is_some()
        && path.components().all(|part| matches!(part, Component::Normal(_)))
}
