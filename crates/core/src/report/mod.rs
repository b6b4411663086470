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

pub(crate) mod chart;
#[cfg(feature = "cli")]
pub(crate) mod compare;
mod front;
mod html;
mod jobs;
mod junit;
pub(crate) mod lineage;
mod markdown;
pub(crate) mod markup;
#[cfg(feature = "mail")]
mod message;
mod network;
mod repeat;
#[cfg(feature = "cli")]
pub(crate) mod runs;
#[cfg(test)]
pub(crate) mod samples;
mod selection;
mod sentences;
mod time;
mod trial_words;
pub(crate) mod words;
pub(crate) mod write;

use std::collections::BTreeMap;

use jiff::Timestamp;

#[cfg(feature = "mail")]
pub(crate) use self::chart::Scale;
use self::jobs::Jobs;
pub(crate) use self::lineage::{Epoch, Lineage, LineageTrial};
#[cfg(feature = "train")]
pub(crate) use self::markdown::inline;
use self::network::Networks;
use self::time::TimeSpent;
pub(crate) use self::words::{grouped, times};
pub use self::write::{ReportError, write};
use crate::ledger::{Event, Outcome, Provenance, Recorded};
use crate::record::StudyResult;
use crate::record::figures::ModelFigures;
use crate::record::{Forgetting, InheritedModel, SplitCounts};
use crate::spec::InputShape;

/// Path of the style sheet, relative to the page.
pub(crate) const STYLE_SHEET: &str = "report/style.css";
/// Path, relative to the page, of the picture of training images.
pub(crate) const SAMPLES_PICTURE: &str = "report/samples.png";

/// Path, relative to the page, of the picture of how a trial distorts training images.
pub(crate) fn augmented_picture(trial: u32) -> String {
    format!("report/augmented-{trial:03}.png")
}

/// Path, relative to the page, of the picture of the images that a trial's model takes for another class.
pub(crate) fn mistakes_picture(trial: u32) -> String {
    format!("report/mistakes-{trial:03}.png")
}

/// What pages look like that show a report or a part of it.
pub(crate) const STYLE: &str = include_str!("style.css");

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
    /// Its jobs on other machines.
    jobs: Jobs,
    test_reads: Vec<TestRead>,
    /// How often the study itself has read the test images.
    read_by_study: u64,
    /// Trials that the study has accepted, each with its accuracy on the test images.
    tested_by_study: BTreeMap<u32, f64>,
    /// What the best model was measured at, if it is known.
    model: Option<ModelFigures>,
    /// Width and height of the picture of its mistakes, if there is one.
    mistakes_picture: Option<[u32; 2]>,
    /// Width and height of the picture of training images, if there is one.
    samples_picture: Option<[u32; 2]>,
    /// Where the time went.
    time: TimeSpent,
    /// Events of newer versions: number by name.
    unknown: BTreeMap<String, u64>,
    events: usize,
    last_event_at: Option<Timestamp>,
    provenance: Option<Provenance>,
    /// The resolved study file.
    study: Option<String>,
    /// `[channels, height, width]` of an image.
    image: Option<[usize; 3]>,
    /// The best trial's network, beside that of its parent.
    networks: Option<Networks>,
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
    command: String,
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
#[derive(Debug, Clone, PartialEq)]
struct TestRead {
    command: String,
    images: u64,
    accuracy: f64,
    weights_hash: String,
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
            jobs: Jobs::default(),
            test_reads: Vec::new(),
            read_by_study: 0,
            tested_by_study: BTreeMap::new(),
            model: None,
            mistakes_picture: None,
            samples_picture: None,
            time: TimeSpent::of(records),
            image: None,
            networks: None,
            unknown: BTreeMap::new(),
            events: records.len(),
            last_event_at: records.last().map(|last| last.at),
            provenance: None,
            study: None,
            augmented: Vec::new(),
        };
        for recorded in records {
            report.add(&recorded.event);
            report.jobs.add(&recorded.event);
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

    /// Adds the hash of the best model's weights, so that an evaluation of it is told from one of an earlier model.
    #[must_use]
    pub(crate) fn with_model(mut self, figures: Option<ModelFigures>) -> Self {
        self.model = figures;
        self
    }

    /// The shape of what networks take, if the record tells it.
    fn input_shape(&self) -> Option<InputShape> {
        let [channels, height, width] = self.image?;
        let classes = self.data.as_ref()?.classes.len();
        Some(InputShape { channels, height, width, classes })
    }

    /// Adds the network of the best trial and that of its parent.
    pub(crate) fn with_networks(mut self, networks: Option<Networks>) -> Self {
        self.networks = networks;
        self
    }

    /// Adds the size, in pixels, of the picture at [`SAMPLES_PICTURE`].
    pub(crate) fn with_samples_picture(mut self, size: Option<[u32; 2]>) -> Self {
        self.samples_picture = size;
        self
    }

    /// Adds the size, in pixels, of the picture at [`mistakes_picture`] of the model's trial.
    pub(crate) fn with_mistakes_picture(mut self, size: Option<[u32; 2]>) -> Self {
        self.mistakes_picture = size;
        self
    }

    fn add(&mut self, event: &Event) {
        match event {
            Event::StudyStarted {
                name,
                command,
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
                    command: command.clone(),
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
            Event::DataExamined { classes, counts, findings, image } => {
                self.image = *image;
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
                let tested = result.best_trial.zip(result.test_accuracy);
                self.tested_by_study.extend(tested);
                self.read_by_study = self.read_by_study.max(result.test_readings().into());
            }
            Event::TestSplitRead { command, images, accuracy, weights_hash, .. } => {
                self.test_reads.push(TestRead {
                    command: command.clone(),
                    images: *images,
                    accuracy: *accuracy,
                    weights_hash: weights_hash.clone(),
                });
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
        Event::TrialResumed { trial, epoch, step, fold } => {
            let fold = fold.map_or(String::new(), |fold| format!(", fold {fold},"));
            format!("trial {trial}{fold} was resumed after epoch {epoch}, step {step}")
        }
        Event::JobEnded { trial, job, node, why: Some(why), .. } => {
            let job = job.as_ref().map_or("a job".into(), |job| format!("job {job}"));
            let on = node.as_ref().map_or(String::new(), |node| format!(" on {node}"));
            format!("{job} of trial {trial}{on}: {why}")
        }
        Event::NodeExcluded { node, why } => {
            format!("node {node} gets no more jobs: {why} twice within a minute")
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
mod tests;
