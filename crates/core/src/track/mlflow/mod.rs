//! Runs in MLflow, by its REST interface: one for the study, and one below it for each trial.
//!
//! They are found again by tags, and what they hold already is asked for, so that nothing is there twice, whoever sends a
//! run how often.

mod server;

use std::collections::HashMap;
use std::path::Path;

use jiff::Timestamp;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

pub(crate) use self::server::Server;
use super::error::{MlflowError, TrackError};
use super::figures::EpochFigures;
use super::sink::{Sink, name};
use crate::ledger::{Event, Recorded, RunFolder};
use crate::sys::files::PathKind;

/// The experiment that runs belong to.
const EXPERIMENT: &str = "burgeon";
/// Names the run that an MLflow run shows.
const RUN_TAG: &str = "burgeon.run";
/// The trial; empty for the study.
const TRIAL_TAG: &str = "burgeon.trial";
/// Larger files are not sent.
const ARTIFACT_BYTES_MAX: u64 = 1 << 30;
/// MLflow's own limit is 6,000 characters, of older versions 500.
const PARAMETER_MAX: usize = 500;

/// A run of burgeon, as MLflow has it.
pub(super) struct Run {
    server: Server,
    run: RunFolder,
    /// What names the run, from its first event.
    id: Option<String>,
    experiment: Option<String>,
    study: Option<Shown>,
    trials: HashMap<u32, Shown>,
}

/// One run of MLflow's.
#[derive(Debug, Clone)]
struct Shown {
    id: String,
    /// Where its files are.
    artifacts: String,
    /// The last step that it had when it was found.
    last_step: u64,
}

impl Run {
    pub(super) fn new(server: Server, run: RunFolder) -> Self {
        Self { server, run, id: None, experiment: None, study: None, trials: HashMap::new() }
    }

    /// The number of the experiment, which is made if there is none.
    fn experiment(&mut self) -> Result<String, MlflowError> {
        if let Some(id) = &self.experiment {
            return Ok(id.clone());
        }
        let path = "experiments/get-by-name?experiment_name=burgeon";
        let id = match self.server.get(path)? {
            Some(found) => text(&found, "/experiment/experiment_id")?,
            None => match self.server.post("experiments/create", &json!({ "name": EXPERIMENT })) {
                Ok(made) => text(&made, "/experiment_id")?,
                // Somebody else was faster.
                Err(error) => match self.server.get(path)? {
                    Some(found) => text(&found, "/experiment/experiment_id")?,
                    None => return Err(error),
                },
            },
        };
        Ok(self.experiment.insert(id).clone())
    }

    /// The run of a study or a trial, which is made if there is none.
    fn shown(&mut self, trial: Option<u32>, at: Timestamp) -> Result<Shown, MlflowError> {
        let known = match trial {
            None => self.study.as_ref(),
            Some(trial) => self.trials.get(&trial),
        };
        if let Some(known) = known {
            return Ok(known.clone());
        }
        let parent = match trial {
            Some(_) => Some(self.shown(None, at)?.id),
            None => None,
        };
        let experiment = self.experiment()?;
        let id = self.id.clone().unwrap_or_default();
        let number = trial.map_or(String::new(), |trial| trial.to_string());
        let filter = format!("tags.`{RUN_TAG}` = '{id}' and tags.`{TRIAL_TAG}` = '{number}'");
        let search = json!({ "experiment_ids": [experiment], "filter": filter, "max_results": 1 });
        let found = self.server.post("runs/search", &search)?;
        let shown = match found.pointer("/runs/0") {
            Some(run) => {
                let id = text(run, "/info/run_id")?;
                Shown {
                    last_step: self.last_step(&id)?,
                    artifacts: text(run, "/info/artifact_uri")?,
                    id,
                }
            }
            None => {
                let folder = name(self.run.path());
                let called =
                    trial.map_or(folder.clone(), |trial| format!("{folder} trial {trial}"));
                let mut tags = vec![
                    tag(RUN_TAG, &id),
                    tag(TRIAL_TAG, &number),
                    tag("mlflow.source.name", "burgeon"),
                    tag("mlflow.source.type", "LOCAL"),
                ];
                tags.extend(parent.map(|parent| tag("mlflow.parentRunId", &parent)));
                let made = self.server.post(
                    "runs/create",
                    &json!({
                        "experiment_id": experiment,
                        "run_name": called,
                        "start_time": at.as_millisecond(),
                        "tags": tags,
                    }),
                )?;
                Shown {
                    id: text(&made, "/run/info/run_id")?,
                    artifacts: text(&made, "/run/info/artifact_uri")?,
                    last_step: 0,
                }
            }
        };
        match trial {
            None => self.study = Some(shown.clone()),
            Some(trial) => drop(self.trials.insert(trial, shown.clone())),
        }
        Ok(shown)
    }

