//! What people read of a run: its events folded into a page, a text, and test cases.
//!
//! ```text
//! events.jsonl ─ Lineage   the trials, each under the one that it grew from
//!              └ Report    and what came of the study, and what befell it
//!                   ├─ report.html   no scripts, nothing fetched but report/style.css beside it
//!                   ├─ report.md     for a pull request
//!                   └─ junit.xml     for a test runner
//! ```
//!
//! [`Report::of`] and what it writes are pure; [`write()`] reads a run folder and writes into it. It
//! takes no lock and touches nothing but its own files, so that a run may be looked at while
//! it trains.
//!
//! Invariant: whatever stands in a record is untrusted text, and is escaped where it is written.

mod chart;
mod html;
mod junit;
pub(crate) mod lineage;
mod markdown;
mod markup;
#[cfg(test)]
mod samples;
mod selection;
mod sentences;
pub(crate) mod words;
pub(crate) mod write;

use std::collections::BTreeMap;

use jiff::Timestamp;

pub(crate) use self::lineage::{Epoch, Generation, Lineage};
pub(crate) use self::words::grouped;
pub use self::write::{ReportError, write};
use crate::ledger::{Event, Outcome, Provenance, Recorded};
use crate::record::SplitCounts;
use crate::record::StudyResult;

/// Where the page's style sheet lies, seen from the page.
pub(crate) const STYLE_SHEET: &str = "report/style.css";
const STYLE: &str = include_str!("style.css");

/// A run, folded.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// The trials.
    pub lineage: Lineage,
    /// How far the study has come.
    pub state: State,
    /// The figures of the study: final ones, or so far.
    pub figures: Figures,
    started: Started,
    /// Why not the data that was asked for.
    fallback: Option<String>,
    /// Trials that the lineage leaves out.
    omitted_trials: usize,
    data: Option<Examined>,
    interruptions: Vec<Interruption>,
    test_reads: Vec<TestRead>,
    /// Events of a newer version by name, and how many.
    unknown: BTreeMap<String, u64>,
    events: usize,
    last_event_at: Option<Timestamp>,
    provenance: Option<Provenance>,
    /// The resolved study file.
    study: Option<String>,
}

/// How far a study has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// A model passed the gate.
    Accepted,
    /// None did, and there will be no other.
    Rejected,
    /// It was asked to stop.
    Stopped {
        /// By this signal.
        signal: String,
    },
    /// The supervisor no longer starts it.
    GaveUp {
        /// Why.
        cause: String,
    },
    /// It is at work, or was killed: its record cannot tell.
    Unfinished,
}

/// What a study came to, or has come to so far.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Figures {
    /// The trial of the best model.
    pub best_trial: Option<u32>,
    /// Its accuracy over the validation images, 0..=1.
    pub validation_accuracy: Option<f64>,
    /// Its accuracy over the test images, 0..=1; read for accepted models only.
    pub test_accuracy: Option<f64>,
    /// Its trainable parameters.
    pub parameters: Option<u64>,
    /// Trials begun.
    pub trials: u64,
    /// Seconds from beginning to end; of training alone while there is no end.
    pub seconds: f64,
}

/// What a study began with.
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

/// What a look at the images showed.
#[derive(Debug, Clone, PartialEq)]
struct Examined {
    classes: Vec<String>,
    counts: SplitCounts,
    /// What is odd, in words.
    findings: Vec<String>,
}

impl Examined {
    /// For each class its name and how many training, validation and test images it has.
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

/// Something that kept a study from going straight on.
#[derive(Debug, Clone, PartialEq)]
struct Interruption {
    at: Timestamp,
    what: String,
}

/// A reading of the test images outside the study.
#[derive(Debug, Clone, Copy, PartialEq)]
struct TestRead {
    images: u64,
    accuracy: f64,
}

impl Report {
    /// Folds a record.
    pub fn of(records: &[Recorded]) -> Self {
        let lineage = Lineage::of(records);
        let mut report = Self {
            figures: Figures::so_far(&lineage),
            lineage,
            state: State::Unfinished,
            started: Started::default(),
            fallback: None,
            omitted_trials: 0,
            data: None,
            interruptions: Vec::new(),
            test_reads: Vec::new(),
            unknown: BTreeMap::new(),
            events: records.len(),
            last_event_at: records.last().map(|last| last.at),
            provenance: None,
            study: None,
        };
        for recorded in records {
            report.take(&recorded.event);
            if let Some(what) = interruption(&recorded.event) {
                report.interruptions.push(Interruption { at: recorded.at, what });
            }
        }
        report
    }

    /// Also tells where the run comes from.
    #[must_use]
    pub fn with_provenance(mut self, provenance: Option<Provenance>) -> Self {
        self.provenance = provenance;
        self
    }

    /// Also shows the resolved study file.
    #[must_use]
    pub fn with_study(mut self, toml: impl Into<String>) -> Self {
        self.study = Some(toml.into());
        self
    }

    fn take(&mut self, event: &Event) {
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
            // Whatever else happens shows that it went on.
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
            validation_accuracy: best.and_then(Generation::measured),
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
        let report = Report::of(&records(accepted()));
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
        let stopped = Report::of(&records(events.clone()));
        assert_eq!(stopped.state, State::Stopped { signal: "SIGTERM".into() });
        events.push(Event::StudyResumed { run: "r".into(), trials: 0, instruction_set: None });
        let resumed = Report::of(&records(events.clone()));
        assert_eq!((&resumed.state, resumed.interruptions.len()), (&State::Unfinished, 2));
        events.push(Event::SupervisorGaveUp { cause: "same step".into(), restarts: 3 });
        let given_up = Report::of(&records(events));
        assert!(given_up.outcome().contains("gave up: same step"), "{}", given_up.outcome());
    }

    #[test]
    fn an_unfinished_study_is_told_with_what_it_has() {
        let nothing = Report::of(&records([study_started(), started(1, None)]));
        assert_eq!(nothing.figures.best_trial, None);
        assert!(nothing.outcome().contains("no trial finished an epoch"), "{}", nothing.outcome());
        let events = [study_started(), started(1, None), epoch(1, 1, 0.4), epoch(1, 2, f64::NAN)];
        let some = Report::of(&records(events));
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
        let report = Report::of(&records(events.clone()));
        assert_eq!(report.state, State::Unfinished);
        let what = &report.interruptions[0].what;
        assert_eq!(what, "the study was extended: a gate of 90.00 %, 2 more trials");
        events.push(ended(Outcome::Rejected, 2, 0.8718));
        let outcome = Report::of(&records(events)).outcome();
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
        let outcome = Report::of(&records(events)).outcome();
        assert!(
            outcome.contains("no validation accuracy was measured; the gate is 80.00 %"),
            "{outcome}"
        );
    }

    #[test]
    fn events_of_a_newer_version_are_counted_by_name() {
        let unknown =
            || Event::Unknown { version: 9, name: "paused".into(), fields: serde_json::Map::new() };
        let report = Report::of(&records([study_started(), unknown(), unknown()]));
        assert!(report.basis().contains("paused ×2"), "{}", report.basis());
    }
}
