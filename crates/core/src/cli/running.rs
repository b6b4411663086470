//! How far a trial is that trains.

use std::time::{Duration, Instant};

use indicatif::HumanDuration;

use crate::record::StepProgress;
use crate::report::grouped;

/// How far a trial is that trains.
#[derive(Debug)]
pub struct Running {
    /// When its first step in this process was shown, and how many were done then.
    since: (Instant, usize),
    progress: StepProgress,
}

impl Running {
    /// The state after a further step; `before` is that before it, if there was one.
    pub fn next(before: Option<Self>, progress: &StepProgress) -> Self {
        let since = before.map_or_else(|| (Instant::now(), done(progress)), |before| before.since);
        Self { since, progress: *progress }
    }

    /// Which part of its steps is done, 0..=1.
    pub fn share(&self) -> f64 {
        done(&self.progress) as f64 / self.all() as f64
    }

    /// Where it is and how it goes, the most important first.
    pub fn figures(&self) -> Vec<String> {
        let progress = &self.progress;
        vec![
            format!("epoch {}/{}", progress.epoch, progress.epochs),
            format!("loss {:.3}", progress.loss),
            format!("accuracy {:.2} %", progress.accuracy * 100.0),
            format!("{:#} left", HumanDuration(self.left())),
            format!("{} images/s", grouped(progress.images_per_second as u64)),
        ]
    }

    fn all(&self) -> usize {
        (self.progress.epochs * self.progress.steps).max(1)
    }

    /// Time until its end, at the pace so far.
    fn left(&self) -> Duration {
        let (since, before) = self.since;
        let taken = done(&self.progress).saturating_sub(before).max(1) as f64;
        let left = self.all().saturating_sub(done(&self.progress)) as f64;
        since.elapsed().mul_f64((left / taken).min(1e6))
    }
}

fn done(progress: &StepProgress) -> usize {
    (progress.epoch.max(1) - 1) * progress.steps + progress.step
}
