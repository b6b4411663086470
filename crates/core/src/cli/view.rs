//! Shows the progress of a study on a terminal: bars for what is running, lines for what is done.

use std::collections::BTreeMap;
use std::error::Error;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::error::CliError;
use super::live::Live;
use super::loading::LoadingBar;
use super::output::Output;
use super::profile;
use super::region::{self, Region};
use super::running::Running;
use crate::data;
use crate::gate::{Judgement, few_images};
use crate::notify::NotifyError;
use crate::record::{EpochRecord, FoldResult, Forgetting, StepProgress};
use crate::report::ReportError;
use crate::spec::{Source, Spec, diff};
use crate::study::{EventObserver, LaunchListener, Listener, Ready, Resumed, TrialNote};
use crate::sys::error_chain;
use crate::track::{Followers, Targets};
use crate::tune::{Finding, Proposal, TrialRecord};

/// Without a terminal, how often a line shows that training continues.
const PLAIN_LINE_EVERY: Duration = Duration::from_secs(10);

/// Prints the progress of a study.
pub struct View {
    output: Output,
    /// What is drawn of the trials that train.
    region: Mutex<Region>,
    /// The bar of loading the images.
    loading: LoadingBar,
    last_plain_line: Instant,
    /// Whether several trials may run at once, so that each line names its trial.
    is_shared: bool,
    trials: BTreeMap<u32, Seen>,
    events_file: PathBuf,
    /// The first error of writing an event to standard output.
    lost_events: Arc<Mutex<Option<std::io::Error>>>,
    /// Set when everything is ready and the loop starts.
    has_begun: Arc<AtomicBool>,
    /// Where else the run is shown.
    targets: Targets,
    followers: Option<Followers>,
}

/// What was shown of a trial, for comparison with its children.
struct Seen {
    spec: Spec,
    parent: Option<u32>,
    accuracies: Vec<f64>,
    /// The edits that would be tried next.
    next: Option<String>,
    /// The fold that was measured last, and how many there are.
    folds: Option<(u32, u32)>,
    running: Option<Running>,
}

impl View {
    /// A view that shows nothing yet.
    pub fn new(output: Output) -> Self {
        Self {
            output,
            region: Mutex::default(),
            loading: LoadingBar::new(output.progress),
            last_plain_line: Instant::now(),
            is_shared: false,
            trials: BTreeMap::new(),
            events_file: PathBuf::new(),
            lost_events: Arc::default(),
            has_begun: Arc::default(),
            targets: Targets::default(),
            followers: None,
        }
    }

    /// Shows the run elsewhere, too, once it begins.
    pub fn shown_at(self, targets: Targets) -> Self {
        Self { targets, ..self }
    }

    /// Lets the tools that show the run take the rest of it, for at most `limit`.
    pub fn finish_tracking(&mut self, limit: Duration) {
        for failed in
            self.followers.take().map(|followers| followers.finish(limit)).unwrap_or_default()
        {
            let run = self.events_file.parent().unwrap_or(&self.events_file).display().to_string();
            self.output.warn(&format!(
                "{failed}; `burgeon report {run}` with the same option sends what is missing"
            ));
        }
    }

    /// The error of events that could not be written to standard output, if there was one.
    pub fn lost_events(&self) -> Option<CliError> {
        let mut lost = self.lost_events.lock().unwrap_or_else(PoisonError::into_inner);
        let source = lost.take()?;
        Some(CliError::Events { events: self.events_file.clone(), source })
    }

    /// Sets `has_begun` when everything is ready and the loop starts.
    pub fn setting(self, has_begun: Arc<AtomicBool>) -> Self {
        Self { has_begun, ..self }
    }

    /// Removes the progress bars.
    pub fn close(&self) {
        self.loading.close();
        self.region().clear(region::size());
    }

    fn region(&self) -> MutexGuard<'_, Region> {
        self.region.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Prints above what is drawn.
    fn above(&self, print: impl FnOnce()) {
        self.region().clear(region::size());
        self.loading.above(print);
        self.draw();
    }

    /// Draws the trials that train.
    fn draw(&self) {
        let size @ [_, columns] = region::size();
        let trials = self.trials.iter();
        let running =
            trials.filter_map(|(trial, seen)| Some((*trial, seen, seen.running.as_ref()?)));
        let drawn = running.map(|(trial, seen, running)| self.live(trial, seen, running, columns));
        let drawn: Vec<String> = drawn.collect();
        if self.output.progress && !drawn.is_empty() {
            self.region().draw(&drawn.join("\n"), size);
        }
    }

    fn print(&self, line: &str) {
        self.above(|| self.output.print(line));
    }

    fn warn(&self, line: &str) {
        self.above(|| self.output.warn(line));
    }

