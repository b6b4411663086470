//! `burgeon diff`: two runs side by side.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use super::args::{Common, DiffArguments};
use super::best::Best;
use super::error::CliError;
use super::exit::Exit;
use super::launch;
use super::output::Output;
use super::plot::plot;
use super::shown::{shown, shown_line};
use super::view::{View, grouped, percent};
use crate::ledger::RunFolder;
use crate::model::SavedModel;
use crate::record::paired::Discordant;
use crate::report::compare::{Comparison, Side, Significance};
use crate::spec::SectionDiff;
use crate::study::{Growth, LaunchError};
use crate::sys::files::real_files;
use crate::train::correct_images;

/// Compares two runs.
pub fn diff(arguments: &DiffArguments, common: &Common, output: &Output) -> Result<Exit, CliError> {
    let paths = [&arguments.first, &arguments.second].map(|run| run_folder(run, &common.runs));
    let [first, second] = [Side::read(&paths[0])?, Side::read(&paths[1])?];
    let mut comparison = Comparison::of(first, second, None);
    if arguments.evaluate {
        let measured = evaluate(&comparison, &paths, common, output)?;
        let [first, second] = comparison.runs;
        comparison = Comparison::of(first, second, Some(measured));
    }
    match output.json {
        true => output.result_json(&comparison),
        false => output.result(&text(&comparison)),
    }
}

/// The path itself, or the run of this name in the folder of runs.
fn run_folder(run: &Path, runs: &Path) -> PathBuf {
    let named = runs.join(run);
    if !run.exists() && named.is_dir() { named } else { run.into() }
}

/// Runs both models on the validation images.
fn evaluate(
    comparison: &Comparison,
    paths: &[PathBuf; 2],
    common: &Common,
    output: &Output,
) -> Result<Discordant, CliError> {
    if let Some(why) = why_other_images(comparison) {
        let [first, second] = [0, 1].map(|side| comparison.runs[side].run.clone());
        return Err(CliError::NotComparable { first, second, why });
    }
    let settings = launch(common, Growth::Off);
    let workers = settings.workers()?;
    let _entered = workers.enter();
    let right = |path: &PathBuf| -> Result<Vec<bool>, CliError> {
        let saved = SavedModel::open(path)?;
        let folder = RunFolder::open(real_files().map_err(LaunchError::from)?, path)?;
        let view = &mut View::new(*output);
        let model = Best::open(&saved, &folder, crate::data::Split::Validation, &settings, view)?;
        let Best { network, normalization, device, .. } = &model;
        let images = model.subset();
        Ok(correct_images(network, images, *normalization, model.classes(), &device.device)?)
    };
    Ok(Discordant::of(&right(&paths[0])?, &right(&paths[1])?))
}

/// Why the runs were not judged on the same images, as a clause; `None` if they were.
fn why_other_images(comparison: &Comparison) -> Option<&'static str> {
    match (comparison.data.is_same, comparison.data.same_validation_images) {
        (_, true) => None,
        (true, false) => Some("their seeds differ, which choose the validation images"),
        (false, false) => Some("their data differs"),
    }
}

fn text(comparison: &Comparison) -> String {
    let [first, second] = &comparison.runs;
    let mut text = figures(first, second);
    text += "\nstudy at its start: ";
    text += &study(&comparison.study);
    text += "study of the best trial: ";
    text += &match (&first.best_study, &second.best_study) {
        (Some(_), Some(_)) if comparison.best == comparison.study => "differs likewise\n".into(),
        (Some(_), Some(_)) => study(&comparison.best),
        _ => "not compared, because not both have one\n".to_owned(),
    };
    text += &data(comparison);
    let drawing = plot(&first.curve, &second.curve);
    if !drawing.is_empty() {
        text +=
            "\nvalidation accuracy by epoch, of the best trial and those that it was grown from\n";
        text += &drawing;
        text += "\n";
    }
    text += &verdict(comparison);
    text
}

const NAME_CHARACTERS_MAX: usize = 72;

