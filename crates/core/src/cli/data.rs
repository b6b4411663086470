//! `burgeon data`: the classes, counts and problems of a data set, as a table, as JSON, or as a picture.

use std::fmt::Write;
use std::path::Path;

use super::args::{Common, DataArguments};
use super::error::CliError;
use super::exit::Exit;
use super::output::Output;
use super::shown::{shown, shown_line};
use super::view::View;
use super::{document, launch, overrides};
use crate::data::{DataError, Dataset, Folds, Loaded, Split, sheet};
use crate::ledger::DataOrigin;
use crate::report::grouped;
use crate::spec::Override;
use crate::study::{Growth, LaunchError, begin_study};
use crate::sys::files::real_files;

/// Prints classes, counts and findings of the data of a study, a folder or a file. Files that cannot be read, on which a
/// training would end, are an error here too, but after what the others hold.
pub fn data(arguments: &DataArguments, common: &Common, output: &Output) -> Result<Exit, CliError> {
    let (loaded, unreadable) = match load(arguments, common, output) {
        Err(CliError::Launch(LaunchError::Data(error @ DataError::Unreadable { .. }))) => {
            let mut without = common.clone();
            without.set.push(Override::skip_unreadable());
            match load(arguments, &without, output) {
                Ok(loaded) => (loaded, Some(error)),
                Err(_) => return Err(LaunchError::Data(error).into()),
            }
        }
        loaded => (loaded?, None),
    };
    if let Some(path) = &arguments.sheet {
        write_sheet(&loaded.dataset, path)?;
    }
    let exit = output.result(&if output.json { json(&loaded) } else { table(&loaded) })?;
    unreadable.map_or(Ok(exit), |error| Err(LaunchError::Data(error).into()))
}

fn load(arguments: &DataArguments, common: &Common, output: &Output) -> Result<Loaded, CliError> {
    let settings = launch(common, Growth::Off);
    let mut view = View::new(*output);
    Ok(match &arguments.study {
        Some(path) if is_data(path) => {
            begin_study(path, overrides(common), &settings, &mut view)?.1
        }
        study => settings.prepare(&document(study.as_deref(), common, output)?, &mut view)?.1,
    })
}

/// Whether an argument names images rather than a study file.
pub fn is_data(path: &Path) -> bool {
    let extension = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
    path.is_dir() || ["npz", "csv"].contains(&extension.as_str())
}

fn write_sheet(data: &Dataset, path: &Path) -> Result<(), CliError> {
    let picture = sheet::contact_sheet(data).map_err(CliError::Sheet)?;
    let files = real_files().map_err(LaunchError::from)?;
    files.write_atomically(path, &picture).map_err(DataError::from)?;
    Ok(())
}

fn json(loaded: &Loaded) -> String {
    let data = &loaded.dataset;
    let [channels, height, width] = data.input_shape();
    let counts = &loaded.report.counts;
    let classes = data.classes.iter().enumerate().map(|(label, name)| {
        serde_json::json!({
            "class": name, "train": counts.train[label], "validation": counts.validation[label],
            "test": counts.test[label],
        })
    });
    let findings = loaded.report.findings.iter().map(|finding| {
        let mut value = serde_json::to_value(finding).unwrap_or_default();
        value["words"] = finding.words(&data.classes).into();
        value
    });
    let value = serde_json::json!({
        "data": DataOrigin::of(&loaded.origin), "channels": channels, "height": height, "width": width,
        "folds": data.folds.as_ref().map(Folds::sizes),
        "train": data.train.len(), "validation": data.validation.len(), "test": data.test.len(),
        "classes": classes.collect::<Vec<_>>(), "findings": findings.collect::<Vec<_>>(),
    });
    format!("{value}\n")
}

/// Most classes that are listed one by one.
const LISTED: usize = 100;

fn table(loaded: &Loaded) -> String {
    let data = &loaded.dataset;
    let [channels, height, width] = data.input_shape();
    let colour = if channels == 1 { "grey" } else { "colour" };
    let mut text = format!(
        "{}: {height}×{width} pixels in {colour}, {} classes\n\n",
        crate::study::describe(&loaded.origin),
        data.classes.len()
    );
    let names: Vec<_> = data.classes.iter().take(LISTED).map(|name| shown(name, 39)).collect();
    let column = names.iter().map(|name| name.chars().count()).max().unwrap_or(0).max(5);
    let mut line = |name: &str, counts: [String; 3]| {
        let [train, validation, test] = counts;
        let _ = writeln!(text, "{name:<column$}  {train:>10}  {validation:>10}  {test:>10}");
    };
    line("class", ["training", "validation", "test"].map(str::to_owned));
    let counts = &loaded.report.counts;
    let splits = [&counts.train, &counts.validation, &counts.test];
    for (label, name) in names.iter().enumerate() {
        line(name, splits.map(|split| grouped(split[label] as u64)));
    }
    if let more @ 1.. = data.classes.len().saturating_sub(LISTED) {
        let rest = splits.map(|split| grouped(split[LISTED..].iter().sum::<usize>() as u64));
        line(&format!("{more} more classes"), rest);
    }
    let all = [Split::Train, Split::Validation, Split::Test];
    line("all", all.map(|split| grouped(data.split(split).len() as u64)));
    if let Some(folds) = &data.folds {
        let sizes = folds.sizes();
        let (least, most) = (sizes.iter().min().unwrap_or(&0), sizes.iter().max().unwrap_or(&0));
        let _ = writeln!(
            text,
            "\n{} folds of {} to {} images for cross-validation, of which the first validates",
            sizes.len(),
            grouped(*least as u64),
            grouped(*most as u64)
        );
    }
    if !loaded.report.findings.is_empty() {
        text.push('\n');
    }
    for finding in &loaded.report.findings {
        let _ = writeln!(text, "- {}", shown_line(&finding.words(&data.classes)));
    }
    text
}
