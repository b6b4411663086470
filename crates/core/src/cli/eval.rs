//! `burgeon eval`: accuracy, per-class figures and confusion matrix of a run's best model.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use super::args::{Common, SplitName};
use super::best::Best;
use super::error::CliError;
use super::exit::Exit;
use super::launch;
use super::output::Output;
use super::shown::shown;
use super::view::{View, percent};
use crate::data::Loaded;
use crate::ledger::{DataOrigin, Event, Ledger, RunFolder};
use crate::model::SavedModel;
use crate::study::{CardError, Growth, LaunchError, data_hash, refresh_card};
use crate::sys::clock::RealClock;
use crate::sys::error_chain;
use crate::sys::files::real_files;
use crate::sys::lock::{LockRequest, RunLock};
use crate::train::{Evaluation, evaluate};

/// Evaluates the best model of a run on a split.
pub fn eval(
    run: &Path,
    split: SplitName,
    common: &Common,
    output: &Output,
) -> Result<Exit, CliError> {
    let best = SavedModel::open(run)?;
    let folder = RunFolder::open(real_files().map_err(LaunchError::from)?, run)?;
    let launch = launch(common, Growth::Off);
    // Opened before the test images are read: every evaluation on them must be recorded, so a run that is
    // locked or cannot be written to is refused.
    let record = match split {
        SplitName::Test => Some(TestRecord::open(run, "burgeon eval --split test")?),
        SplitName::Train | SplitName::Validation => None,
    };
    let workers = launch.workers()?;
    let _entered = workers.enter();
    let view = &mut View::new(*output);
    let model = Best::open(&best, &folder, split.into(), &launch, view)?;
    let (loaded, classes) = (&model.loaded, model.classes());
    let start = Instant::now();
    let Best { network, normalization, device, .. } = &model;
    let result = evaluate(network, model.subset(), *normalization, classes, &device.device)?;
    let seconds = start.elapsed().as_secs_f64();
    // Recorded before it is printed, so that no reading of the test images goes unrecorded.
    if let Some(record) = record {
        let carded = record.write(Event::TestSplitRead {
            command: "eval".into(),
            images: result.images(),
            accuracy: result.accuracy(),
            weights_hash: best.file.weights.hash(),
            data_hash: data_hash(loaded),
        })?;
        if let Err(error) = carded {
            output.warn(&error_chain(&error));
        }
    }
    if output.json {
        output.result(&json(&result, split, loaded, seconds))
    } else {
        output.result(&table(&result, split, loaded))
    }
}

/// The record of a run, opened to record a reading of its test images.
pub(super) struct TestRecord {
    run: PathBuf,
    ledger: Ledger,
    _lock: RunLock,
}

impl TestRecord {
    /// Opens the record for a command, which is named to others that want the run meanwhile.
    pub(super) fn open(run: &Path, command: &str) -> Result<Self, CliError> {
        let open = || -> Result<(Ledger, RunLock), LaunchError> {
            let folder = RunFolder::open(real_files()?, run)?;
            let lock = folder.lock(&LockRequest::new(command))?;
            let clock = Arc::new(RealClock::default());
            let events = folder.events_file();
            Ok((Ledger::open(&**folder.files(), &events, lock.fence(), clock)?, lock))
        };
        let (ledger, lock) = open().map_err(Self::refused(run))?;
        Ok(Self { run: run.into(), ledger, _lock: lock })
    }

    /// Records the reading, and then tells it in the model's card, if that can be written.
    pub(super) fn write(mut self, event: Event) -> Result<Result<(), CardError>, CliError> {
        let recorded = self.ledger.append(event).map_err(LaunchError::from);
        let folder = recorded.and_then(|_| Ok(RunFolder::open(real_files()?, &self.run)?));
        Ok(refresh_card(&folder.map_err(Self::refused(&self.run))?))
    }

    fn refused(run: &Path) -> impl Fn(LaunchError) -> CliError {
        move |source| CliError::TestRead { folder: run.into(), source: Box::new(source) }
    }
}

/// The name of a split as the options spell it.
pub(super) fn split_name(split: SplitName) -> &'static str {
    match split {
        SplitName::Train => "train",
        SplitName::Validation => "validation",
        SplitName::Test => "test",
    }
}

