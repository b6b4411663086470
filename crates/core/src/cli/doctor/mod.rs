//! `burgeon doctor`: checks the machine and a study, and says how to mend what is wrong.

mod check;
mod clock;
mod data;
mod device;
mod disk;
mod limits;
mod notify;

use std::fmt::Write;
use std::path::Path;

use serde::Serialize;

use self::check::{Check, Status};
use super::args::Common;
use super::error::CliError;
use super::exit::Exit;
use super::output::Output;
use super::shown::shown_line;
use super::view::View;
use super::{document, launch};
use crate::data::Store;
use crate::spec::Source;
use crate::study::{Growth, LaunchError, Settings};
use crate::sys::files::real_files;
use crate::sys::limits::Limits;

/// What is printed with `--json`.
#[derive(Debug, Serialize)]
struct Examination {
    /// Whether there is no fault.
    healthy: bool,
    checks: Vec<Check>,
}

/// Examines the machine, and a study if one is given. Without a fault, it succeeds; a study that is wrong ends it
/// with the code of wrong usage, any other fault with that of a failure.
pub fn doctor(study: Option<&Path>, common: &Common, output: &Output) -> Result<Exit, CliError> {
    let files = real_files().map_err(LaunchError::from)?;
    let settings = launch(common, Growth::Off);
    let system = Limits::current();
    let mut checks = Vec::new();
    let wrong = match study {
        None => {
            checks.push(data::mnist(common, &settings.download));
            None
        }
        Some(path) => examine_study(path, common, &settings, output, &mut checks).err(),
    };
    checks.extend(device::devices(common, &settings, &system));
    checks.extend(disk::runs(&*files, &common.runs));
    checks.push(disk::cache(&*files, Store::of(None, None).folder.as_deref()));
    checks.extend(limits::limits(&system));
    checks.push(clock::clock(&common.runs));
    let healthy = checks.iter().all(|check| check.status != Status::Fault);
    let exit = match &wrong {
        Some(error) => error.exit(),
        None if healthy => Exit::Success,
        None => Exit::Failed,
    };
    let examination = Examination { healthy, checks };
    match output.json {
        true => output.result_json(&examination)?,
        false => output.result(&table(&examination))?,
    };
    // With the line of the study that is wrong.
    if let Some(error) = &wrong {
        output.print_error(error);
    }
    Ok(exit)
}

/// Checks a study as `burgeon check` does, and what it needs.
fn examine_study(
    path: &Path,
    common: &Common,
    settings: &Settings,
    output: &Output,
    checks: &mut Vec<Check>,
) -> Result<(), CliError> {
    let quiet = Output { quiet: true, progress: false, ..*output };
    let examined = document(Some(path), common, &quiet).and_then(|document| {
        let checked = settings.check(&document, &mut View::new(quiet))?;
        Ok(checked.spec)
    });
    let spec = match examined {
        Ok(spec) => spec,
        Err(error) => {
            checks.push(Check::fault(
                "study",
                format!("{} cannot be run", path.display()),
                "correct what is said below",
            ));
            return Err(error);
        }
    };
    let file = spec.file();
    checks.push(Check::ok("study", format!("{} is valid", path.display())));
    checks.push(match file.data.source {
        Source::Mnist => {
            let named = common.data.clone().or_else(|| file.data.path.clone());
            data::mnist(&Common { data: named, ..common.clone() }, &settings.download)
        }
        Source::Synthetic => Check::ok("data", "the built-in digits need no files"),
        _ => Check::ok("data", "all images that the study names can be read"),
    });
    checks.extend(notify::notify(&file.notify));
    Ok(())
}

fn table(examination: &Examination) -> String {
    let mut text = String::new();
    let areas = examination.checks.iter().map(|check| check.area.len());
    let wide = areas.max().unwrap_or(0);
    for Check { area, status, found, remedy } in &examination.checks {
        let status = match status {
            Status::Ok => "ok",
            Status::Warning => "warning",
            Status::Fault => "FAULT",
        };
        let _ = writeln!(text, "{area:<wide$}  {status:<7}  {}", shown_line(found));
        if let Some(remedy) = remedy {
            let _ = writeln!(text, "{:<wide$}  {:<7}  → {}", "", "", shown_line(remedy));
        }
    }
    let count = |status| examination.checks.iter().filter(|check| check.status == status).count();
    let plural = |count: usize, what: &str| match count {
        1 => format!("1 {what}"),
        count => format!("{count} {what}s"),
    };
    let warnings = count(Status::Warning);
    text += &match (count(Status::Fault), warnings) {
        (0, 0) => "\nno faults\n".to_owned(),
        (0, _) => format!("\nno faults; {}\n", plural(warnings, "warning")),
        (faults, 0) => format!("\n{}\n", plural(faults, "fault")),
        (faults, _) => format!("\n{}, {}\n", plural(faults, "fault"), plural(warnings, "warning")),
    };
    text
}
