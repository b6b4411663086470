//! The tree of a study's trials.

use std::collections::HashMap;
use std::fmt::Write;

use serde::Serialize;

use super::words;
use crate::gate::{FloorJudgement, in_words};
use crate::ledger::{Event, Recorded, Verdict};
use crate::record::{Basis, CrossValidation, Finding, FoldResult, Forecast, Inherit};

/// The trials of a study, each with its parent.
///
/// Events belong to the trial that they name, whatever their order: trials that run at the same time
/// write alternately.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Lineage {
    /// The trials, sorted by number.
    pub trials: Vec<LineageTrial>,
}

/// One trial of a [`Lineage`].
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LineageTrial {
    /// Number of the trial, counted from 1.
    pub trial: u32,
    /// The trial that it was grown from.
    pub parent: Option<u32>,
    /// The edits, as clauses.
    pub edits: Vec<String>,
    /// The reason for the edits.
    pub reason: String,
    /// What it inherits from its parent.
    pub inherit: Inherit,
    /// How much of its parent's weights was carried over.
    pub carried: Option<Carried>,
    /// Trainable parameters.
    pub parameters: u64,
    /// Floating-point operations of a forward pass of one image.
    pub flops_per_image: u64,
    /// The forecast made when it was proposed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub forecast: Option<Forecast>,
    /// Number of epochs trained so far, without its parent's.
    pub epochs: u32,
    /// Best validation accuracy so far, 0..=1; NaN if it diverged. Once it has ended, that over all measured folds,
    /// if there are any.
    pub accuracy: f64,
    /// The folds that were measured, the validation split first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub folds: Vec<FoldResult>,
    /// The images that the gate judged it on.
    #[serde(skip_serializing_if = "Basis::is_validation")]
    pub basis: Basis,
    /// The value that the gate compared to its threshold, 0..=1; `None` until it was judged.
    pub judged: Option<f64>,
    /// The gate's judgements on balanced accuracy and least recall.
    pub floors: Vec<FloorJudgement>,
    /// The lower confidence bound of its accuracy, if the gate judged by it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bound: Option<f64>,
    /// Seconds of training; `None` while it runs.
    pub train_seconds: Option<f64>,
    /// Training images per second; `None` while it runs.
    pub images_per_second: Option<f64>,
    /// Milliseconds for one of the validation images, which are classified in batches: of the fastest epoch; `None` if
    /// that was not measured.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub milliseconds_per_image: Option<f64>,
    /// The diagnosis; `None` while it runs.
    pub finding: Option<Finding>,
    /// Why it was given up before its end.
    pub given_up: Option<String>,
    /// The time limit that ended it, if one did.
    pub out_of_time: Option<String>,
    /// Whether it passed the gate.
    pub opened: bool,
    /// Its own epochs, in order.
    pub curve: Vec<Epoch>,
}

/// How much of a parent's weights was carried over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Carried {
    /// Number of arrays with values of the parent, in whole or in part.
    pub arrays: usize,
    /// Number of arrays with fresh values.
    pub fresh: usize,
    /// Whether the child starts with the same outputs as its parent.
    pub preserved: bool,
}

/// The figures of one epoch. Accuracies are fractions, 0..=1; all may be NaN.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Epoch {
    /// Counted from 1.
    pub epoch: u32,
    /// Mean loss over the training images.
    pub train_loss: f64,
    /// Accuracy over the training images.
    pub train_accuracy: f64,
    /// Mean loss over the validation images.
    pub validation_loss: f64,
    /// Accuracy over the validation images.
    pub validation_accuracy: f64,
    /// Seconds of training.
    pub seconds: f64,
}

impl Lineage {
    /// Builds the tree from a record.
    pub fn from_records(records: &[Recorded]) -> Self {
        let mut lineage = Self { trials: Vec::new() };
        for recorded in records {
            lineage.add(&recorded.event);
        }
        lineage
    }

    fn add(&mut self, event: &Event) {
        match event {
            Event::TrialStarted { trial, .. } => {
                if let Err(place) = self.place(*trial)
                    && let Some(started) = LineageTrial::started(event)
                {
                    self.trials.insert(place, started);
                }
            }
            Event::Grafted { trial, .. }
            | Event::EpochFinished { trial, .. }
            | Event::FoldFinished { trial, .. }
            | Event::TrialFinished { trial, .. }
            | Event::GateDecided { trial, .. } => {
                if let Ok(place) = self.place(*trial) {
                    self.trials[place].add(event);
                }
            }
            _ => {}
        }
    }

