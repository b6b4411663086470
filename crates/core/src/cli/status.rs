//! `burgeon status`: the trials of a run at this moment, and the jobs that train them.

use std::path::Path;
use std::sync::Arc;

use serde::Serialize;

use super::error::CliError;
use super::exit::Exit;
use super::output::Output;
use super::view::percent;
use crate::cluster::{Overview, TrialLine, read_snapshot};
use crate::ledger::{RunFolder, read};
use crate::study::LaunchError;
use crate::sys::files::RealFiles;

#[derive(Debug, Serialize)]
struct Status {
    run: String,
    trials: Vec<TrialLine>,
    /// Nodes that get no more jobs.
    excluded_nodes: Vec<String>,
}

/// Prints a line for each trial.
pub fn status(run: &Path, output: &Output) -> Result<Exit, CliError> {
    let folder = RunFolder::open(Arc::new(RealFiles), run)?;
    let records = read(&RealFiles, &folder.events_file()).map_err(LaunchError::from)?;
    let Overview { trials, excluded_nodes } =
        Overview::of(&records, read_snapshot(&RealFiles, run));
    let status = Status { run: run.display().to_string(), trials, excluded_nodes };
    match output.json {
        true => output.result_json(&status),
        false => output.result(&status.table()),
    }
}

impl Status {
    fn table(&self) -> String {
        let head =
            ["trial", "state", "accuracy", "epochs", "jobs", "job", "node", "queue", "node time"];
        let mut rows = vec![head.map(str::to_owned).to_vec()];
        for line in &self.trials {
            let part = line.part.as_ref().map_or(String::new(), |part| format!(" ({part})"));
            let reason = line.reason.as_ref().map_or(String::new(), |why| format!(" [{why}]"));
            rows.push(vec![
                line.trial.to_string(),
                format!("{}{part}{reason}", line.state),
                line.validation_accuracy.map_or_else(|| "-".into(), percent),
                line.epochs.to_string(),
                line.submissions.to_string(),
                line.job.clone().unwrap_or_else(|| "-".into()),
                line.node.clone().unwrap_or_else(|| "-".into()),
                format!("{:.1} s", line.queue_seconds),
                format!("{:.1} s", line.node_seconds),
            ]);
        }
        let width =
            |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
        let widths: Vec<usize> = (0..head.len()).map(width).collect();
        let mut text = String::new();
        for row in &rows {
            let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
            text += cells.collect::<Vec<_>>().join("  ").trim_end();
            text += "\n";
        }
        if !self.excluded_nodes.is_empty() {
            text += &format!("no more jobs go to: {}\n", self.excluded_nodes.join(", "));
        }
        text
    }
}