fn json(result: &Evaluation, split: SplitName, loaded: &Loaded, seconds: f64) -> String {
    let classes = class_figures(result);
    let classes: Vec<_> = loaded
        .dataset
        .classes
        .iter()
        .zip(&classes)
        .map(|(name, figures)| {
            serde_json::json!({
                "class": name, "images": figures.images,
                "precision": figures.precision, "recall": figures.recall, "f1": figures.f1(),
            })
        })
        .collect();
    let value = serde_json::json!({
        "split": split_name(split), "images": result.images(), "accuracy": result.accuracy(),
        "loss": result.loss, "seconds": seconds, "classes": classes,
        "confusion": confusion(result), "data": DataOrigin::of(&loaded.origin),
    });
    format!("{value}\n")
}

fn table(result: &Evaluation, split: SplitName, loaded: &Loaded) -> String {
    let names: Vec<_> = loaded.dataset.classes.iter().map(|name| shown(name, 40)).collect();
    let width = names.iter().map(|name| name.chars().count()).max().unwrap_or(1).max(5);
    let mut text = format!(
        "{} of {} {} images classified correctly: {}, loss {:.4}\n\n",
        result.correct(),
        result.images(),
        split_name(split),
        percent(result.accuracy()),
        result.loss
    );
    let _ = writeln!(
        text,
        "{:>width$}  {:>7}  {:>9}  {:>9}  {:>9}",
        "class", "images", "precision", "recall", "f1"
    );
    for (name, figures) in names.iter().zip(class_figures(result)) {
        let _ = writeln!(
            text,
            "{name:>width$}  {:>7}  {:>9}  {:>9}  {:>9}",
            figures.images,
            percent(figures.precision),
            percent(figures.recall),
            percent(figures.f1())
        );
    }
    if result.classes > SHOWN_CLASSES_MAX {
        text += "\nthe confusion matrix is too large to print here; --json prints it\n";
        return text;
    }
    let _ = writeln!(text, "\nrows: true class; columns: predicted class");
    let cell = width.max(result.images().to_string().len());
    let _ = write!(text, "{:>width$}", "");
    for name in &names {
        let _ = write!(text, " {name:>cell$}");
    }
    text.push('\n');
    for (name, row) in names.iter().zip(matrix(result)) {
        let _ = write!(text, "{name:>width$}");
        for count in row {
            let shown = if count == 0 { "·".into() } else { count.to_string() };
            let _ = write!(text, " {shown:>cell$}");
        }
        text.push('\n');
    }
    text
}

/// With more classes, `--json` prints the confusion matrix as a list of its entries.
const MATRIX_CLASSES_MAX: usize = 1000;

/// Numbers of images, `[label][predicted]`; for very many classes, a list of those that are not zero,
/// `[label, predicted, images]`.
fn confusion(result: &Evaluation) -> serde_json::Value {
    if result.classes > MATRIX_CLASSES_MAX {
        let pairs = result
            .confusion
            .iter()
            .map(|(&(label, predicted), &images)| serde_json::json!([label, predicted, images]));
        return pairs.collect();
    }
    serde_json::json!(matrix(result))
}

fn matrix(result: &Evaluation) -> Vec<Vec<u64>> {
    let mut matrix = vec![vec![0; result.classes]; result.classes];
    for (&(label, predicted), &images) in &result.confusion {
        matrix[label][predicted] = images;
    }
    matrix
}

/// Most classes whose confusion matrix fits a terminal.
const SHOWN_CLASSES_MAX: usize = 30;

struct ClassFigures {
    images: u64,
    precision: f64,
    recall: f64,
}

impl ClassFigures {
    /// Harmonic mean of precision and recall; 0 when both are.
    fn f1(&self) -> f64 {
        let sum = self.precision + self.recall;
        if sum == 0.0 { 0.0 } else { 2.0 * self.precision * self.recall / sum }
    }
}

fn class_figures(result: &Evaluation) -> Vec<ClassFigures> {
    let share = |part: u64, whole: u64| part as f64 / whole.max(1) as f64;
    let classes = result.recalls().into_iter().zip(result.named());
    let figures = classes.map(|(class, predicted)| ClassFigures {
        images: class.images,
        precision: share(class.right, predicted),
        recall: share(class.right, class.images),
    });
    figures.collect()
}