    fn place(&self, trial: u32) -> Result<usize, usize> {
        self.trials.binary_search_by_key(&trial, |found| found.trial)
    }

    /// The trial of this number.
    pub fn find(&self, trial: u32) -> Option<&LineageTrial> {
        self.place(trial).ok().map(|place| &self.trials[place])
    }

    /// The parent of a trial; `None` if it is not in the record or not older, so that following parents
    /// always ends.
    pub fn parent(&self, of: &LineageTrial) -> Option<&LineageTrial> {
        self.find(of.parent.filter(|&parent| parent < of.trial)?)
    }

    /// The children of a trial; the roots for `None`.
    pub fn children(&self, of: Option<u32>) -> impl Iterator<Item = &LineageTrial> {
        self.trials.iter().filter(move |trial| self.parent(trial).map(|parent| parent.trial) == of)
    }

    /// A trial and its ancestors, youngest first.
    pub fn ancestry(&self, trial: u32) -> impl Iterator<Item = &LineageTrial> {
        std::iter::successors(self.find(trial), |trial| self.parent(trial))
    }

    /// The trial with the best validation accuracy so far.
    pub fn best(&self) -> Option<&LineageTrial> {
        let measured = self.trials.iter().filter(|trial| trial.measured().is_some());
        // Of equal ones the first, which is usually the smallest.
        measured.rev().max_by(|one, other| one.accuracy.total_cmp(&other.accuracy))
    }

    /// The tree as text, with each trial below its parent. Trials too deep for a line start again at the
    /// left margin.
    pub fn tree(&self) -> String {
        let mut drawing = Drawing { children: HashMap::new(), text: String::new(), deep: vec![] };
        for trial in &self.trials {
            let parent = self.parent(trial).map(|parent| parent.trial);
            drawing.children.entry(parent).or_default().push(trial);
        }
        for root in drawing.children.remove(&None).unwrap_or_default() {
            drawing.draw(root, "", "", 0);
        }
        drawing.deep.reverse();
        while let Some(root) = drawing.deep.pop() {
            let mut deeper = std::mem::take(&mut drawing.deep);
            drawing.draw(root, "", "", 0);
            // The descendants of this trial come before the other deep ones.
            drawing.deep.reverse();
            deeper.append(&mut drawing.deep);
            drawing.deep = deeper;
        }
        drawing.text
    }
}

/// Deeper trials start again at the left margin.
const DEPTH_MAX: usize = 24;

struct Drawing<'a> {
    children: HashMap<Option<u32>, Vec<&'a LineageTrial>>,
    text: String,
    /// Trials that are too deep to be drawn where they belong.
    deep: Vec<&'a LineageTrial>,
}

impl Drawing<'_> {
    fn draw(&mut self, trial: &LineageTrial, first: &str, rest: &str, depth: usize) {
        let _ = writeln!(self.text, "{first}{}", trial.headline());
        let children = self.children.remove(&Some(trial.trial)).unwrap_or_default();
        let stem = if children.is_empty() { " " } else { "│" };
        for line in trial.details() {
            let _ = writeln!(self.text, "{rest}{stem}    {line}");
        }
        if depth == DEPTH_MAX {
            for child in &children {
                let _ = writeln!(self.text, "{rest}└─ … trial {}: see below", child.trial);
            }
            self.deep.extend(children);
            return;
        }
        for (place, child) in children.iter().enumerate() {
            let is_last = place + 1 == children.len();
            let (first, below) = if is_last { ("└─ ", "   ") } else { ("├─ ", "│  ") };
            self.draw(child, &format!("{rest}{first}"), &format!("{rest}{below}"), depth + 1);
        }
    }
}