    /// Prints a line about one trial.
    fn print_for(&self, trial: u32, line: &str) {
        self.print(&format!("{}{line}", self.prefix(trial)));
    }

    /// The prefix of lines about one trial.
    fn prefix(&self, trial: u32) -> String {
        if self.is_shared { format!("  [{trial}]") } else { String::new() }
    }

    fn live(&self, trial: u32, seen: &Seen, running: &Running, columns: usize) -> String {
        let parent = seen.parent.and_then(|parent| Some((parent, self.trials.get(&parent)?)));
        let live = Live {
            trial,
            done: running.share(),
            figures: running.figures(),
            curve: &seen.accuracies,
            parent: parent.map(|(parent, seen)| (parent, seen.accuracies.as_slice())),
            next: seen.next.as_deref(),
        };
        let colours = if self.output.color { ["\u{1b}[32m", "\u{1b}[0m"] } else { ["", ""] };
        live.lines(columns, colours)
    }
}

impl Listener for View {
    fn trial(&mut self, trial: u32, spec: &Spec, proposal: Option<&Proposal>) {
        let size = format!(
            "{} parameters, {} at a learning rate of {}",
            grouped(spec.table().parameters()),
            match spec.train().epochs {
                1 => "1 epoch".into(),
                epochs => format!("{epochs} epochs"),
            },
            spec.train().learning_rate
        );
        match proposal {
            None => self.print(&format!("\ntrial {trial}: {size}")),
            Some(proposal) => {
                let edits: Vec<String> = proposal.edits.iter().map(ToString::to_string).collect();
                let mut text = format!(
                    "\ntrial {trial}, grown from trial {}: {}\n  {size}",
                    proposal.parent,
                    edits.join("; ")
                );
                if let Some(parent) = self.trials.get(&proposal.parent) {
                    for line in diff(&parent.spec, spec) {
                        text += &format!("\n    {line}");
                    }
                }
                if let Some(forecast) = &proposal.forecast {
                    text += &format!(
                        "\n  predicted {} ({} to {})",
                        percent(forecast.accuracy),
                        percent(forecast.low),
                        percent(forecast.high)
                    );
                    if let Some(why) = &forecast.out_of_reach {
                        text += &format!("\n  {why}");
                    }
                }
                self.print(&text);
            }
        }
        let seen = Seen {
            spec: spec.clone(),
            parent: proposal.map(|proposal| proposal.parent),
            accuracies: Vec::new(),
            next: None,
            folds: None,
            running: None,
        };
        self.trials.insert(trial, seen);
    }

    fn step(&mut self, trial: u32, progress: &StepProgress) {
        if self.output.progress {
            if let Some(seen) = self.trials.get_mut(&trial) {
                seen.running = Some(Running::next(seen.running.take(), progress));
            }
            if self.region().is_due() {
                self.draw();
            }
        } else if self.last_plain_line.elapsed() >= PLAIN_LINE_EVERY {
            self.last_plain_line = Instant::now();
            let folds = self.trials.get(&trial).and_then(|seen| seen.folds);
            let fold =
                folds.map_or(String::new(), |(done, folds)| format!("fold {}/{folds}, ", done + 1));
            self.output.print(&format!(
                "{}  {fold}epoch {}/{}, step {}/{}: loss {:.3}, accuracy {}, {} images/s",
                self.prefix(trial),
                progress.epoch,
                progress.epochs,
                progress.step,
                progress.steps,
                progress.loss,
                percent(progress.accuracy),
                grouped(progress.images_per_second as usize),
            ));
        }
    }

    fn note(&mut self, trial: u32, note: &TrialNote) {
        match note {
            TrialNote::CheckpointRejected { path, why } => {
                self.warn(&format!("{path} {why}; continuing from the checkpoint before it"));
            }
            TrialNote::Resumed { epoch, step } => {
                self.print_for(trial, &format!("  resuming after epoch {epoch}, step {step}"));
            }
            TrialNote::Grafted(report) => self.print_for(
                trial,
                &format!(
                    "  carried over {} of {} weight arrays{}",
                    report.carried.len(),
                    report.carried.len() + report.fresh.len(),
                    match report.changed.as_slice() {
                        _ if report.preserved =>
                            ": it starts with the same outputs as its parent".into(),
                        [] => String::new(),
                        changed => format!(": {}", changed.join("; ")),
                    }
                ),
            ),
            TrialNote::Profiled(profile) => {
                self.above(|| self.output.print_always(&profile::table(profile)));
            }
            TrialNote::CheckpointWritten { .. } => {}
            TrialNote::JobSubmitted { trial, part, submission, job } => {
                let again = if *submission > 1 { ", again" } else { "" };
                self.print_for(*trial, &format!("  submitted as job {job}{again}{}", part_of(part)));
            }
            TrialNote::JobEnded { trial, part, job, node, why: Some(why), .. } => {
                let job = job.as_deref().unwrap_or("without an id");
                let on = node.as_ref().map_or(String::new(), |node| format!(" on {node}"));
                self.print_for(*trial, &format!("  job {job}{on}: {why}{}", part_of(part)));
            }
            TrialNote::JobEnded { .. } => {}
            TrialNote::NodeExcluded { node, why } => self.warn(&format!(
                "node {node} failed two jobs within a minute ({why}), so it gets no more of this study"
            )),
        }
    }

