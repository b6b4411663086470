//! Reads an event log from where it was read before.

use super::error::TrackError;
use crate::ledger::{LedgerError, Recorded, RunFolder, parse_events};

/// How much is read at a time: more than the longest line.
const PIECE_BYTES: usize = 64 << 20;

/// The events of a run, as they come.
pub(super) struct Tail {
    run: RunFolder,
    offset: u64,
}

impl Tail {
    pub(super) fn new(run: RunFolder) -> Self {
        Self { run, offset: 0 }
    }

    /// The events since the last call; none if there are none yet. A line that is being written waits.
    pub(super) fn next(&mut self) -> Result<Vec<Recorded>, TrackError> {
        let path = self.run.events_file();
        let bytes = self.run.files().read_at(&path, self.offset, PIECE_BYTES)?;
        // What follows the last newline may be part of a line, or of the piece.
        let whole = bytes.iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
        let parsed = parse_events(&bytes[..whole])
            .map_err(|source| LedgerError::Damaged { path, source })?;
        self.offset += whole as u64;
        Ok(parsed.records)
    }
}