impl LineageTrial {
    fn started(event: &Event) -> Option<Self> {
        let Event::TrialStarted {
            trial,
            parent,
            edits,
            inherit,
            reason,
            parameters,
            flops_per_image,
            forecast,
            ..
        } = event
        else {
            return None;
        };
        Some(Self {
            trial: *trial,
            parent: *parent,
            edits: edits.iter().map(ToString::to_string).collect(),
            reason: reason.clone(),
            inherit: *inherit,
            carried: None,
            parameters: *parameters,
            flops_per_image: *flops_per_image,
            forecast: forecast.clone(),
            epochs: 0,
            accuracy: 0.0,
            folds: Vec::new(),
            basis: Basis::Validation,
            judged: None,
            floors: Vec::new(),
            bound: None,
            train_seconds: None,
            images_per_second: None,
            milliseconds_per_image: None,
            finding: None,
            given_up: None,
            out_of_time: None,
            opened: false,
            curve: Vec::new(),
        })
    }

    fn add(&mut self, event: &Event) {
        match event {
            Event::Grafted { summary, .. } => {
                self.carried = Some(Carried {
                    arrays: summary.carried.len(),
                    fresh: summary.fresh.len(),
                    preserved: summary.preserved,
                });
            }
            Event::EpochFinished {
                epoch,
                train_loss,
                train_accuracy,
                validation_loss,
                validation_accuracy,
                seconds,
                evaluation_seconds,
                recalls,
                given_up,
                ..
            } => {
                let images: u64 = recalls.iter().map(|recall| recall.images).sum();
                let now = evaluation_seconds.map(|seconds| 1000.0 * seconds / images as f64);
                let known = self.milliseconds_per_image.into_iter().chain(now);
                let known = known.filter(|time| time.is_finite() && *time > 0.0);
                self.milliseconds_per_image = known.reduce(f64::min);
                self.given_up.clone_from(given_up);
                self.add_epoch(Epoch {
                    epoch: *epoch,
                    train_loss: *train_loss,
                    train_accuracy: *train_accuracy,
                    validation_loss: *validation_loss,
                    validation_accuracy: *validation_accuracy,
                    seconds: *seconds,
                });
            }
            Event::TrialFinished {
                epochs,
                validation_accuracy,
                train_seconds,
                images_per_second,
                diagnosis,
                ..
            } => {
                self.epochs = *epochs;
                self.accuracy = *validation_accuracy;
                self.train_seconds = Some(*train_seconds);
                self.images_per_second = Some(*images_per_second);
                self.finding = Some(diagnosis.finding());
                self.out_of_time.clone_from(&diagnosis.out_of_time);
            }
            Event::FoldFinished { .. } => {
                if let Some((_, fold)) = event.measured_fold() {
                    self.add_fold(fold);
                }
            }
            Event::GateDecided { decision, accuracy, judged, floors, basis, .. } => {
                self.basis = *basis;
                self.floors.clone_from(floors);
                self.opened = *decision == Verdict::Accept;
                self.judged = Some(judged.unwrap_or(*accuracy));
                self.bound = *judged;
            }
            _ => {}
        }
    }

    /// Adds an epoch. One that is repeated after a crash replaces the one before.
    fn add_epoch(&mut self, epoch: Epoch) {
        match self.curve.binary_search_by_key(&epoch.epoch, |found| found.epoch) {
            Ok(place) => self.curve[place] = epoch,
            Err(place) => self.curve.insert(place, epoch),
        }
        self.epochs = self.curve.len() as u32;
        let accuracies = self.curve.iter().map(|epoch| epoch.validation_accuracy);
        self.accuracy = accuracies.fold(0.0, f64::max);
    }

    /// Adds a fold. One that is repeated replaces the one before.
    fn add_fold(&mut self, fold: FoldResult) {
        match self.folds.binary_search_by_key(&fold.fold, |found| found.fold) {
            Ok(place) => self.folds[place] = fold,
            Err(place) => self.folds.insert(place, fold),
        }
    }

    /// The measured folds together; `None` without folds.
    pub fn cross_validation(&self) -> Option<CrossValidation> {
        CrossValidation::of(&self.folds)
    }

    /// Its accuracy, and on which images: `87.18 % on validation images`, `87.50 % (80.4 % to 92.3 %) cross-validated
    /// over 3 folds`.
    pub fn accuracy_text(&self) -> String {
        match self.cross_validation() {
            Some(folds) => format!("{} cross-validated over {}", folds.figure(), folds.extent()),
            None => format!("{} on validation images", words::percent(self.measured())),
        }
    }

