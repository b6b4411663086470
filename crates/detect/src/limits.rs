//! How much of a checkout is looked at. What a limit leaves out is told.

/// Bounds of one look at a checkout. Every one is a count, never a time, so that the same checkout gets the
/// same answer on every machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Entries of folders that are looked at.
    pub entries: usize,
    /// Folders within folders.
    pub depth: usize,
    /// Files that are read.
    pub files_read: usize,
    /// Bytes of one source file; longer ones are skipped.
    pub source_bytes: usize,
    /// Bytes of one notebook, whose outputs may be large.
    pub notebook_bytes: usize,
    /// Bytes read from all files together.
    pub total_bytes: usize,
    /// Steps of the parser per byte of a file, in hundreds, on top of some for the shortest file.
    pub parse_steps_per_kib: usize,
    /// Calls that are noted of one file.
    pub calls: usize,
    /// Names, calls and imports that are noted of all files together.
    pub facts: usize,
    /// Names and calls that are followed from all files that could be run, together.
    pub followed: usize,
}

/// Steps, in hundreds, that the parser may take on even the shortest file.
pub const PARSE_STEPS_LEAST: usize = 2_000;

impl Default for Limits {
    fn default() -> Self {
        Self {
            entries: 200_000,
            depth: 40,
            files_read: 5_000,
            source_bytes: 1 << 20,
            notebook_bytes: 48 << 20,
            total_bytes: 192 << 20,
            parse_steps_per_kib: 200,
            calls: 20_000,
            facts: 4_000_000,
            followed: 20_000_000,
        }
    }
}
