//! Time limits of a trial: `train.seconds` and `tune.seconds`.
//!
//! Training ends before its limit, by as long as the evaluation after it took in earlier epochs of the trial or, in the
//! first epoch, in the trial before it, in proportion to the FLOPs. That follows from the times in the record, so that a
//! resumed trial leaves as much. In the first epoch of a study it is not known, and comes on top.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use jiff::Timestamp;

use crate::ledger::{Event, Recorded};
use crate::record::Probe;
use crate::spec::Spec;
use crate::train::Phase;

/// The moment at which a trial has to end.
#[derive(Debug, Clone)]
pub(super) struct Deadline {
    at: Instant,
    /// Time after `at` that the final evaluation may take.
    grace: Duration,
    /// Most time before `at` that is left to it.
    reserve_most: Duration,
    /// The limit that it comes from, as a clause for messages.
    pub(super) why: String,
}

/// The final evaluation may take this share of the limit beyond it, within the bounds below.
const GRACE_SHARE: f64 = 0.1;
const GRACE_SECONDS_LEAST: f64 = 1.0;
const GRACE_SECONDS_MOST: f64 = 60.0;

/// At most this share of a limit is left to the evaluation, so that one that took unusually long does not end training.
const RESERVE_SHARE_MOST: f64 = 0.5;

/// About 32 years; a longer limit would overflow `Instant`.
const SECONDS_MOST: f64 = 1e9;

impl Deadline {
    /// The earlier of two limits: `tune.seconds`, of which all trials together have used
    /// `study_spent`, and `train.seconds`, of which this trial has used `trial_spent`. `None` if
    /// neither is set.
    pub(super) fn of(
        spec: &Spec,
        study_seconds: Option<f64>,
        study_spent: f64,
        trial_spent: f64,
    ) -> Option<Self> {
        let study = study_seconds.map(|seconds| {
            let why = format!("the {seconds} s of `tune.seconds` are used up");
            Self::after(seconds, study_spent, why)
        });
        let trial = spec.train().seconds.map(|seconds| {
            let why = format!("the {seconds} s of `train.seconds` are used up");
            Self::after(seconds, trial_spent, why)
        });
        study.into_iter().chain(trial).min_by_key(|deadline| deadline.at)
    }

    fn after(seconds: f64, spent: f64, why: String) -> Self {
        let left = (seconds - spent).clamp(0.0, SECONDS_MOST);
        let grace = (GRACE_SHARE * seconds).clamp(GRACE_SECONDS_LEAST, GRACE_SECONDS_MOST);
        let at = Instant::now() + Duration::from_secs_f64(left);
        let most = (RESERVE_SHARE_MOST * seconds).clamp(0.0, SECONDS_MOST);
        let [grace, reserve_most] = [grace, most].map(Duration::from_secs_f64);
        Self { at, grace, reserve_most, why }
    }

    /// Whether the limit has passed for this kind of work, if training leaves this much of it to the evaluation.
    pub(super) fn has_passed(&self, phase: Phase, reserve: &Reserve) -> bool {
        let now = Instant::now();
        match phase {
            Phase::Training => now + reserve.time().min(self.reserve_most) >= self.at,
            Phase::Evaluating => now >= self.at + self.grace,
        }
    }
}

/// The seconds of the sample of the data that was trained after an epoch. A study has one, so that no later evaluation
/// takes as long.
pub(super) fn sample_seconds(probe: Option<&Probe>) -> f64 {
    probe.and_then(|probe| probe.sample).map_or(0.0, |sample| sample.seconds)
}

/// The time that a trial's evaluation after an epoch is expected to take, with all that belongs to it.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Reserve {
    seconds: f64,
    /// When the trial began or last finished an epoch; `None` if it was interrupted since.
    since: Option<Timestamp>,
}

impl Reserve {
    /// The reserve of a trial that trains from now on, whose network takes so many FLOPs for an image.
    pub(super) fn of(records: &[Recorded], trial: u32, flops: f64) -> Self {
        let mut trials: BTreeMap<u32, (f64, Self)> = BTreeMap::new();
        for Recorded { at, event } in records {
            match event {
                Event::TrialStarted { trial, flops_per_image, .. } => {
                    let begun = Self { seconds: 0.0, since: Some(*at) };
                    trials.insert(*trial, (*flops_per_image as f64, begun));
                }
                Event::EpochFinished { trial, seconds, probe, .. } => {
                    if let Some((_, reserve)) = trials.get_mut(trial) {
                        reserve.add(*at, *seconds + sample_seconds(probe.as_ref()));
                    }
                }
                Event::TrialResumed { trial, .. } => {
                    if let Some((_, reserve)) = trials.get_mut(trial) {
                        reserve.since = None;
                    }
                }
                event if is_return(event) => {
                    trials.values_mut().for_each(|(_, reserve)| reserve.since = None);
                }
                _ => {}
            }
        }
        let since = trials.get(&trial).and_then(|(_, own)| own.since);
        let is_known = |(_, reserve): &&(f64, Self)| reserve.seconds > 0.0;
        let own = trials.get(&trial).filter(is_known);
        let before = || trials.range(..trial).rev().map(|(_, other)| other).find(is_known);
        let known = own.or_else(before);
        let seconds = known.map_or(0.0, |(then, reserve)| reserve.seconds * flops / then.max(1.0));
        Self { seconds, since }
    }

    /// Adds an epoch that ended now, of which training took so long. Not every evaluation includes a probe of the network,
    /// so the longest counts.
    pub(super) fn add(&mut self, at: Timestamp, trained: f64) {
        if let Some(since) = self.since.replace(at) {
            let passed = at.duration_since(since).as_secs_f64() - trained;
            // Not a number if the epoch's seconds are not recorded.
            self.seconds = self.seconds.max(passed);
        }
    }

    fn time(&self) -> Duration {
        Duration::from_secs_f64(self.seconds.clamp(0.0, SECONDS_MOST))
    }
}

/// Seconds that earlier processes worked, counted from the first event that `from` accepts; the
/// time between processes does not count. A killed process counts up to its last event.
pub(super) fn seconds_before(records: &[Recorded], from: impl Fn(&Event) -> bool) -> f64 {
    let this_process = records.iter().rposition(|recorded| {
        matches!(recorded.event, Event::StudyStarted { .. }) || is_return(&recorded.event)
    });
    let earlier = &records[..this_process.unwrap_or(0)];
    let Some(begun) = earlier.iter().position(|recorded| from(&recorded.event)) else {
        return 0.0;
    };
    let spans = earlier[begun..].windows(2);
    let spans = spans.filter(|pair| !is_return(&pair[1].event));
    // A clock that was set back must not subtract time.
    spans.map(|pair| pair[1].at.duration_since(pair[0].at).as_secs_f64().max(0.0)).sum()
}

/// Whether a process resumes a study with this event, so that the time before it does not count.
fn is_return(event: &Event) -> bool {
    matches!(
        event,
        Event::StudyResumed { .. } | Event::StudyExtended { .. } | Event::TestSplitRead { .. }
    )
}

#[cfg(test)]
mod tests;