    /// Its best validation accuracy, 0..=1; `None` instead of NaN.
    pub fn measured(&self) -> Option<f64> {
        let is_measured = !self.curve.is_empty() || self.train_seconds.is_some();
        (is_measured && self.accuracy.is_finite()).then_some(self.accuracy)
    }

    /// The gate's judgement as a clause.
    pub fn gate_text(&self, threshold: f64) -> String {
        let accuracy = self.measured().unwrap_or(f64::NAN);
        in_words(self.basis, accuracy, self.bound, threshold, &self.floors)
    }

    /// The score by which its gate ranks it, 0..=1: its accuracy or the lower bound of that; if the gate requires other
    /// measures, the highest minimum plus the smallest margin.
    pub(super) fn score(&self) -> Option<f64> {
        let margins = self.floors.iter().map(|floor| floor.judged - floor.floor);
        let highest = self.floors.iter().map(|floor| floor.floor).reduce(f64::max);
        match (highest, margins.reduce(f64::min)) {
            (Some(highest), Some(margin)) => Some(highest + margin),
            _ => self.bound.or(self.measured()),
        }
    }

    /// Its forecast and its actual result, as a clause; `None` without a forecast.
    pub fn forecast_text(&self) -> Option<String> {
        let forecast = self.forecast.as_ref()?;
        let reached = match (self.score(), self.train_seconds) {
            (Some(score), Some(_)) => format!("; reached {}", words::percent(Some(score))),
            _ => String::new(),
        };
        Some(format!(
            "predicted {} ({} to {}) for {} FLOPs of training{reached}",
            words::percent(Some(forecast.accuracy)),
            words::percent(Some(forecast.low)),
            words::percent(Some(forecast.high)),
            words::magnitude(forecast.training_flops as u64),
        ))
    }

    /// Seconds of training so far.
    pub fn seconds(&self) -> f64 {
        // Not `sum`, which of nothing makes −0.
        let so_far = || self.curve.iter().fold(0.0, |seconds, epoch| seconds + epoch.seconds);
        self.train_seconds.unwrap_or_else(so_far)
    }

    /// What it inherits, as a clause; `None` for a trial without parent.
    pub fn inherited_text(&self) -> Option<String> {
        self.parent?;
        let kept = match self.inherit {
            Inherit::Weights => "keeps its parent's weights",
            Inherit::Refreshed => "keeps its parent's weights, shrunk and perturbed",
            Inherit::State => "continues from its parent's last state",
            Inherit::Nothing => "starts from fresh weights",
        };
        Some(match &self.carried {
            None => kept.into(),
            Some(Carried { arrays, fresh, preserved }) => format!(
                "{kept} ({arrays} of {} arrays{})",
                arrays + fresh,
                if *preserved { "; it starts with the same outputs as its parent" } else { "" }
            ),
        })
    }

    fn headline(&self) -> String {
        let seconds = match self.train_seconds {
            Some(seconds) => format!("{seconds:.1} s"),
            None => "not finished".into(),
        };
        let mark = if self.opened { "  passes the gate" } else { "" };
        format!(
            "trial {}  {}  {} parameters, {} FLOPs per image, {}, {seconds}{mark}",
            self.trial,
            words::percent(self.measured()),
            words::grouped(self.parameters),
            words::grouped(self.flops_per_image),
            words::count(self.epochs.into(), "epoch"),
        )
    }

    fn details(&self) -> Vec<String> {
        let mut lines: Vec<String> = self.edits.iter().map(|edit| format!("+ {edit}")).collect();
        if let Some(kept) = self.inherited_text() {
            lines.push(format!("{kept}; reason: {}", self.reason));
        }
        lines.extend(self.forecast_text());
        lines.extend(self.cross_validation().map(|folds| folds.words()));
        if let Some(why) = &self.given_up {
            lines.push(format!("given up: {why}"));
        }
        if let Some(why) = &self.out_of_time {
            lines.push(format!("out of time: {why}"));
        }
        if let Some(finding) = self.finding.as_ref().filter(|_| !self.opened) {
            lines.push(format!("{}: {}", finding.diagnosis, finding.evidence));
        }
        // A line break would break the drawing.
        lines.iter().map(|line| line.replace(char::is_control, " ")).collect()
    }
}

#[cfg(test)]
mod tests;