    /// The last step of a run's accuracy; 0 if it has none.
    fn last_step(&self, run: &str) -> Result<u64, MlflowError> {
        let key = "accuracy/validation";
        let path = format!("metrics/get-history?run_id={run}&metric_key={key}&max_results=25000");
        let history = self.server.get(&path)?.unwrap_or_default();
        let steps =
            history.pointer("/metrics").and_then(Value::as_array).cloned().unwrap_or_default();
        // MLflow writes whole numbers as text or as numbers.
        let step = |metric: &Value| match metric.get("step") {
            Some(Value::String(text)) => text.parse().unwrap_or(0),
            Some(number) => number.as_u64().unwrap_or(0),
            None => 0,
        };
        Ok(steps.iter().map(step).max().unwrap_or(0))
    }

    /// Sends figures that belong to one step. Those that are not finite are left out, which JSON cannot tell.
    fn log(
        &self,
        shown: &Shown,
        at: Timestamp,
        step: u64,
        figures: &[(&str, f64)],
    ) -> Result<(), MlflowError> {
        if step <= shown.last_step {
            return Ok(());
        }
        let finite = figures.iter().filter(|(_, value)| value.is_finite());
        let metrics: Vec<Value> = finite
            .map(|(key, value)| {
                json!({ "key": key, "value": value, "timestamp": at.as_millisecond(), "step": step })
            })
            .collect();
        self.server.post("runs/log-batch", &json!({ "run_id": shown.id, "metrics": metrics }))?;
        Ok(())
    }

    fn parameters(&self, shown: &Shown, parameters: &[(&str, String)]) -> Result<(), MlflowError> {
        let params: Vec<Value> = parameters
            .iter()
            .map(|(key, value)| {
                let value: String = value.chars().take(PARAMETER_MAX).collect();
                json!({ "key": key, "value": value })
            })
            .collect();
        self.server.post("runs/log-batch", &json!({ "run_id": shown.id, "params": params }))?;
        Ok(())
    }

    fn end(&self, shown: &Shown, at: Timestamp, status: &str) -> Result<(), MlflowError> {
        let end = json!({ "run_id": shown.id, "status": status, "end_time": at.as_millisecond() });
        self.server.post("runs/update", &end)?;
        Ok(())
    }

    /// Sends the study file, the reports and the model.
    fn artifacts(&self, shown: &Shown) -> Result<(), TrackError> {
        let mut files: Vec<(String, String)> =
            RUN_FILES.iter().map(|name| ((*name).to_owned(), (*name).to_owned())).collect();
        files.extend(MODEL_FILES.map(|name| (format!("best/{name}"), format!("model/{name}"))));
        let mut has_model = false;
        for (from, to) in files {
            let path = self.run.path().join(&from);
            if self.run.files().kind(&path)? != Some(PathKind::File) {
                continue;
            }
            let bytes = self.run.files().read(&path, ARTIFACT_BYTES_MAX)?;
            has_model |= to == "model/model.onnx";
            self.server.put(&shown.artifacts, &to, &bytes)?;
        }
        if has_model {
            self.server.put(&shown.artifacts, "model/MLmodel", ML_MODEL.as_bytes())?;
            self.server.put(&shown.artifacts, "model/requirements.txt", REQUIREMENTS.as_bytes())?;
        }
        Ok(())
    }
}

/// What is sent of a run.
const RUN_FILES: [&str; 5] =
    ["study.toml", "accuracy.txt", "report.html", "report.md", "report/style.css"];

/// What is sent of the best model.
const MODEL_FILES: [&str; 6] = [
    "model.onnx",
    "model.safetensors",
    "pytorch.safetensors",
    "model.py",
    "card.md",
    "figures.json",
];