    fn planned(&mut self, trial: u32, next: &Proposal) {
        let edits: Vec<String> = next.edits.iter().map(ToString::to_string).collect();
        if let Some(seen) = self.trials.get_mut(&trial) {
            seen.next = Some(edits.join("; "));
        }
    }

    fn epoch(&mut self, trial: u32, record: &EpochRecord) {
        self.last_plain_line = Instant::now();
        let mut epochs = record.epoch;
        if let Some(seen) = self.trials.get_mut(&trial) {
            seen.accuracies.push(record.validation_accuracy);
            epochs = seen.spec.train().epochs;
        }
        self.print_for(
            trial,
            &format!(
                "  epoch {:>2}/{epochs}  loss {:.4}  accuracy {:>7}  |  validation {:.4} {:>7}  |  {:.1} s",
                record.epoch,
                record.train_loss,
                percent(record.train_accuracy),
                record.validation_loss,
                percent(record.validation_accuracy),
                record.seconds,
            ),
        );
    }

    fn fold_ended(&mut self, trial: u32, fold: &FoldResult) {
        self.last_plain_line = Instant::now();
        if let Some(seen) = self.trials.get_mut(&trial) {
            seen.folds = Some((fold.fold, fold.folds));
        }
        self.print_for(trial, &format!("  {}  |  {:.1} s", fold.words(), fold.seconds));
    }

    fn rates_tested(&mut self, trial: u32, suggestion: Option<f64>) {
        let found = match suggestion {
            Some(rate) => format!("the best learning rate is about {rate:.1e}"),
            None => "the loss does not fall at any learning rate, so the cause is another".into(),
        };
        self.print_for(trial, &format!("  learning rate range test: {found}"));
    }

    fn out_of_time(&mut self, trial: u32, why: &str) {
        let kept = match self.trials.get(&trial).map_or(0, |seen| seen.accuracies.len()) {
            0 => "no epoch could be evaluated in that time, so it has no model",
            _ => "its best epoch is kept",
        };
        self.print_for(trial, &format!("  out of time: {why}; {kept}"));
    }

    fn budget_spent(&mut self, why: &str) {
        self.print(&format!("no further trial: {why}"));
    }

    fn trial_ended(&mut self, trial: &TrialRecord, judgement: &Judgement, finding: &Finding) {
        let number = trial.trial;
        if let Some(seen) = self.trials.get_mut(&number) {
            seen.running = None;
        }
        if let Some(why) = trial.curve.last().and_then(|last| last.given_up.as_ref()) {
            self.print_for(number, &format!("  given up: {why}"));
        }
        if let Some(folds) = trial.cross_validation() {
            self.print_for(number, &format!("  {}", folds.words()));
        }
        // Without an epoch there is no accuracy to compare with the gate; the finding says why.
        if !trial.curve.is_empty() {
            self.print_for(number, &format!("  {judgement}"));
        }
        if !judgement.passes {
            self.print_for(number, &format!("  {}: {}", finding.diagnosis, finding.evidence));
        }
    }
}

impl LaunchListener for View {
    fn data(&mut self, progress: data::Progress) {
        match progress {
            // Reported with all other places once the last one has failed.
            data::Progress::MirrorFailed { .. } => {}
            data::Progress::FellBack { reason } => {
                self.close();
                self.warn(&format!(
                    "MNIST is not available: {reason}\n\
                     warning: TRAINING ON THE BUILT-IN DIGITS INSTEAD; the accuracies below are not those of MNIST.\n\
                     warning: to train on MNIST, put its four files into data/, or give their folder with --data"
                ));
            }
            data::Progress::PathPassedOver { path, named } => self.warn(&format!(
                "MNIST is read from {}, as --data or BURGEON_DATA says, and not from {}, as data.path says",
                named.display(),
                path.display()
            )),
            data::Progress::FolderPassedOver { named, source, path } => {
                // `tune FOLDER` loads its images twice.
                if !TOLD_OF_FOLDER.swap(true, Ordering::Relaxed) {
                    self.warn(&folder_passed_over(named, source, path));
                }
            }
            data::Progress::NotCached { reason } => {
                self.close();
                self.warn(&format!(
                    "decoded images cannot be kept, and are held in memory: {reason}"
                ));
            }
            loading => {
                let Self { output, loading: bar, .. } = self;
                bar.show(&loading, |line| output.print(line));
            }
        }
    }

