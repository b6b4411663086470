//! Time limits of a trial: `train.seconds` and `tune.seconds`.

use std::time::{Duration, Instant};

use crate::ledger::{Event, Recorded};
use crate::spec::Spec;
use crate::train::Phase;

/// The moment at which a trial has to end.
#[derive(Debug, Clone)]
pub(super) struct Deadline {
    at: Instant,
    /// Time after `at` that the final evaluation may take.
    grace: Duration,
    /// The limit that it comes from, as a clause for messages.
    pub(super) why: String,
}

/// The final evaluation may take this share of the limit beyond it, within the bounds below.
const GRACE_SHARE: f64 = 0.1;
const GRACE_SECONDS_LEAST: f64 = 1.0;
const GRACE_SECONDS_MOST: f64 = 60.0;

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
            let why = format!("the {seconds} s of `tune.seconds` have passed");
            Self::after(seconds, study_spent, why)
        });
        let trial = spec.train().seconds.map(|seconds| {
            let why = format!("the {seconds} s of `train.seconds` have passed");
            Self::after(seconds, trial_spent, why)
        });
        study.into_iter().chain(trial).min_by_key(|deadline| deadline.at)
    }

    fn after(seconds: f64, spent: f64, why: String) -> Self {
        let left = (seconds - spent).clamp(0.0, SECONDS_MOST);
        let grace = (GRACE_SHARE * seconds).clamp(GRACE_SECONDS_LEAST, GRACE_SECONDS_MOST);
        let at = Instant::now() + Duration::from_secs_f64(left);
        Self { at, grace: Duration::from_secs_f64(grace), why }
    }

    /// Whether the limit has passed for this kind of work.
    pub(super) fn has_passed(&self, phase: Phase) -> bool {
        let now = Instant::now();
        match phase {
            Phase::Training => now >= self.at,
            Phase::Evaluating => now >= self.at + self.grace,
        }
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
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::spec::{InputShape, StudyDocument};

    fn spec(train_seconds: &str) -> Spec {
        let text = format!("name = \"timed\"\n[model]\nlayers = []\n[train]\n{train_seconds}");
        StudyDocument::new("timed.toml", text).validate(InputShape::MNIST).unwrap()
    }

    fn left(deadline: &Deadline) -> f64 {
        deadline.at.saturating_duration_since(Instant::now()).as_secs_f64()
    }

    #[test]
    fn the_earlier_bound_counts_and_says_which_it_is() {
        assert!(Deadline::of(&spec(""), None, 5.0, 5.0).is_none());
        let trial = Deadline::of(&spec("seconds = 300"), Some(9000.0), 100.0, 100.0).unwrap();
        assert!(trial.why.contains("`train.seconds`"), "{}", trial.why);
        assert!((199.0..=200.0).contains(&left(&trial)), "{trial:?}");
        let study = Deadline::of(&spec("seconds = 300"), Some(9000.0), 8900.0, 0.0).unwrap();
        assert!(study.why.contains("`tune.seconds`"), "{}", study.why);
        assert!((99.0..=100.0).contains(&left(&study)), "{study:?}");
    }

    #[test]
    fn what_was_trained_is_still_evaluated_though_not_for_long() {
        let passed = Deadline::of(&spec("seconds = 30"), None, 0.0, 31.0).unwrap();
        assert!(passed.has_passed(Phase::Training));
        assert!(!passed.has_passed(Phase::Evaluating));
        let ahead = Deadline::of(&spec("seconds = 30"), None, 0.0, 1.0).unwrap();
        assert!(!ahead.has_passed(Phase::Training));
        for (seconds, grace) in [(0.5, 1.0), (100.0, 10.0), (1e6, 60.0)] {
            let deadline = Deadline::after(seconds, 0.0, String::new());
            assert_eq!(deadline.grace.as_secs_f64(), grace);
        }
    }

    #[test]
    fn time_between_processes_is_not_spent() {
        let resumed =
            || Event::StudyResumed { run: String::new(), trials: 0, instruction_set: None };
        let epoch = |epoch| Event::TrialResumed { trial: 2, epoch, step: 0 };
        let started = Event::CheckpointRejected { path: String::new(), why: String::new() };
        let events = [
            (10, started),
            (13, epoch(1)),
            (17, epoch(2)),
            (1000, resumed()),
            (1005, epoch(3)),
            // A clock that was set back.
            (1003, epoch(4)),
            (2000, resumed()),
            (2500, epoch(5)),
        ];
        let at = |second| Timestamp::from_second(second).unwrap();
        let records: Vec<Recorded> =
            events.map(|(second, event)| Recorded { at: at(second), event }).into();
        assert_eq!(seconds_before(&records, |_| true), 7.0 + 5.0);
        let is_second = |event: &Event| matches!(event, Event::TrialResumed { epoch: 2, .. });
        assert_eq!(seconds_before(&records, is_second), 5.0);
        assert_eq!(seconds_before(&records[..3], |_| true), 0.0, "all of it is this process's");
    }
}
