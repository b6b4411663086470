//! Whether a retraining begins now.

use jiff::{SignedDuration, Timestamp};

use super::note::Cause;
use super::settings::RetrainSettings;

/// What is known before anything is loaded.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Facts {
    /// The time.
    pub now: Timestamp,
    /// Whether somebody asks for it.
    pub by_hand: bool,
    /// Whether there is an alarm of drift.
    pub alarm: bool,
    /// Labelled images, those of retrainings that were refused included.
    pub labels: usize,
    /// Of these, those that came since the last decision.
    pub new_labels: usize,
    /// Whether the study's data has changed content.
    pub data_changed: bool,
    /// The last decision about a retraining.
    pub decided: Option<Timestamp>,
    /// When the version in production became that.
    pub promoted: Timestamp,
}

/// Whether it begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Decision {
    /// For this reason.
    Begin(Cause),
    /// Not yet: what is waited for.
    Wait(String),
}

/// Decides.
pub(crate) fn decide(settings: &RetrainSettings, facts: &Facts) -> Decision {
    if facts.by_hand {
        return Decision::Begin(Cause::Hand);
    }
    let Facts { now, labels, new_labels, decided, promoted, .. } = *facts;
    let RetrainSettings { least, feedback, .. } = *settings;
    let since = decided.map_or(promoted, |decided| decided.max(promoted));
    let alarm = settings.drift && facts.alarm;
    // After a refusal, as many must be new as were needed at first: else one more label would be a new attempt.
    let enough = labels >= least && new_labels >= least;
    let scheduled = settings.schedule.as_ref().is_some_and(|times| times.is_due(since, now));
    let cause = [
        (Cause::Drift, alarm && enough),
        (Cause::Feedback, feedback > 0 && new_labels >= feedback.max(least)),
        (Cause::Data, settings.data && facts.data_changed),
        (Cause::Schedule, scheduled),
    ];
    let begins = cause.into_iter().find_map(|(cause, begins)| begins.then_some(cause));
    let until = decided
        .map(|at| at.saturating_add(SignedDuration::from_mins(settings.cooldown_minutes.into())));
    let cooldown = until.and_then(Result::ok).filter(|until| *until > now);
    match (begins, cooldown) {
        (Some(cause), None) => Decision::Begin(cause),
        (Some(cause), Some(until)) => Decision::Wait(format!(
            "{}: waits for the end of the cooldown, {until:.0}",
            cause.words()
        )),
        (None, _) if alarm => Decision::Wait(format!(
            "an alarm of drift waits for feedback: {new_labels} of {least} new labelled images are there; the model's own answers are not trained on"
        )),
        (None, _) => {
            let labels = format!("{new_labels} new labelled images");
            let of =
                if feedback > 0 { format!(" of {}", feedback.max(least)) } else { String::new() };
            let times = settings.schedule.as_ref().map(|times| format!(", schedule {times}"));
            Decision::Wait(format!(
                "nothing to do: no alarm, {labels}{of}{}",
                times.unwrap_or_default()
            ))
        }
    }
}

#[cfg(test)]
mod tests;
