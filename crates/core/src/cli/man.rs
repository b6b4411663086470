//! `burgeon man`: manual pages, one for each command.

use std::path::Path;

use clap::{Command, CommandFactory};
use clap_mangen::Man;

use super::args::Arguments;
use super::error::CliError;
use super::exit::Exit;
use super::output::Output;
use crate::study::LaunchError;
use crate::sys::files::real_files;

/// Writes all pages into a folder and prints their paths; without one, prints the page about burgeon itself.
pub fn man(folder: Option<&Path>, output: &Output) -> Result<Exit, CliError> {
    let mut command = Arguments::command().disable_help_subcommand(true);
    command.build();
    let Some(folder) = folder else {
        return output.result(&page(&command)?);
    };
    let files = real_files().map_err(LaunchError::from)?;
    files.create_folders(folder).map_err(CliError::File)?;
    let mut paths = String::new();
    for command in std::iter::once(&command).chain(command.get_subcommands()) {
        let name = command.get_display_name().unwrap_or_else(|| command.get_name());
        let path = folder.join(format!("{name}.1"));
        files.write_atomically(&path, page(command)?.as_bytes()).map_err(CliError::File)?;
        paths += &format!("{}\n", path.display());
    }
    output.result(&paths)
}

fn page(command: &Command) -> Result<String, CliError> {
    let mut page = Vec::new();
    Man::new(command.clone()).render(&mut page).map_err(CliError::Output)?;
    Ok(String::from_utf8_lossy(&page).into_owned())
}
