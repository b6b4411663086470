//! Excludes failing nodes: a node with two failed attempts within a minute gets no more jobs, so that a single bad node
//! does not use up the budget of every trial.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

/// Two failures within this time exclude a node.
const WITHIN: Duration = Duration::from_secs(60);

/// The failures of nodes, as seen by one process.
#[derive(Debug, Default)]
pub(crate) struct Nodes {
    last_failure: BTreeMap<String, Instant>,
    excluded: BTreeSet<String>,
}

impl Nodes {
    /// Starts with nodes that were excluded before.
    pub(crate) fn excluding(nodes: impl IntoIterator<Item = String>) -> Self {
        Self { last_failure: BTreeMap::new(), excluded: nodes.into_iter().collect() }
    }

    /// Counts a failed attempt; returns whether its node is excluded from now on.
    pub(super) fn failed(&mut self, node: &str, now: Instant) -> bool {
        let before = self.last_failure.insert(node.to_owned(), now);
        let apart = |before: Instant| now.max(before).duration_since(now.min(before));
        let is_second = before.is_some_and(|before| apart(before) <= WITHIN);
        is_second && self.excluded.insert(node.to_owned())
    }

    /// The excluded nodes.
    pub(super) fn excluded(&self) -> Vec<String> {
        self.excluded.iter().cloned().collect()
    }
}

#[cfg(test)]
mod tests;
