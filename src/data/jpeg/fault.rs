//! What a JPEG file can lack.

/// What is wrong with a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::data) enum Fault {
    /// Something is not there.
    Missing(&'static str),
    /// Something is there that no picture is made of.
    Damaged(&'static str),
}
