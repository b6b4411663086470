//! Terminal output: results to stdout, or to stderr when stdout carries events.

use std::io::{IsTerminal, Write};

use serde::Serialize;

use super::args::Common;
use super::error::CliError;
use super::error_text::study_error;
use super::exit::Exit;
use super::shown::harmless;
use crate::study::LaunchError;
use crate::sys::error_chain;

/// How much is printed, where, and in which colours.
#[derive(Debug, Clone, Copy)]
pub struct Output {
    /// Whether stdout carries events and nothing else.
    pub json: bool,
    /// Whether only errors and the outcome are printed.
    pub quiet: bool,
    /// Whether colours may be used.
    pub color: bool,
    /// Whether there is a terminal to draw progress on, on which lines can be drawn again.
    pub progress: bool,
}

impl Output {
    /// The output that the options and the terminal allow.
    pub fn new(common: &Common) -> Self {
        let stderr = std::io::stderr().is_terminal();
        let no_color =
            common.no_color || std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let is_dumb = std::env::var_os("TERM").is_none_or(|terminal| terminal == "dumb");
        Self {
            json: common.json,
            quiet: common.quiet,
            color: stderr && !no_color,
            progress: stderr && !is_dumb && !common.quiet,
        }
    }

    /// Prints a line that `--quiet` leaves out.
    pub fn print(&self, line: &str) {
        if !self.quiet {
            self.print_always(line);
        }
    }

    /// Prints a line in any case. A failure is ignored: a closed terminal must not end the training.
    pub fn print_always(&self, line: &str) {
        let _ = if self.json {
            writeln!(std::io::stderr(), "{line}")
        } else {
            writeln!(std::io::stdout(), "{line}")
        };
    }

    /// Writes the result of a command to stdout, whatever the options.
    pub fn result(&self, text: &str) -> Result<Exit, CliError> {
        let mut stdout = std::io::stdout().lock();
        let written = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
        written.map_err(CliError::Output)?;
        Ok(Exit::Success)
    }

    /// Writes a value to stdout as one line of JSON.
    pub fn result_json(&self, value: &impl Serialize) -> Result<Exit, CliError> {
        let line = serde_json::to_string(value).map_err(|error| CliError::Output(error.into()))?;
        self.result(&(line + "\n"))
    }

    /// Prints a line to stderr that `--quiet` leaves out.
    pub fn note(&self, line: &str) {
        if !self.quiet {
            let _ = writeln!(std::io::stderr(), "{line}");
        }
    }

    /// Prints a warning to stderr, also with `--quiet`.
    pub fn warn(&self, line: &str) {
        let label = if self.color { "\u{1b}[1;33mwarning\u{1b}[0m" } else { "warning" };
        let _ = writeln!(std::io::stderr(), "{label}: {}", harmless(line));
    }

    /// Prints an error with its causes to stderr.
    pub fn print_error(&self, error: &CliError) {
        let mut stderr = std::io::stderr();
        let _ = match error {
            CliError::Launch(LaunchError::Spec(spec)) => {
                write!(stderr, "{}", study_error(spec, self.color))
            }
            CliError::Output(io) if io.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
            error => {
                let label = if self.color { "\u{1b}[1;31merror\u{1b}[0m" } else { "error" };
                writeln!(stderr, "{label}: {}", harmless(&error_chain(error)))
            }
        };
    }
}
