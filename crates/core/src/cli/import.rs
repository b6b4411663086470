//! `burgeon import`: begins a run with weights that PyTorch saved.

use super::args::{Common, ImportArguments};
use super::error::CliError;
use super::exit::Exit;
use super::output::Output;
use super::shown::shown_line as shown;
use super::view::{View, grouped, percent};
use super::{document, launch};
use crate::model::{ImportReport, Reason};
use crate::study::{Growth, ImportRunError, ImportedRun, WeightsImport, import as begin};
use burgeon_pixels::{CHANNELS_MAX, Normalization};

/// Imports the weights, and prints what fits, what does not, and the run.
pub fn import(
    arguments: &ImportArguments,
    common: &Common,
    output: &Output,
) -> Result<Exit, CliError> {
    let study = document(Some(&arguments.study), common, output)?;
    let wanted = WeightsImport {
        weights: arguments.weights.clone(),
        partial: arguments.partial,
        normalization: normalization(&arguments.mean, &arguments.std),
    };
    match begin(&launch(common, Growth::On), &study, &wanted, &mut View::new(*output)) {
        Ok(imported) => output.result(&if output.json { json(&imported) } else { text(&imported) }),
        Err(error) => {
            if let ImportRunError::Mismatch { report, .. }
            | ImportRunError::Nothing { report, .. } = &error
            {
                output.note(lists(report).trim_end());
            }
            Err(error.into())
        }
    }
}

/// `None` unless both are given, which the arguments see to. One number stands for every channel.
fn normalization(mean: &[f32], std: &[f32]) -> Option<Normalization> {
    if mean.is_empty() || std.is_empty() {
        return None;
    }
    let channel = |values: &[f32], at: usize| values[at.min(values.len() - 1)];
    let mut normalization = Normalization::of_all(0.0, 1.0);
    for at in 0..CHANNELS_MAX {
        normalization.mean[at] = channel(mean, at);
        normalization.std[at] = channel(std, at);
    }
    Some(normalization)
}

fn text(imported: &ImportedRun) -> String {
    let ImportedRun { run, report, validation_accuracy, validation_images } = imported;
    let run = run.display();
    format!(
        "{}{} of {} validation images right\n{run}\n`burgeon resume {run}` trains it further and grows it\n",
        lists(report),
        percent(*validation_accuracy),
        grouped(*validation_images as usize),
    )
}

/// Every array of both sides, a line each.
fn lists(report: &ImportReport) -> String {
    let mut text = String::new();
    for taken in &report.taken {
        text += &format!("  {} {:?} → {}\n", shown(&taken.from), taken.shape, taken.to);
    }
    let mut list = |title: &str, reasons: &[Reason]| {
        if !reasons.is_empty() {
            text += &format!("{title}:\n");
        }
        for Reason { name, shape, why } in reasons {
            text += &format!("  {} {shape:?}: {}\n", shown(name), shown(why));
        }
    };
    list("not in the file, and implied", &report.implied);
    list("of no use after training", &report.ignored);
    list("of the network, but not in the file", &report.missing);
    list("in the file, but without a place in the network", &report.unused);
    text
}

fn json(imported: &ImportedRun) -> String {
    let reasons = |reasons: &[Reason]| -> Vec<serde_json::Value> {
        let json = |reason: &Reason| serde_json::json!({ "name": reason.name, "shape": reason.shape, "why": reason.why });
        reasons.iter().map(json).collect()
    };
    let report = &imported.report;
    let taken = report.taken.iter().map(
        |taken| serde_json::json!({ "from": taken.from, "to": taken.to, "shape": taken.shape }),
    );
    let value = serde_json::json!({
        "run": imported.run.display().to_string(),
        "validation_accuracy": imported.validation_accuracy,
        "validation_images": imported.validation_images,
        "taken": taken.collect::<Vec<_>>(),
        "implied": reasons(&report.implied), "ignored": reasons(&report.ignored),
        "missing": reasons(&report.missing), "unused": reasons(&report.unused),
    });
    format!("{value}\n")
}
