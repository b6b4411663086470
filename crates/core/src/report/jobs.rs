//! What a study cost on a cluster: its jobs, and the time for which they held nodes.

use std::collections::BTreeMap;

use super::words;
use crate::ledger::Event;

/// The jobs of a study.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Jobs {
    /// Jobs by node, those that never began under an empty name, and the seconds for which they held it.
    nodes: BTreeMap<String, (u64, f64)>,
    /// Jobs that came to nothing, and the seconds for which they held nodes.
    lost: (u64, f64),
    queue_seconds: f64,
    excluded: Vec<String>,
}

impl Jobs {
    pub(super) fn add(&mut self, event: &Event) {
        match event {
            Event::JobEnded { node, why, queue_seconds, seconds, .. } => {
                let node = self.nodes.entry(node.clone().unwrap_or_default()).or_default();
                *node = (node.0 + 1, node.1 + seconds);
                if why.is_some() {
                    self.lost = (self.lost.0 + 1, self.lost.1 + seconds);
                }
                self.queue_seconds += queue_seconds;
            }
            Event::NodeExcluded { node, why } => {
                self.excluded
                    .push(format!("Node {node} was excluded: {why} twice within a minute."));
            }
            _ => {}
        }
    }

    /// What they cost, in sentences; none for a study that had no jobs.
    pub(super) fn sentences(&self) -> Vec<String> {
        let jobs: u64 = self.nodes.values().map(|(jobs, _)| jobs).sum();
        if jobs == 0 {
            return self.excluded.clone();
        }
        let seconds: f64 = self.nodes.values().map(|(_, seconds)| seconds).sum();
        let (lost, lost_seconds) = self.lost;
        let mut sentences = vec![format!(
            "{} held nodes for {seconds:.1} node-seconds, and waited {:.1} s in queues.",
            words::count(jobs, "job"),
            self.queue_seconds
        )];
        if lost > 0 {
            sentences.push(format!(
                "{} of them came to nothing by themselves, which took {lost_seconds:.1} node-seconds; others went on from \
                 their checkpoints.",
                words::grouped(lost)
            ));
        }
        for (node, (jobs, seconds)) in self.nodes.iter().filter(|(node, _)| !node.is_empty()) {
            let jobs = words::count(*jobs, "job");
            sentences.push(format!("Node {node}: {jobs}, {seconds:.1} s."));
        }
        sentences.extend(self.excluded.iter().cloned());
        sentences
    }
}

#[cfg(test)]
mod tests;
