//! Reports of a run for people: a page, a text and test cases, built from its events.
//!
//! ```text
//! events.jsonl ─ Lineage   the trials, each with its parent
//!              └ Report    the trials, the result of the study, and its interruptions
//!                   ├─ report.html   no scripts, nothing fetched but report/style.css beside it
//!                   ├─ report.md     for a pull request
//!                   └─ junit.xml     for a test runner
//! ```
//!
//! [`Report::from_records`] and the writers are pure; [`write()`] reads a run folder and writes the
//! reports into it. It takes no lock and changes no other file, so it can be called while the run
//! trains.
//!
//! Invariant: all text from a record is untrusted, and escaped where it is written.

mod chart;
#[cfg(feature = "cli")]
pub(crate) mod compare;
mod html;
mod junit;
pub(crate) mod lineage;
mod markdown;
pub(crate) mod markup;
#[cfg(feature = "cli")]
pub(crate) mod runs;
#[cfg(test)]
mod samples;
mod selection;
mod sentences;
#[cfg(feature = "mail")]
mod told;
mod trial_words;
pub(crate) mod words;
pub(crate) mod write;

use std::collections::BTreeMap;

use jiff::Timestamp;

#[cfg(feature = "mail")]
pub(crate) use self::chart::Scale;
pub(crate) use self::lineage::{Epoch, Lineage, LineageTrial};
#[cfg(feature = "train")]
pub(crate) use self::markdown::inline;
pub(crate) use self::words::grouped;
pub use self::write::{ReportError, write};
use crate::ledger::{Event, Outcome, Provenance, Recorded};
use crate::record::StudyResult;
use crate::record::{Forgetting, InheritedModel, SplitCounts};

/// Path of the style sheet, relative to the page.
pub(crate) const STYLE_SHEET: &str = "report/style.css";
/// Path, relative to the page, of the picture of how a trial distorts training images.
pub(crate) fn augmented_picture(trial: u32) -> String {
    format!("report/augmented-{trial:03}.png")
}

const STYLE: &str = include_str!("style.css");

/// A run, summarized from its events.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// The trials.
    pub lineage: Lineage,
    /// Whether the study finished, and how.
    pub state: State,
    /// The figures of the study, final or so far.
    pub figures: Figures,
    started: Started,
    /// Why the built-in digits stand in for the requested data.
    fallback: Option<String>,
    /// Number of trials that the lineage leaves out.
    omitted_trials: usize,
    data: Option<Examined>,
    /// What the first trial inherited from a trained model.
    inherited: Option<InheritedModel>,
    /// What the best model of a trial has forgotten of it; the newest measurement.
    forgotten: Option<(u32, Forgetting)>,
    interruptions: Vec<Interruption>,
    test_reads: Vec<TestRead>,
    /// Events of newer versions: number by name.
    unknown: BTreeMap<String, u64>,
    events: usize,
    last_event_at: Option<Timestamp>,
    provenance: Option<Provenance>,
    /// The resolved study file.
    study: Option<String>,
    /// Trials with a picture of distorted training images.
    augmented: Vec<u32>,
}

/// Whether a study finished, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// A model passed the gate.
    Accepted,
    /// No model passed, and the budget is used up.
    Rejected,
    /// It was stopped on request.
    Stopped {
        /// The signal, or `request`.
        signal: String,
    },
    /// The supervisor gave up restarting it.
    GaveUp {
        /// Why.
        cause: String,
    },
    /// It is running, or was killed: the record cannot tell which.
    Unfinished,
}

/// The figures of a study, final or so far.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Figures {
    /// The trial of the best model.
    pub best_trial: Option<u32>,
    /// Its accuracy on the validation images, 0..=1.
    pub validation_accuracy: Option<f64>,
    /// Its accuracy on the test images, 0..=1; measured for accepted models only.
    pub test_accuracy: Option<f64>,
    /// Its trainable parameters.
    pub parameters: Option<u64>,
    /// Number of started trials.
    pub trials: u64,
    /// Seconds of the whole study; of training alone while it is unfinished.
    pub seconds: f64,
}

