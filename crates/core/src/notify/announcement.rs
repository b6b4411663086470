//! What is said about an event of a run, whichever way it is sent.

use std::path::Path;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::report::{Figures, LineageTrial, Report, State};
use crate::spec::is_separator;

/// The kind of an event that is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum AnnouncementKind {
    /// A model passed the gate.
    Accepted,
    /// No model passed, and the budget is used up.
    Rejected,
    /// No model passed before a time limit.
    OutOfTime,
    /// The supervisor will not restart the trainer any more.
    GaveUp,
    /// The study ended with an error, or a build as the one before it.
    Failed,
    /// A build ended with an error, and the one before it had not.
    Broken,
    /// A build was accepted, and the one before it had not been.
    Mended,
    /// A newer push came before a build's turn.
    Superseded,
    /// Somebody stopped a build.
    Cancelled,
    /// The images or answers of a served model have drifted.
    DriftAlarm,
    /// They no longer do.
    DriftOver,
    /// A retrained model is in production.
    Promoted,
    /// A retraining led to no acceptable model.
    Refused,
    /// A retrained model was worse than the one before it, which is back in production.
    RolledBack,
}

impl AnnouncementKind {
    /// In words, as in `accepted`.
    pub fn words(self) -> &'static str {
        self.texts().0
    }

    /// As one word, in kebab case.
    pub fn name(self) -> &'static str {
        self.texts().1
    }

    fn texts(self) -> (&'static str, &'static str) {
        match self {
            Self::Accepted => ("accepted", "accepted"),
            Self::Rejected => ("rejected", "rejected"),
            Self::OutOfTime => ("out of time", "out-of-time"),
            Self::GaveUp => ("given up by its supervisor", "gave-up"),
            Self::Failed => ("failed", "failed"),
            Self::Broken => ("broken", "broken"),
            Self::Mended => ("mended", "mended"),
            Self::Superseded => ("superseded", "superseded"),
            Self::Cancelled => ("cancelled", "cancelled"),
            Self::DriftAlarm => ("drift alarm", "drift-alarm"),
            Self::DriftOver => ("drift alarm over", "drift-over"),
            Self::Promoted => ("retrained and promoted", "promoted"),
            Self::Refused => ("retrained and refused", "refused"),
            Self::RolledBack => ("rolled back", "rolled-back"),
        }
    }

    /// Whether it is good news.
    pub fn is_good(self) -> bool {
        matches!(self, Self::Accepted | Self::Mended | Self::DriftOver | Self::Promoted)
    }

    /// Whether it is about a registry, rather than a run or a build.
    pub(super) fn is_of_registry(self) -> bool {
        self as u8 >= Self::DriftAlarm as u8
    }

    /// What the folder is that messages name.
    pub(super) fn folder_words(self) -> &'static str {
        if self.is_of_registry() { "registry" } else { "run folder" }
    }
}

/// All that messages about one event say. Its texts are one line each, without control characters.
#[derive(Debug, Clone, PartialEq)]
pub struct Announcement {
    /// Tells the event from all others of its run, such as `finished-0`.
    pub key: String,
    /// What tells the run from all others.
    pub origin: Vec<u8>,
    /// What happened.
    pub what: AnnouncementKind,
    /// When it happened.
    pub at: Timestamp,
    /// The study's name.
    pub study: String,
    /// The run folder.
    pub run: String,
    /// What happened and why, in a sentence or more.
    pub sentence: String,
    /// The figures, as names and values.
    pub rows: Vec<(String, String)>,
    /// The same as numbers.
    pub figures: Figures,
    /// What the accuracy was measured on, such as `on validation images` or `cross-validated over 5 folds`.
    pub measured: String,
    /// The accuracy that the gate requires, 0..=1.
    pub threshold: Option<f64>,
    /// The validation accuracies of each trial, 0..=1 or NaN, epoch by epoch.
    pub curves: Vec<Vec<f64>>,
    /// The report, as one HTML page; `None` if it is too long to be sent.
    pub page: Option<String>,
    /// Lists, each under a heading.
    pub lists: Vec<(String, Vec<String>)>,
    /// Programs that are attached to mail, by file name.
    pub programs: Vec<(String, String)>,
}

/// Longer reports are not attached.
const PAGE_BYTES_MAX: usize = 8 << 20;
/// Longer sentences are cut.
const SENTENCE_CHARS_MAX: usize = 2000;

impl Announcement {
    /// What is said about the event at the end of this report.
    pub fn new(report: &Report, key: String, origin: Vec<u8>, at: Timestamp, run: &Path) -> Self {
        let out_of_time = report.out_of_time();
        let what = match (&report.state, out_of_time) {
            (State::Accepted, _) => AnnouncementKind::Accepted,
            (State::Rejected, Some(_)) => AnnouncementKind::OutOfTime,
            (State::Rejected, None) => AnnouncementKind::Rejected,
            (State::GaveUp { .. }, _) => AnnouncementKind::GaveUp,
            (State::Stopped { .. } | State::Unfinished, _) => AnnouncementKind::Failed,
        };
        let mut sentence = report.outcome();
        if let (AnnouncementKind::OutOfTime, Some(why)) = (what, out_of_time) {
            sentence = format!("Out of time: {why}. {sentence}");
        }
        let page = report.to_single_page();
        let best = report.figures.best_trial;
        let best = report.lineage.trials.iter().find(|trial| Some(trial.trial) == best);
        let measured = match best.and_then(LineageTrial::cross_validation) {
            Some(folds) => format!("cross-validated over {}", folds.extent()),
            None => "on validation images".into(),
        };
        let curve = |trial: &LineageTrial| {
            trial.curve.iter().map(|epoch| epoch.validation_accuracy).collect()
        };
        Self {
            key,
            origin,
            what,
            at,
            study: one_line(report.study_name(), 200),
            run: one_line(&run.display().to_string(), 1000),
            sentence: one_line(&sentence, SENTENCE_CHARS_MAX),
            rows: report
                .figure_rows()
                .into_iter()
                .map(|(name, value)| (name, one_line(&value, 200)))
                .collect(),
            figures: report.figures,
            measured,
            threshold: report.threshold(),
            curves: report.lineage.trials.iter().map(curve).collect(),
            page: Some(page).filter(|page| page.len() <= PAGE_BYTES_MAX),
            lists: Vec::new(),
            programs: Vec::new(),
        }
    }

    /// The same, about the error that ended the study.
    #[must_use]
    pub fn of_failure(self, error: &str) -> Self {
        let sentence = format!(
            "Failed: {error}. Once the cause is removed, continue with burgeon resume {}.",
            self.run
        );
        Self {
            what: AnnouncementKind::Failed,
            sentence: one_line(&sentence, SENTENCE_CHARS_MAX),
            ..self
        }
    }

    /// A line that says it all, for subjects of mail.
    pub fn title(&self) -> String {
        let Self { study, what, figures, measured, .. } = self;
        let accuracy = figures.validation_accuracy.filter(|accuracy| accuracy.is_finite());
        match accuracy {
            Some(accuracy) => {
                format!("{study} {}: {:.2} % {measured}", what.words(), accuracy * 100.0)
            }
            None => format!("{study} {}", what.words()),
        }
    }
}

/// Text as one line without control characters, cut to a number of characters.
pub(super) fn one_line(text: &str, chars_max: usize) -> String {
    let clean = |c: char| if c.is_control() || is_separator(c) { ' ' } else { c };
    let mut chars = text.chars().map(clean);
    let mut line: String = chars.by_ref().take(chars_max).collect();
    if chars.next().is_some() {
        line.push('…');
    }
    line
}

#[cfg(test)]
mod tests;