fn figures(first: &Side, second: &Side) -> String {
    let some = |figure: Option<String>| figure.unwrap_or("–".into());
    type Figure<'a> = (&'a str, &'a dyn Fn(&Side) -> String);
    let figures: [Figure; 15] = [
        ("", &|side| shown(&side.run, NAME_CHARACTERS_MAX)),
        ("study", &|side| shown(&side.name, NAME_CHARACTERS_MAX)),
        ("state", &|side| side.state.words().into()),
        ("validation accuracy", &|side| some(side.validation_accuracy.map(percent))),
        ("  95 % interval", &|side| {
            let interval = |[low, high]: [f64; 2]| format!("{} to {}", percent(low), percent(high));
            some(side.validation_interval.map(interval))
        }),
        ("test accuracy", &|side| some(side.test_accuracy.map(percent))),
        ("gate", &|side| some(side.gate.map(percent))),
        ("trials", &|side| grouped(side.trials as usize)),
        ("best trial", &|side| some(side.best_trial.map(|best| best.to_string()))),
        ("parameters", &|side| some(side.parameters.map(|count| grouped(count as usize)))),
        ("FLOPs per image", &|side| {
            some(side.flops_per_image.map(|count| grouped(count as usize)))
        }),
        ("epochs, all trials", &|side| grouped(side.epochs as usize)),
        ("seconds", &|side| format!("{:.1}", side.seconds)),
        ("device", &|side| {
            let set = side.instruction_set.as_ref().map_or(String::new(), |set| format!(", {set}"));
            shown(&format!("{}, {} threads{set}", side.device, side.threads), NAME_CHARACTERS_MAX)
        }),
        ("burgeon", &|side| shown(&some(side.version.clone()), NAME_CHARACTERS_MAX)),
    ];
    let rows = figures.map(|(name, figure)| [name.to_owned(), figure(first), figure(second)]);
    let width =
        |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let [names, firsts] = [width(0), width(1)];
    let mut text = String::new();
    for [name, one, other] in &rows {
        let _ = writeln!(text, "{name:<names$}  {one:<firsts$}  {other}");
    }
    text
}

/// The lines of a study that differ, below the sections that they stand in.
fn study(sections: &[SectionDiff]) -> String {
    if sections.is_empty() {
        return "no difference\n".into();
    }
    let mut text = "\n".to_owned();
    for SectionDiff { section, lines } in sections {
        if !section.is_empty() {
            let _ = writeln!(text, "  [{}]", shown_line(section));
        }
        for line in lines {
            let _ = writeln!(text, "    {}", shown_line(line));
        }
    }
    text
}

fn data(comparison: &Comparison) -> String {
    let [first, second] = &comparison.runs;
    let mut text = match comparison.data.is_same {
        true => "data: the same\n".to_owned(),
        false => "data: differs\n".to_owned(),
    };
    let told = if comparison.data.is_same { 1 } else { 2 };
    for (sign, side) in [("-", first), ("+", second)].into_iter().take(told) {
        let [train, validation, test] = side.images.map(grouped);
        let origin = side.data.as_ref().map_or("unknown origin", |data| &data.origin);
        let sign = if comparison.data.is_same { " " } else { sign };
        let hash = side.data_hash.as_deref().unwrap_or("unknown");
        let _ = writeln!(
            text,
            "  {sign} {}: {train} training, {validation} validation, {test} test images; hash {}",
            shown_line(origin),
            shown(hash, 12)
        );
    }
    if let (Some(one), Some(other)) = (&first.data, &second.data) {
        let names =
            one.sha256.keys().chain(other.sha256.keys()).collect::<std::collections::BTreeSet<_>>();
        let differ =
            names.into_iter().filter(|name| one.sha256.get(*name) != other.sha256.get(*name));
        let differ: Vec<String> = differ.map(|name| shown(name, NAME_CHARACTERS_MAX)).collect();
        if !differ.is_empty() {
            let _ = writeln!(text, "  other content: {}", differ.join(", "));
        }
    }
    text
}

/// Which of the two is better, and whether that is more than chance.
fn verdict(comparison: &Comparison) -> String {
    let [first, second] = &comparison.runs;
    let Some(difference) = comparison.difference else {
        return "not both runs have a validation accuracy to compare\n".into();
    };
    let names = [first, second].map(|side| shown(&side.run, NAME_CHARACTERS_MAX));
    let found = match difference {
        0.0 => "both reach the same validation accuracy".into(),
        difference => format!(
            "{} is more accurate by {:.2} points",
            names[usize::from(difference > 0.0)],
            difference.abs() * 100.0
        ),
    };
    let p = |p: f64| format!("{p:.4}");
    let images = grouped(first.images[1]);
    let chance = match comparison.significance {
        Significance::MoreThanChance { p_most } => format!(
            "that is more than chance: p is {} (McNemar's test on the same {images} images)",
            match p_most {
                ..1e-4 => "below 0.0001".into(),
                p_most => format!("at most {}", p(p_most)),
            }
        ),
        Significance::MayBeChance { p_least } => format!(
            "that may be chance: p is at least {} (McNemar's test on the same {images} images)",
            p(p_least)
        ),
        Significance::Undecided { p_least, p_most } => format!(
            "whether by more than chance, the records do not tell (p is between {} and {}): --evaluate finds out",
            p(p_least),
            p(p_most)
        ),
        Significance::OtherImages => format!(
            "they were not judged on the same images: {}",
            why_other_images(comparison).unwrap_or_default()
        ),
        Significance::NotJudged => "their records do not tell on which images".into(),
    };
    format!("{found};\n{chance}\n")
}