/// The facts that a study started with.
#[derive(Debug, Clone, Default, PartialEq)]
struct Started {
    name: String,
    run: String,
    device: String,
    threads: usize,
    instruction_set: Option<String>,
    seed: u64,
    spec_hash: String,
    data_hash: String,
    images: [usize; 3],
    threshold: Option<f64>,
}

/// The results of examining the images.
#[derive(Debug, Clone, PartialEq)]
struct Examined {
    classes: Vec<String>,
    counts: SplitCounts,
    /// What is unusual, as clauses.
    findings: Vec<String>,
}

impl Examined {
    /// For each class, its name and its numbers of training, validation and test images.
    fn rows(&self) -> impl Iterator<Item = [String; 4]> {
        let count = |counts: &[usize], class: usize| {
            grouped(counts.get(class).copied().unwrap_or(0) as u64)
        };
        self.classes.iter().enumerate().map(move |(class, name)| {
            let SplitCounts { train, validation, test } = &self.counts;
            [name.clone(), count(train, class), count(validation, class), count(test, class)]
        })
    }
}

/// An interruption of a study, or of a trial.
#[derive(Debug, Clone, PartialEq)]
struct Interruption {
    at: Timestamp,
    what: String,
}

/// An evaluation on the test images outside of the study.
#[derive(Debug, Clone, Copy, PartialEq)]
struct TestRead {
    images: u64,
    accuracy: f64,
}

impl Report {
    /// Summarizes a record.
    pub fn from_records(records: &[Recorded]) -> Self {
        let lineage = Lineage::from_records(records);
        let mut report = Self {
            figures: Figures::so_far(&lineage),
            lineage,
            state: State::Unfinished,
            started: Started::default(),
            fallback: None,
            omitted_trials: 0,
            data: None,
            inherited: None,
            forgotten: None,
            interruptions: Vec::new(),
            test_reads: Vec::new(),
            unknown: BTreeMap::new(),
            events: records.len(),
            last_event_at: records.last().map(|last| last.at),
            provenance: None,
            study: None,
            augmented: Vec::new(),
        };
        for recorded in records {
            report.add(&recorded.event);
            if let Some(what) = interruption(&recorded.event) {
                report.interruptions.push(Interruption { at: recorded.at, what });
            }
        }
        report
    }

    /// Adds the provenance of the run.
    #[must_use]
    pub fn with_provenance(mut self, provenance: Option<Provenance>) -> Self {
        self.provenance = provenance;
        self
    }

    /// Adds the resolved study file.
    #[must_use]
    pub fn with_study(mut self, toml: impl Into<String>) -> Self {
        self.study = Some(toml.into());
        self
    }

    /// Adds the trials that have a picture at [`augmented_picture`].
    #[must_use]
    pub(crate) fn with_augmented(mut self, trials: Vec<u32>) -> Self {
        self.augmented = trials;
        self
    }

