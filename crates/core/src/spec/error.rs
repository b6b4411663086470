//! Errors in a study: where, what is wrong, and what would be right.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

/// A study that is not valid, with every problem found in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpecError {
    /// The file or option that the study came from; empty for a study built in code.
    pub origin: String,
    /// The text that the locations refer to; `None` for a study built in code.
    pub text: Option<Arc<str>>,
    /// The problems; never empty.
    pub problems: Vec<Problem>,
}

/// One thing that is wrong with a study.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Dotted path of the offending key, such as `model.layers[2].conv.kernel`; empty where the
    /// text is not TOML at all.
    pub key: String,
    /// What is wrong.
    pub message: String,
    /// What would be right; empty where the message says it already.
    pub help: String,
    /// Where in the text; `None` for studies built in code and for `--set`.
    pub location: Option<Location>,
}

/// A place in a study file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Location {
    /// Line, counted from 1.
    pub line: usize,
    /// Column in characters, counted from 1.
    pub column: usize,
    /// Range in bytes from the start of the text.
    pub span: Range<usize>,
}

impl SpecError {
    pub(super) fn new(origin: impl Into<String>, problems: Vec<Problem>) -> Self {
        debug_assert!(!problems.is_empty());
        Self { origin: origin.into(), text: None, problems }
    }
}

impl Problem {
    pub(super) fn new(
        key: impl Into<String>,
        message: impl Into<String>,
        help: impl Into<String>,
    ) -> Self {
        Self { key: key.into(), message: message.into(), help: help.into(), location: None }
    }
}

impl Location {
    pub(super) fn of(text: &str, span: Range<usize>) -> Self {
        let start = text.floor_char_boundary(span.start);
        let line_start = text[..start].rfind('\n').map_or(0, |newline| newline + 1);
        Self {
            line: text[..start].matches('\n').count() + 1,
            column: text[line_start..start].chars().count() + 1,
            span,
        }
    }
}

impl fmt::Display for SpecError {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        for (index, problem) in self.problems.iter().enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            if !self.origin.is_empty() {
                write!(f, "{}:", self.origin)?;
                if let Some(at) = &problem.location {
                    write!(f, "{}:{}:", at.line, at.column)?;
                }
                write!(f, " ")?;
            }
            write!(f, "{problem}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        if !self.key.is_empty() {
            write!(f, "`{}`: ", self.key)?;
        }
        write!(f, "{}", self.message)?;
        if !self.help.is_empty() {
            write!(f, "; {}", self.help)?;
        }
        Ok(())
    }
}

impl std::error::Error for SpecError {}
