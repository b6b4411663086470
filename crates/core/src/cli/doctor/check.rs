//! One check and its result.

use serde::Serialize;

/// How serious what was found is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// It is as it should be.
    Ok,
    /// It works, but perhaps not as wanted.
    Warning,
    /// burgeon, or the study, cannot run like this.
    Fault,
}

/// One check and its result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// What it is about: `data`, `device`, `disk`, …
    pub area: &'static str,
    /// How serious that is.
    pub status: Status,
    /// What was found, as a clause.
    pub found: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
}

impl Check {
    /// As it should be.
    pub fn ok(area: &'static str, found: impl Into<String>) -> Self {
        Self { area, status: Status::Ok, found: found.into(), remedy: None }
    }

    /// It works, but perhaps not as wanted.
    pub fn warning(
        area: &'static str,
        found: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        let remedy = Some(remedy.into());
        Self { area, status: Status::Warning, found: found.into(), remedy }
    }

    /// burgeon, or the study, cannot run like this.
    pub fn fault(area: &'static str, found: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { status: Status::Fault, ..Self::warning(area, found, remedy) }
    }
}

/// `1.5 GB`, `300 MB`.
pub fn size(bytes: u64) -> String {
    match bytes as f64 / 1e6 {
        mega if mega >= 999.5 => format!("{:.1} GB", mega / 1e3),
        mega => format!("{mega:.0} MB"),
    }
}