    fn add(&mut self, event: &Event) {
        match event {
            Event::StudyStarted {
                name,
                run,
                spec_hash,
                data_hash,
                seed,
                device,
                threads,
                train_images,
                validation_images,
                test_images,
                threshold,
                instruction_set,
                ..
            } => {
                self.started = Started {
                    name: name.clone(),
                    run: run.clone(),
                    device: device.clone(),
                    threads: *threads,
                    instruction_set: instruction_set.clone(),
                    seed: *seed,
                    spec_hash: spec_hash.clone(),
                    data_hash: data_hash.clone(),
                    images: [*train_images, *validation_images, *test_images],
                    threshold: Some(*threshold),
                };
            }
            Event::DataExamined { classes, counts, findings } => {
                self.data = Some(Examined {
                    classes: classes.clone(),
                    counts: counts.clone(),
                    findings: findings.iter().map(|finding| finding.words(classes)).collect(),
                });
            }
            Event::ModelInherited(inherited) => self.inherited = Some(inherited.clone()),
            Event::ForgettingMeasured { trial, forgetting } => {
                self.forgotten = Some((*trial, *forgetting));
            }
            Event::DataFallback { reason } => self.fallback = Some(reason.clone()),
            Event::StudyFinished(result) => {
                self.state = match result.outcome {
                    Outcome::Accepted => State::Accepted,
                    Outcome::Rejected => State::Rejected,
                };
                self.figures = Figures::of(result);
            }
            Event::TestSplitRead { images, accuracy, .. } => {
                self.test_reads.push(TestRead { images: *images, accuracy: *accuracy });
            }
            Event::Unknown { name, .. } => *self.unknown.entry(name.clone()).or_default() += 1,
            Event::StudyExtended { threshold, .. } => {
                self.started.threshold = Some(*threshold);
                self.figures = Figures::so_far(&self.lineage);
                self.state = State::Unfinished;
            }
            _ if self.is_finished() => {}
            Event::StudyStopped { signal } => {
                self.state = State::Stopped { signal: signal.clone() };
            }
            Event::SupervisorGaveUp { cause, .. } => {
                self.state = State::GaveUp { cause: cause.clone() };
            }
            // Any other event shows that it continued.
            _ => self.state = State::Unfinished,
        }
    }

    fn is_finished(&self) -> bool {
        matches!(self.state, State::Accepted | State::Rejected)
    }
}

impl Figures {
    fn so_far(lineage: &Lineage) -> Self {
        let best = lineage.best();
        Self {
            best_trial: best.map(|best| best.trial),
            validation_accuracy: best.and_then(LineageTrial::measured),
            test_accuracy: None,
            parameters: best.map(|best| best.parameters),
            trials: lineage.trials.len() as u64,
            seconds: lineage.trials.iter().fold(0.0, |seconds, trial| seconds + trial.seconds()),
        }
    }

    fn of(result: &StudyResult) -> Self {
        Self {
            best_trial: result.best_trial,
            validation_accuracy: result.best_trial.map(|_| result.validation_accuracy),
            test_accuracy: result.test_accuracy,
            parameters: result.best_trial.map(|_| result.parameters),
            trials: u64::from(result.trials),
            seconds: result.seconds,
        }
    }

    fn validation_words(&self) -> String {
        words::percent(self.validation_accuracy)
    }
}

fn interruption(event: &Event) -> Option<String> {
    Some(match event {
        Event::CheckpointRejected { path, why } => {
            format!("the checkpoint {path} was rejected: {why}")
        }
        Event::StudyResumed { trials, instruction_set, .. } => {
            let done = words::count((*trials).into(), "trial");
            let on = instruction_set.as_ref().map_or(String::new(), |set| format!(" on {set}"));
            format!("the study was resumed{on}, with {done} done")
        }
        Event::StudyExtended { more_trials, more_epochs, threshold, .. } => {
            let mut what = vec![format!("a gate of {}", words::percent(Some(*threshold)))];
            if *more_trials > 0 {
                what.push(words::count((*more_trials).into(), "more trial"));
            }
            if *more_epochs > 0 {
                let epochs = words::count((*more_epochs).into(), "more epoch");
                what.push(format!("{epochs} for the best trial"));
            }
            format!("the study was extended: {}", what.join(", "))
        }
        Event::TrialResumed { trial, epoch, step } => {
            format!("trial {trial} was resumed after epoch {epoch}, step {step}")
        }
        Event::StudyStopped { signal } => format!("the study was stopped by {signal}"),
        Event::SupervisorRestarted { cause, attempt, delay } => {
            format!("restart {attempt} by the supervisor, {delay:.1} s after: {cause}")
        }
        Event::SupervisorGaveUp { cause, restarts } => {
            let restarts = words::count((*restarts).into(), "restart");
            format!("the supervisor gave up after {restarts}: {cause}")
        }
        _ => return None,
    })
}