/// Tells MLflow to load the ONNX file.
const ML_MODEL: &str = "\
flavors:
  onnx:
    code: null
    data: model.onnx
    providers:
    - CPUExecutionProvider
  python_function:
    data: model.onnx
    env:
      virtualenv: python_env.yaml
    loader_module: mlflow.onnx
";

/// What it needs for that.
const REQUIREMENTS: &str = "mlflow\nonnx\nonnxruntime\n";

impl Sink for Run {
    fn name(&self) -> &'static str {
        "MLflow"
    }

    fn take(&mut self, record: &Recorded) -> Result<(), TrackError> {
        let at = record.at;
        if self.id.is_none() {
            self.id = Some(identity(record, self.run.path()));
        }
        if let Some(EpochFigures { trial, epoch, figures }) = EpochFigures::of(&record.event) {
            let shown = self.shown(Some(trial), at)?;
            self.log(&shown, at, epoch.into(), &figures)?;
        }
        match &record.event {
            Event::StudyStarted {
                name,
                command,
                seed,
                device,
                threshold,
                trials,
                data_hash,
                ..
            } => {
                let shown = self.shown(None, at)?;
                let parameters = [
                    ("study", name.clone()),
                    ("command", command.clone()),
                    ("seed", seed.to_string()),
                    ("device", device.clone()),
                    ("gate", threshold.to_string()),
                    ("trials", trials.to_string()),
                    ("data_hash", data_hash.clone()),
                ];
                self.parameters(&shown, &parameters)?;
            }
            Event::TrialStarted { trial, parent, edits, parameters, reason, spec_hash, .. } => {
                let shown = self.shown(Some(*trial), at)?;
                let edits: Vec<String> = edits.iter().map(ToString::to_string).collect();
                let parameters = [
                    ("trial", trial.to_string()),
                    ("parent", parent.map_or("none".into(), |parent| parent.to_string())),
                    ("edits", edits.join("; ")),
                    ("reason", reason.clone()),
                    ("parameters", parameters.to_string()),
                    ("spec_hash", spec_hash.clone()),
                ];
                self.parameters(&shown, &parameters)?;
            }
            Event::TrialFinished { trial, validation_accuracy, .. } => {
                let shown = self.shown(Some(*trial), at)?;
                self.end(&shown, at, "FINISHED")?;
                let study = self.shown(None, at)?;
                // By this name the study's steps are trials.
                let figures = [("accuracy/validation", *validation_accuracy)];
                self.log(&study, at, (*trial).into(), &figures)?;
            }
            Event::StudyStopped { .. } => {
                let shown = self.shown(None, at)?;
                self.end(&shown, at, "KILLED")?;
            }
            Event::StudyFinished(result) => {
                let shown = self.shown(None, at)?;
                let mut tags = vec![
                    ("burgeon.outcome", format!("{:?}", result.outcome).to_lowercase()),
                    (
                        "burgeon.best_trial",
                        result.best_trial.map_or("none".into(), |trial| trial.to_string()),
                    ),
                ];
                tags.extend(
                    result.test_accuracy.map(|test| ("burgeon.test_accuracy", test.to_string())),
                );
                let tags: Vec<Value> = tags.iter().map(|(key, value)| tag(key, value)).collect();
                self.server.post("runs/log-batch", &json!({ "run_id": shown.id, "tags": tags }))?;
                self.artifacts(&shown)?;
                self.end(&shown, at, "FINISHED")?;
            }
            _ => {}
        }
        Ok(())
    }
}

/// Names a run: its first event has the time, the seed, and the hashes of study and data.
fn identity(first: &Recorded, run: &Path) -> String {
    let line = first.to_line().unwrap_or_default();
    let hash = Sha256::new().chain_update(line).chain_update(name(run)).finalize();
    hex::encode(&hash[..16])
}

fn tag(key: &str, value: &str) -> Value {
    json!({ "key": key, "value": value })
}

/// Text within an answer.
fn text(answer: &Value, pointer: &str) -> Result<String, MlflowError> {
    let found = answer.pointer(pointer).and_then(Value::as_str);
    found.map(ToOwned::to_owned).ok_or_else(|| MlflowError::Answer { missing: pointer.into() })
}
