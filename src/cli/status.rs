//! `burgeon status`: the trials of a run at this moment, and the jobs that train them.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use serde::Serialize;

use super::error::CliError;
use super::exit::Exit;
use super::output::Output;
use super::view::percent;
use crate::cluster::{JobLine, read_snapshot};
use crate::ledger::{Event, Recorded, RunFolder, read};
use crate::study::LaunchError;
use crate::sys::files::RealFiles;

/// A trial, with its job if it has one.
#[derive(Debug, Default, Serialize)]
struct TrialLine {
    trial: u32,
    /// `pending`, `running`, `finished` and so on.
    state: String,
    /// The best accuracy so far, on the validation images.
    validation_accuracy: Option<f64>,
    epochs: u32,
    part: Option<String>,
    /// How many jobs were submitted for it.
    submissions: u32,
    job: Option<String>,
    node: Option<String>,
    /// Why it waits, in the scheduler's words.
    reason: Option<String>,
    /// Seconds in which its jobs waited, and held nodes.
    queue_seconds: f64,
    node_seconds: f64,
}

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
    let status = Status::of(run, &records, read_snapshot(&RealFiles, run));
    match output.json {
        true => output.result_json(&status),
        false => output.result(&status.table()),
    }
}

impl Status {
    fn of(run: &Path, records: &[Recorded], jobs: Vec<JobLine>) -> Self {
        let mut trials: BTreeMap<u32, TrialLine> = BTreeMap::new();
        let mut excluded_nodes = Vec::new();
        for Recorded { event, .. } in records {
            match event {
                Event::TrialStarted { trial, .. } => {
                    let line = trials.entry(*trial).or_default();
                    (line.trial, line.state) = (*trial, "started".into());
                }
                Event::EpochFinished { trial, epoch, validation_accuracy, .. } => {
                    let line = trials.entry(*trial).or_default();
                    line.epochs = line.epochs.max(*epoch);
                    let best = line.validation_accuracy.unwrap_or(0.0).max(*validation_accuracy);
                    line.validation_accuracy = Some(best);
                }
                Event::TrialFinished { trial, .. } => {
                    trials.entry(*trial).or_default().state = "finished".into();
                }
                Event::JobSubmitted { trial, job, .. } => {
                    let line = trials.entry(*trial).or_default();
                    line.submissions += 1;
                    line.job = Some(job.clone());
                }
                Event::JobEnded { trial, node, queue_seconds, seconds, .. } => {
                    let line = trials.entry(*trial).or_default();
                    line.node.clone_from(node);
                    line.queue_seconds += queue_seconds;
                    line.node_seconds += seconds;
                }
                Event::NodeExcluded { node, .. } => excluded_nodes.push(node.clone()),
                _ => {}
            }
        }
        let is_over =
            records.iter().rev().any(|recorded| matches!(recorded.event, Event::StudyFinished(_)));
        // What was written last by a process that has ended since says nothing.
        for job in jobs.into_iter().filter(|_| !is_over) {
            let Some(line) = trials.get_mut(&job.trial) else { continue };
            if line.state == "finished" && job.part == "train" {
                continue;
            }
            line.state = job.state;
            line.part = Some(job.part).filter(|part| part != "train");
            line.job = job.job;
            line.node = job.node;
            line.reason = job.reason;
            line.queue_seconds += job.queue_seconds;
            line.node_seconds += job.seconds;
        }
        let run = run.display().to_string();
        Self { run, trials: trials.into_values().collect(), excluded_nodes }
    }

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