fn moment(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

#[cfg(test)]
mod tests {
    use super::samples::{accepted, ended, epoch, finished, records, started, study_started};
    use super::*;

    #[test]
    fn an_accepted_study_is_told_in_a_sentence() {
        let report = Report::from_records(&records(accepted()));
        assert_eq!(report.state, State::Accepted);
        let outcome = report.outcome();
        assert!(
            outcome.starts_with("Accepted: trial 2, 87.18 % on validation images, 88.16 % on test"),
            "{outcome}"
        );
    }

    #[test]
    fn what_happens_after_a_stop_shows_that_it_went_on() {
        let mut events = vec![study_started(), started(1, None), epoch(1, 1, 0.4)];
        events.push(Event::StudyStopped { signal: "SIGTERM".into() });
        let stopped = Report::from_records(&records(events.clone()));
        assert_eq!(stopped.state, State::Stopped { signal: "SIGTERM".into() });
        events.push(Event::StudyResumed { run: "r".into(), trials: 0, instruction_set: None });
        let resumed = Report::from_records(&records(events.clone()));
        assert_eq!((&resumed.state, resumed.interruptions.len()), (&State::Unfinished, 2));
        events.push(Event::SupervisorGaveUp { cause: "same step".into(), restarts: 3 });
        let given_up = Report::from_records(&records(events));
        assert!(given_up.outcome().contains("gave up: same step"), "{}", given_up.outcome());
    }

    #[test]
    fn an_unfinished_study_is_told_with_what_it_has() {
        let nothing = Report::from_records(&records([study_started(), started(1, None)]));
        assert_eq!(nothing.figures.best_trial, None);
        assert!(nothing.outcome().contains("no trial finished an epoch"), "{}", nothing.outcome());
        let events = [study_started(), started(1, None), epoch(1, 1, 0.4), epoch(1, 2, f64::NAN)];
        let some = Report::from_records(&records(events));
        assert_eq!(some.figures.validation_accuracy, Some(0.4));
    }

    #[test]
    fn an_extended_study_is_unfinished_until_it_ends_again() {
        let mut events = accepted();
        events.push(Event::StudyExtended {
            extension: 1,
            more_trials: 2,
            more_epochs: 0,
            gate: Some(0.9),
            trials: 10,
            threshold: 0.9,
            request: None,
        });
        let report = Report::from_records(&records(events.clone()));
        assert_eq!(report.state, State::Unfinished);
        let what = &report.interruptions[0].what;
        assert_eq!(what, "the study was extended: a gate of 90.00 %, 2 more trials");
        events.push(ended(Outcome::Rejected, 2, 0.8718));
        let outcome = Report::from_records(&records(events)).outcome();
        assert!(outcome.contains("87.18 % is below the gate of 90.00 %"), "{outcome}");
    }

    #[test]
    fn a_rejection_names_what_was_missing() {
        let mut events = vec![study_started(), started(1, None), finished(1, f64::NAN)];
        events.push(Event::StudyFinished(StudyResult {
            outcome: Outcome::Rejected,
            best_trial: None,
            validation_accuracy: f64::NAN,
            test_accuracy: None,
            test_readings: None,
            parameters: 0,
            trials: 1,
            seconds: 2.0,
            run: "r".into(),
        }));
        let outcome = Report::from_records(&records(events)).outcome();
        assert!(
            outcome.contains("no validation accuracy was measured; the gate is 80.00 %"),
            "{outcome}"
        );
    }

    #[test]
    fn events_of_a_newer_version_are_counted_by_name() {
        let unknown =
            || Event::Unknown { version: 9, name: "paused".into(), fields: serde_json::Map::new() };
        let report = Report::from_records(&records([study_started(), unknown(), unknown()]));
        assert!(report.source_note().contains("paused ×2"), "{}", report.source_note());
    }
}
