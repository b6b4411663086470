//! What a tool that shows runs has to do.

use std::path::Path;

use super::error::TrackError;
use crate::ledger::Recorded;

/// A tool that shows runs.
pub(super) trait Sink: Send {
    /// Its name.
    fn name(&self) -> &'static str;

    /// Shows what was recorded next. After an error it is called with the same again.
    fn take(&mut self, record: &Recorded) -> Result<(), TrackError>;
}

/// The last part of a run's path.
pub(super) fn name(run: &Path) -> String {
    run.file_name().map_or_else(|| "run".to_owned(), |name| name.to_string_lossy().into_owned())
}
