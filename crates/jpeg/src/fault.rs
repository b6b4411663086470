//! What can be wrong with a JPEG file.

/// What is wrong with a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Something is missing.
    Missing(&'static str),
    /// Something is invalid.
    Damaged(&'static str),
}
