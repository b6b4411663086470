//! The current trials of a study and the jobs that train them, from the event log and `cluster.json`.

use std::collections::BTreeMap;

use serde::Serialize;

use super::snapshot::JobLine;
use crate::ledger::{Event, Recorded};

/// A trial, with its job if it has one.
#[derive(Debug, Default, Clone, PartialEq, Serialize)]
pub(crate) struct TrialLine {
    pub(crate) trial: u32,
    /// `pending`, `running`, `finished` and so on.
    pub(crate) state: String,
    /// The best accuracy so far, on the validation images.
    pub(crate) validation_accuracy: Option<f64>,
    pub(crate) epochs: u32,
    pub(crate) part: Option<String>,
    /// How many jobs were submitted for it.
    pub(crate) submissions: u32,
    pub(crate) job: Option<String>,
    pub(crate) node: Option<String>,
    /// Why it waits, according to the scheduler.
    pub(crate) reason: Option<String>,
    /// Seconds that its jobs waited, and occupied nodes.
    pub(crate) queue_seconds: f64,
    pub(crate) node_seconds: f64,
}

/// The trials of a study, and its excluded nodes.
#[derive(Debug, Default, Clone, PartialEq)]
pub(crate) struct Overview {
    pub(crate) trials: Vec<TrialLine>,
    /// Excluded nodes.
    pub(crate) excluded_nodes: Vec<String>,
}

impl Overview {
    /// From the event log of a run, and its jobs as they were last written.
    pub(crate) fn of(records: &[Recorded], jobs: Vec<JobLine>) -> Self {
        let mut trials: BTreeMap<u32, TrialLine> = BTreeMap::new();
        let mut excluded_nodes = Vec::new();
        for Recorded { event, .. } in records {
            match event {
                Event::TrialStarted { trial, .. } => {
                    trials.entry(*trial).or_default().state = "started".into();
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
        // Jobs that were written by a process that has ended are out of date.
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
        let trials = trials.into_iter().map(|(trial, line)| TrialLine { trial, ..line });
        Self { trials: trials.collect(), excluded_nodes }
    }

    /// Whether any trial had a job on a cluster.
    #[cfg(feature = "serve")]
    pub(crate) fn has_jobs(&self) -> bool {
        self.trials.iter().any(|line| line.submissions > 0 || line.job.is_some())
    }
}

#[cfg(test)]
mod tests;
