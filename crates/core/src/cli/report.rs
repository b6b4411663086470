//! `burgeon report`: writes the reports of a run.

use std::path::Path;
use std::sync::Arc;

use super::args::TrackArguments;
use super::error::CliError;
use super::exit::Exit;
use super::output::Output;
use crate::ledger::RunFolder;
use crate::report;
use crate::report::write::write_single;
use crate::sys::files::RealFiles;
use crate::track::{Server, Targets, TrackError};

/// Writes the three reports and prints their paths, one per line, or with `--json` as an object.
pub fn report(
    run: &Path,
    single: bool,
    track: &TrackArguments,
    output: &Output,
) -> Result<Exit, CliError> {
    let targets = targets(track)?;
    let folder = RunFolder::open(Arc::new(RealFiles), run)?;
    let written = report::write(&folder)?;
    let single = single.then(|| write_single(&folder)).transpose()?;
    targets.show(&folder)?;
    if output.json {
        // As text, since a path that is not UTF-8 has no other form in JSON.
        let shown = |path: &Path| path.display().to_string();
        return output.result_json(&serde_json::json!({
            "html": shown(&written.html),
            "style_sheet": shown(&written.style_sheet),
            "markdown": shown(&written.markdown),
            "junit": shown(&written.junit),
            "single": single.as_deref().map(shown),
        }));
    }
    let paths = [&written.html, &written.markdown, &written.junit].into_iter().chain(&single);
    output.result(&paths.map(|path| format!("{}\n", path.display())).collect::<String>())
}

/// Where else a run is shown.
pub fn targets(arguments: &TrackArguments) -> Result<Targets, CliError> {
    let mlflow = arguments.mlflow.as_deref().map(Server::new).transpose();
    let mlflow = mlflow.map_err(TrackError::from)?;
    Ok(Targets { tensorboard: arguments.tensorboard.clone(), mlflow })
}
