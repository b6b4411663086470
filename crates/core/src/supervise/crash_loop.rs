//! Detects trainers that would fail forever.

use std::collections::BTreeMap;

use super::options::SuperviseOptions;
use crate::sys::heartbeat::Position;

/// Failures at different steps without progress end a crash loop after this many times the number of
/// failures at the same step: a trainer that dies while it writes in the background never dies at exactly
/// the same step.
const STUCK: u32 = 3;

/// Failures so far.
#[derive(Debug)]
pub(super) struct CrashLoop {
    same_step_failures: u32,
    max_restarts: u32,
    /// Where the trials that trained at the same time were at the last failure (none: before the
    /// first step), and how many failures in a row were there.
    last: Option<(Vec<Position>, u32)>,
    /// The furthest that any run got with each trial.
    furthest: BTreeMap<u32, Position>,
    /// Failures since any run got further than those before it, with any trial; `None` before the
    /// first failure.
    stuck: Option<u32>,
    restarts_since_healthy: u32,
    restarts: u32,
}

impl CrashLoop {
    pub(super) fn new(options: &SuperviseOptions) -> Self {
        Self {
            same_step_failures: options.same_step_failures,
            max_restarts: options.max_restarts,
            last: None,
            furthest: BTreeMap::new(),
            stuck: None,
            restarts_since_healthy: 0,
            restarts: 0,
        }
    }

    /// Counts a failure at `positions`, one for each running trial and none before the first step. Returns
    /// the reason if the trainer should not be restarted.
    pub(super) fn failed_at(&mut self, positions: &[Position]) -> Option<String> {
        let in_a_row = match &self.last {
            Some((last, count)) if last == positions => count + 1,
            _ => 1,
        };
        self.last = Some((positions.to_vec(), in_a_row));
        let got_further = self.note_furthest(positions);
        let stuck = self.stuck.map_or(0, |stuck| if got_further { 0 } else { stuck + 1 });
        self.stuck = Some(stuck);
        if in_a_row >= self.same_step_failures {
            return Some(format!("failed {in_a_row} times in a row {}", name(positions)));
        }
        if stuck >= self.same_step_failures.saturating_mul(STUCK) {
            let furthest: Vec<Position> =
                self.furthest.values().next_back().copied().into_iter().collect();
            let furthest = name(&furthest);
            return Some(format!(
                "failed {stuck} times in a row without progress; the furthest failure was {furthest}"
            ));
        }
        (self.restarts_since_healthy >= self.max_restarts)
            .then(|| format!("restarted {} times", self.restarts_since_healthy))
    }

    /// Whether any trial got further than before.
    fn note_furthest(&mut self, positions: &[Position]) -> bool {
        let mut got_further = false;
        for position in positions {
            let furthest = self.furthest.entry(position.trial).or_default();
            if position > furthest {
                *furthest = *position;
                got_further = true;
            }
        }
        got_further
    }

    /// Counts a restart; answers its number.
    pub(super) fn count_restart(&mut self) -> u32 {
        self.restarts_since_healthy += 1;
        self.restarts += 1;
        self.restarts
    }

    pub(super) fn restarts(&self) -> u32 {
        self.restarts
    }

    /// Resets the number of restarts, but not the failures at the same step: from a checkpoint an hour
    /// before, it takes a healthy hour to fail there again.
    pub(super) fn forget_restarts(&mut self) {
        self.restarts_since_healthy = 0;
    }
}

fn name(positions: &[Position]) -> String {
    let names = positions.iter().map(|Position { trial, epoch, step }| {
        format!("at step {step} of epoch {epoch} in trial {trial}")
    });
    match positions {
        [] => "before the first step".into(),
        _ => names.collect::<Vec<_>>().join(" and "),
    }
}

#[cfg(test)]
mod tests;