    fn ready(&mut self, ready: &Ready) {
        self.has_begun.store(true, Ordering::SeqCst);
        self.close();
        self.events_file = ready.folder.events_file();
        self.followers = Some(self.targets.follow(ready.folder));
        self.is_shared = ready.spec.tune().jobs > 1;
        let data = ready.data;
        if let Some(repair) = ready.repaired {
            self.output.warn(&repair.to_string());
        }
        if let Some(then) = ready.other_instruction_set {
            self.output.warn(&format!(
                "this run has used the instruction set {then} so far and continues with another, so its \
                 results may differ in the last digits from those of an uninterrupted run; to continue with \
                 {then} on a processor that has it, set BURGEON_CPU={then}"
            ));
        }
        let verb = match ready.resumed {
            Resumed::No => "in",
            Resumed::Yes => "resumed in",
        };
        self.output.print(&format!(
            "{} {verb} {}\ndata    {}: {} training, {} validation, {} test images\ndevice  {}, {} threads",
            ready.spec.name(),
            ready.folder.path().display(),
            ready.origin.origin,
            grouped(data.train.len()),
            grouped(data.validation.len()),
            grouped(data.test.len()),
            ready.device,
            ready.threads,
        ));
        if let Some(inherited) = ready.inherited {
            self.output.print(&format!(
                "model   {} (SHA-256 {}…): {}",
                inherited.from,
                inherited.sha256.get(..12).unwrap_or_default(),
                inherited.classes_words()
            ));
            if inherited.kept.is_empty() {
                self.output.warn(
                    "the model and the data have no class in common, so only the layers before the head \
                     are inherited",
                );
            }
        }
        for finding in &ready.report.findings {
            self.output.warn(&finding.words(&data.classes));
        }
        if ready.resumed == Resumed::No
            && let Some(told) = few_images(ready.spec.gate(), data.validation.len())
        {
            self.output.warn(&told);
        }
    }

    fn forgetting(&mut self, measured: Result<&Forgetting, &(dyn Error + 'static)>) {
        match measured {
            Ok(forgetting) => self.output.print(&forgetting.words()),
            Err(error) => {
                let why = error_chain(error);
                self.output.warn(&format!("what the model has forgotten was not measured: {why}"));
            }
        }
    }

    fn report_failed(&mut self, error: &ReportError) {
        let why = error_chain(error);
        self.output.warn(&format!("no report was written: {why}"));
    }

    fn card_failed(&mut self, error: &(dyn Error + 'static)) {
        self.output.warn(&error_chain(error));
    }

    fn notified(&mut self, message: &str) {
        self.output.print(message);
    }

    fn notification_failed(&mut self, error: &NotifyError) {
        self.output.warn(&error_chain(error));
    }

    fn recorder(&mut self) -> Option<EventObserver> {
        self.output.json.then(|| -> EventObserver {
            let lost = Arc::clone(&self.lost_events);
            Box::new(move |_, line| match writeln!(std::io::stdout(), "{line}") {
                Ok(()) => {}
                // The reader of the events has gone; the run folder has them all.
                Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => {}
                Err(error) => {
                    let mut lost = lost.lock().unwrap_or_else(PoisonError::into_inner);
                    lost.get_or_insert(error);
                }
            })
        })
    }
}

/// Whether this process has told that the folder for MNIST is not read.
static TOLD_OF_FOLDER: AtomicBool = AtomicBool::new(false);

fn folder_passed_over(named: &Path, source: Source, path: Option<&Path>) -> String {
    let variable = "BURGEON_DATA";
    let is_variable = std::env::var_os(variable).is_some_and(|value| Path::new(&value) == named);
    let by = if is_variable { variable } else { "--data" };
    let read = match path {
        Some(path) => format!("{} is read", path.display()),
        None => "no files are read".into(),
    };
    format!(
        "{by} names {}, but is for `source = \"mnist\"` alone: this study has `source = \"{}\"`, so {read}",
        named.display(),
        source.name()
    )
}

/// A whole number with thousands separators: `61,706`.
pub fn grouped(number: usize) -> String {
    crate::report::grouped(number as u64)
}

/// A fraction as a percentage: `87.50 %`.
pub fn percent(fraction: f64) -> String {
    format!("{:.2} %", fraction * 100.0)
}

/// A part of a trial's work, in brackets, unless it is the training.
fn part_of(part: &str) -> String {
    if part == "train" { String::new() } else { format!(" ({part})") }
}
