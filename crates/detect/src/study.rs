//! Where studies of burgeon are read by the caller.

use super::finding::{Finding, Note};

/// What a TOML file is.
pub enum Toml {
    /// A study.
    Study(Box<Finding>),
    /// A study with an error.
    Broken(Note),
    /// Something else.
    Other,
}

/// Says what a TOML file is, from its path within the checkout as text, whether that text is the path exactly, and the
/// file's text.
pub type StudyReader<'a> = &'a dyn Fn(&str, bool, &str) -> Toml;
