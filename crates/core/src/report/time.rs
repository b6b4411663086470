//! Where the time of a study went, from the moments and the seconds in its events.

use std::collections::BTreeMap;

use crate::ledger::{Event, Recorded};
use crate::record::Profile;

/// Seconds of a study by what they went into. The time between a stop or a crash and the resumption is in none of them.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct TimeSpent {
    /// Loading the images, and from the first event until the first trial, while they are examined.
    pub(super) data: f64,
    /// Training steps, those for folds included.
    pub(super) training: f64,
    /// What trials spend besides training until their last epoch is recorded: validation above all.
    pub(super) evaluation: f64,
    /// All other time of the process.
    pub(super) rest: f64,
    /// Images that were trained on.
    pub(super) images: u64,
    /// Whether trials ran at the same time, so that the parts add up to more than the time of the process.
    pub(super) overlaps: bool,
    /// Where the time of steps went, in the trials that recorded it with `--profile`.
    pub(super) profiled: Vec<(&'static str, f64)>,
}

impl TimeSpent {
    pub(super) fn of(records: &[Recorded]) -> Self {
        let mut spent = Self::default();
        // Seconds for which the process ran, and what they were when a trial was last heard of.
        let (mut running, mut heard) = (0.0, BTreeMap::new());
        let mut loading = 0.0;
        let mut last = records.first().map(|first| first.at);
        let (mut has_trial, mut has_jobs) = (false, false);
        for Recorded { at, event } in records {
            let passed = last.map_or(0.0, |last| at.duration_since(last).as_secs_f64().max(0.0));
            last = Some(*at);
            if !begins_again(event) {
                running += passed;
                spent.data += if has_trial { 0.0 } else { passed };
            }
            has_jobs |= matches!(event, Event::JobSubmitted { .. });
            match event {
                // Before the first event of the process.
                Event::ImagesLoaded { seconds, .. } => loading += known_seconds(*seconds),
                Event::TrialStarted { trial, .. } => {
                    has_trial = true;
                    heard.insert(*trial, running);
                }
                Event::EpochFinished { trial, seconds, images, .. } => {
                    spent.images = spent.images.saturating_add(*images);
                    spent.add(heard.insert(*trial, running), running, *seconds);
                }
                // The first fold is the trial itself, whose epochs are recorded.
                Event::FoldFinished { trial, fold: 2.., seconds, .. } => {
                    spent.add(heard.insert(*trial, running), running, *seconds);
                }
                Event::TrialProfiled { profile, .. } => spent.add_profile(profile),
                _ => {}
            }
        }
        running += loading;
        spent.data += loading;
        if has_jobs {
            // Trials waited in a queue as well, so that only training is known.
            spent.evaluation = 0.0;
        }
        let known = spent.data + spent.training + spent.evaluation;
        spent.overlaps = known > running * 1.01 + 0.1;
        spent.rest = (running - known).max(0.0);
        spent
    }

    /// Adds what a trial did since it was last heard of.
    fn add(&mut self, before: Option<f64>, now: f64, training: f64) {
        let training = known_seconds(training);
        self.training += training;
        self.evaluation += before.map_or(0.0, |before| (now - before - training).max(0.0));
    }

    fn add_profile(&mut self, profile: &Profile) {
        let of_layers = |seconds: fn(&crate::record::LayerProfile) -> f64| {
            profile.layers.iter().map(seconds).sum::<f64>()
        };
        let parts = [
            ("preparing batches", profile.data_seconds),
            ("forward passes", of_layers(|layer| layer.forward_seconds)),
            ("backward passes", of_layers(|layer| layer.backward_seconds)),
            ("loss", profile.loss_seconds),
            ("optimizer", profile.optimizer_seconds),
            ("validation", profile.evaluation_seconds),
            ("copies for checkpoints", profile.checkpoint_seconds),
            ("rest", profile.rest_seconds),
        ];
        if self.profiled.is_empty() {
            self.profiled = parts.map(|(name, _)| (name, 0.0)).to_vec();
        }
        for ((_, sum), (_, seconds)) in self.profiled.iter_mut().zip(parts) {
            *sum += known_seconds(seconds);
        }
    }

    /// The parts with their names; those of which nothing is known are left out.
    pub(super) fn parts(&self) -> Vec<(&'static str, f64)> {
        let all = [
            ("loading and examining the images", self.data),
            ("training", self.training),
            ("evaluation", self.evaluation),
            ("rest", self.rest),
        ];
        all.into_iter().filter(|(_, seconds)| *seconds > 0.0).collect()
    }

    /// Training images a second; `None` if no training is recorded.
    pub(super) fn images_per_second(&self) -> Option<f64> {
        let rate = self.images as f64 / self.training;
        Some(rate).filter(|rate| rate.is_finite() && *rate > 0.0)
    }
}

/// These seconds; 0 if they are none.
fn known_seconds(seconds: f64) -> f64 {
    Some(seconds).filter(|seconds| seconds.is_finite()).unwrap_or(0.0).max(0.0)
}

/// Whether the process began with this event, so that the time before it belongs to none.
fn begins_again(event: &Event) -> bool {
    matches!(
        event,
        Event::StudyResumed { .. }
            | Event::StudyExtended { .. }
            | Event::SupervisorRestarted { .. }
            | Event::SupervisorGaveUp { .. }
            | Event::TestSplitRead { .. }
    )
}

#[cfg(test)]
mod tests;
