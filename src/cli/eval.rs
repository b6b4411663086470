//! `burgeon eval`: accuracy, per-class figures and confusion matrix of a run's best model.

use std::fmt::Write;
use std::path::Path;
use std::time::Instant;

use super::args::{Common, SplitName};
use super::exit::Exit;
use super::output::Output;
use super::view::{View, percent};
use super::{CliError, launch};
use crate::data::Loaded;
use crate::model::{Network, SavedModel};
use crate::study::{Growth, input_shape};
use crate::train::{Evaluation, evaluate};

/// Evaluates the best model of a run on a split.
pub fn eval(
    run: &Path,
    split: SplitName,
    common: &Common,
    output: &Output,
) -> Result<Exit, CliError> {
    let best = SavedModel::open(run)?;
    let launch = launch(common, Growth::Off);
    let device = launch.device.open()?;
    launch.start_threads()?;
    let file = best.study.parse()?;
    let loaded = launch.load(&file.data, file.train.seed, &mut View::new(*output))?;
    let preparation = &best.file.preparation;
    let spec = best.study.validate(input_shape(&loaded.dataset))?;
    preparation.check_fits(&spec)?;
    let network = Network::new(&spec, &best.file.weights, &device.device)?;
    let data = &loaded.dataset;
    let subset = data.split(split.into());
    // What the network was trained with, which other images may not share.
    let normalization = preparation.normalization();
    let start = Instant::now();
    let result = evaluate(&network, subset, normalization, data.classes.len(), &device.device);
    let seconds = start.elapsed().as_secs_f64();
    if output.json {
        output.result(&json(&result, split, &loaded, seconds))
    } else {
        output.result(&table(&result, split, &loaded))
    }
}

fn split_name(split: SplitName) -> &'static str {
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
        "confusion": result.confusion,
    });
    format!("{value}\n")
}

fn table(result: &Evaluation, split: SplitName, loaded: &Loaded) -> String {
    let names = &loaded.dataset.classes;
    let wide = names.iter().map(String::len).max().unwrap_or(1).max(5);
    let mut text = format!(
        "{} of {} {} images right: {}, loss {:.4}\n\n",
        result.correct(),
        result.images(),
        split_name(split),
        percent(result.accuracy()),
        result.loss
    );
    let _ = writeln!(
        text,
        "{:>wide$}  {:>7}  {:>9}  {:>9}  {:>9}",
        "class", "images", "precision", "recall", "f1"
    );
    for (name, figures) in names.iter().zip(class_figures(result)) {
        let _ = writeln!(
            text,
            "{name:>wide$}  {:>7}  {:>9}  {:>9}  {:>9}",
            figures.images,
            percent(figures.precision),
            percent(figures.recall),
            percent(figures.f1())
        );
    }
    let _ = writeln!(text, "\nrows: the image's class; columns: what the network said");
    let cell = wide.max(result.images().to_string().len());
    let _ = write!(text, "{:>wide$}", "");
    for name in names {
        let _ = write!(text, " {name:>cell$}");
    }
    text.push('\n');
    for (name, row) in names.iter().zip(&result.confusion) {
        let _ = write!(text, "{name:>wide$}");
        for &count in row {
            let shown = if count == 0 { "·".into() } else { count.to_string() };
            let _ = write!(text, " {shown:>cell$}");
        }
        text.push('\n');
    }
    text
}

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
    let rows = result.confusion.iter().enumerate();
    rows.map(|(class, row)| {
        let images = row.iter().sum();
        let named: u64 = result.confusion.iter().map(|row| row[class]).sum();
        ClassFigures {
            images,
            precision: share(row[class], named),
            recall: share(row[class], images),
        }
    })
    .collect()
}
