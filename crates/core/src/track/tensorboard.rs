//! Event files of TensorBoard: `DIR/RUN/` for the study, `DIR/RUN/trial-NNN/` for each trial.
//!
//! A file's bytes depend on nothing but the run. A process that goes on after another was killed finds what that one
//! wrote, and continues it.

mod event_file;
mod proto;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use self::event_file::EventFile;
use self::proto::{Event, Value};
use super::confusion;
use super::error::TrackError;
use super::figures::EpochFigures;
use super::sink::{Sink, name};
use crate::ledger::{self, Recorded, RunFolder};
use crate::record::figures::ModelFigures;
use crate::report::mistakes_picture;
use crate::sys::files::{FileError, Files};

/// A picture of mistakes is far smaller.
const PICTURE_BYTES_MAX: u64 = 64 << 20;
/// Of more trials, the last are in the text.
const TRIALS_SHOWN: usize = 250;

pub(super) struct TensorBoard {
    folder: PathBuf,
    run: RunFolder,
    /// When the run began, in seconds, which names its files.
    began: Option<i64>,
    files: BTreeMap<PathBuf, EventFile>,
    trials: BTreeMap<u32, Trial>,
}

/// A trial, as the text about the lineage tells it.
struct Trial {
    parent: Option<u32>,
    edits: String,
    parameters: u64,
    accuracy: Option<f64>,
}

impl TensorBoard {
    pub(super) fn new(folder: &Path, run: RunFolder) -> Self {
        let folder = folder.join(name(run.path()));
        Self { folder, run, began: None, files: BTreeMap::new(), trials: BTreeMap::new() }
    }

    fn add(
        &mut self,
        folder: &Path,
        at: Timestamp,
        step: u64,
        values: Vec<Value>,
    ) -> Result<(), TrackError> {
        let began = *self.began.get_or_insert(at.as_second());
        let path = folder.join(format!("events.out.tfevents.{began}.burgeon"));
        let seconds = at.as_millisecond() as f64 / 1000.0;
        let event = Event::of(seconds, step, values).to_bytes();
        let failed = |source| TrackError::Write { path: path.clone(), source };
        let file = match self.files.remove(&path) {
            Some(file) => Ok(file),
            None => std::fs::create_dir_all(folder)
                .and_then(|()| EventFile::open(&path))
                .map_err(failed)
                .and_then(|mut file| {
                    let first = Event::version(began as f64).to_bytes();
                    file.append(&first).map_err(failed).map(|()| file)
                }),
        };
        let mut file = file?;
        file.append(&event).map_err(failed)?;
        self.files.insert(path, file);
        Ok(())
    }

    fn trial_folder(&self, trial: u32) -> PathBuf {
        self.folder.join(format!("trial-{trial:03}"))
    }

    fn lineage(&self) -> String {
        let mut text = String::from(
            "| trial | parent | edits | parameters | validation accuracy |\n|---|---|---|---|---|\n",
        );
        let left_out = self.trials.len().saturating_sub(TRIALS_SHOWN);
        for (trial, Trial { parent, edits, parameters, accuracy }) in
            self.trials.iter().skip(left_out)
        {
            let parent = parent.map_or("–".into(), |parent| parent.to_string());
            let accuracy =
                accuracy.map_or("–".into(), |accuracy| format!("{:.2} %", 100.0 * accuracy));
            text += &format!("| {trial} | {parent} | {edits} | {parameters} | {accuracy} |\n");
        }
        text
    }

    /// The best model's confusion matrix and mistakes.
    fn model(&mut self, at: Timestamp, step: u64) -> Result<(), TrackError> {
        let files = self.run.files().clone();
        let Some(figures) = ModelFigures::read(&*files, &self.run.best())? else { return Ok(()) };
        let (png, size) = confusion::picture(&figures.validation)?;
        let mut values = vec![Value::image("validation/confusion", png, size)];
        let mistakes = self.run.path().join(mistakes_picture(figures.trial));
        if let Some(png) = read_if_there(&*files, &mistakes)?
            && let Ok(picture) = image::load_from_memory(&png)
        {
            let size = [picture.width(), picture.height()];
            values.push(Value::image("validation/mistakes", png, size));
        }
        let told = figures.validation.mistakes.iter().enumerate().map(|(rank, mistake)| {
            let (label, predicted) = (mistake.label, mistake.predicted);
            let confidence = 100.0 * mistake.confidence;
            format!("{}. class {label}, taken for {predicted}, {confidence:.1} %\n", rank + 1)
        });
        let told: String = told.collect();
        if !told.is_empty() {
            values.push(Value::text("validation/mistakes", told));
        }
        let folder = self.folder.clone();
        self.add(&folder, at, step, values)
    }
}

fn read_if_there(files: &dyn Files, path: &Path) -> Result<Option<Vec<u8>>, FileError> {
    match files.read(path, PICTURE_BYTES_MAX) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(error),
    }
}

impl Sink for TensorBoard {
    fn name(&self) -> &'static str {
        "TensorBoard"
    }

    fn take(&mut self, record: &Recorded) -> Result<(), TrackError> {
        let (at, study) = (record.at, self.folder.clone());
        if let Some(EpochFigures { trial, epoch, figures }) = EpochFigures::of(&record.event) {
            let values = figures.iter().map(|(tag, value)| Value::scalar(tag, *value));
            return self.add(&self.trial_folder(trial), at, epoch.into(), values.collect());
        }
        match &record.event {
            ledger::Event::StudyStarted { name, seed, device, threshold, .. } => {
                let text = format!(
                    "`{name}`, seed {seed}, on {device}, to pass {:.2} %",
                    100.0 * threshold
                );
                self.add(&study, at, 0, vec![Value::text("study", text)])
            }
            ledger::Event::TrialStarted { trial, parent, edits, parameters, .. } => {
                let edits: Vec<String> = edits.iter().map(|edit| cell(&edit.to_string())).collect();
                let started = Trial {
                    parent: *parent,
                    edits: edits.join("; "),
                    parameters: *parameters,
                    accuracy: None,
                };
                self.trials.insert(*trial, started);
                Ok(())
            }
            ledger::Event::TrialFinished { trial, validation_accuracy, train_seconds, .. } => {
                let parameters = self.trials.get(trial).map_or(0, |trial| trial.parameters);
                if let Some(trial) = self.trials.get_mut(trial) {
                    trial.accuracy = Some(*validation_accuracy);
                }
                let values = vec![
                    Value::scalar("trials/validation_accuracy", *validation_accuracy),
                    Value::scalar("trials/parameters", parameters as f64),
                    Value::scalar("trials/train_seconds", *train_seconds),
                    Value::text("lineage", self.lineage()),
                ];
                self.add(&study, at, (*trial).into(), values)
            }
            ledger::Event::StudyFinished(result) => {
                let step = u64::from(result.best_trial.unwrap_or(0));
                if let Some(test) = result.test_accuracy {
                    let values = vec![Value::scalar("test_accuracy", test)];
                    self.add(&study, at, step, values)?;
                }
                self.model(at, step)
            }
            _ => Ok(()),
        }
    }
}

/// Text for a cell of a Markdown table.
fn cell(text: &str) -> String {
    let plain = |symbol: char| if symbol.is_control() { ' ' } else { symbol };
    text.chars().map(plain).collect::<String>().replace('|', "\\|").replace('<', "&lt;")
}
