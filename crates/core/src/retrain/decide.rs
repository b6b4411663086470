//! Decides whether a retraining begins now.

use jiff::{SignedDuration, Timestamp};

use super::note::Cause;
use super::settings::RetrainSettings;

/// The facts that the decision is based on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Facts {
    /// The current time.
    pub now: Timestamp,
    /// Whether a user asks for it.
    pub by_hand: bool,
    /// Whether there is a drift alarm.
    pub alarm: bool,
    /// Labelled images that production was not trained on, including those of refused retrainings.
    pub labels: usize,
    /// How many of them were labelled since the last decision.
    pub new_labels: usize,
    /// Whether the content of the study's data has changed.
    pub data_changed: bool,
    /// The last decision about a retraining.
    pub decided: Option<Timestamp>,
    /// When the version in production was promoted.
    pub promoted: Timestamp,
}

/// Whether a retraining begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Decision {
    /// Yes, for this reason.
    Begin(Cause),
    /// Not yet, for this reason.
    Wait(String),
}

/// Decides whether a retraining begins.
pub(crate) fn decide(settings: &RetrainSettings, facts: &Facts) -> Decision {
    if facts.by_hand {
        return Decision::Begin(Cause::Hand);
    }
    let Facts { now, labels, new_labels, decided, promoted, .. } = *facts;
    let RetrainSettings { least, feedback, .. } = *settings;
    let since = decided.map_or(promoted, |decided| decided.max(promoted));
    let alarm = settings.drift && facts.alarm;
    // After a refusal, as many labels must be new as were needed at first: otherwise each new label would start another
    // try.
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
            "retraining is due ({}), and begins after the cooldown, at {until:.0}",
            cause.words()
        )),
        (None, _) if alarm => Decision::Wait(format!(
            "drift alarm: retraining waits for feedback, with {new_labels} of {least} new labelled images so far; the model's own predictions are not used as labels"
        )),
        (None, _) => {
            let labels = format!("{new_labels} new labelled images");
            let of =
                if feedback > 0 { format!(" of {}", feedback.max(least)) } else { String::new() };
            let times = settings.schedule.as_ref().map(|times| format!(", schedule {times}"));
            Decision::Wait(format!(
                "no retraining is due: no drift alarm, {labels}{of}{}",
                times.unwrap_or_default()
            ))
        }
    }
}

#[cfg(test)]
mod tests;
