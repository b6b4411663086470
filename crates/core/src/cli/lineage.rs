//! `burgeon lineage`: the tree of a run's trials.

use std::path::Path;

use super::error::CliError;
use super::exit::Exit;
use super::output::Output;
use crate::ledger::read;
use crate::report::Lineage;
use crate::study::LaunchError;
use crate::sys::files::RealFiles;

/// Prints the tree, or with `--json` the trials as an array.
pub fn lineage(run: &Path, output: &Output) -> Result<Exit, CliError> {
    let records = read(&RealFiles, &run.join("events.jsonl")).map_err(LaunchError::from)?;
    let lineage = Lineage::from_records(&records);
    if lineage.trials.is_empty() {
        return Err(CliError::NoTrials { folder: run.into() });
    }
    match output.json {
        true => output.result_json(&lineage.trials),
        false => output.result(&lineage.tree()),
    }
}
