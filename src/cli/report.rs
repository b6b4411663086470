//! `burgeon report`: writes the reports of a run.

use std::path::Path;
use std::sync::Arc;

use super::error::CliError;
use super::exit::Exit;
use super::output::Output;
use crate::ledger::RunFolder;
use crate::report;
use crate::sys::files::RealFiles;

/// Writes the three reports and prints their paths, one per line, or with `--json` as an object.
pub fn report(run: &Path, output: &Output) -> Result<Exit, CliError> {
    let folder = RunFolder::open(Arc::new(RealFiles), run)?;
    let written = report::write(&folder)?;
    output.result(&if output.json {
        serde_json::to_string(&written).unwrap_or_default() + "\n"
    } else {
        let paths = [&written.html, &written.markdown, &written.junit];
        paths.map(|path| format!("{}\n", path.display())).concat()
    })
}
