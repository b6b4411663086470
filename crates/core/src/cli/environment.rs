//! Options from environment variables. An empty variable counts as unset, and the error for a wrong value
//! names the variable, not the option.

use std::ffi::OsString;

use clap::builder::Resettable;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, ArgMatches, Command, CommandFactory, Error, FromArgMatches, Parser};

use super::args::Arguments;

/// Parses the command line, and takes the options that it lacks from the environment.
///
/// # Errors
///
/// clap's error, which it prints and exits with; also for `--help` and `--version`.
pub fn parse(command_line: Vec<OsString>) -> Result<Arguments, Error> {
    let command_line = long_version(command_line);
    let read = |variables: &Variables| matches(variables, &command_line);
    // The command line is parsed without variables first, so that an error after that must come from
    // a variable.
    let typed = match read(&Variables::Without) {
        // Help lists the variables, whatever their values.
        Err(error) if !error.use_stderr() => return Arguments::try_parse_from(command_line),
        other => typed(&other?),
    };
    let is_set_typed = typed.iter().any(|option| option == "set");
    let mut arguments = read(&Variables::AllBut(typed))
        .and_then(|matches| Arguments::from_arg_matches(&matches))
        .map_err(|error| name_the_variable(error, read))?;
    if !is_set_typed {
        let set = std::mem::take(&mut arguments.common.set).into_iter();
        arguments.common.set = set.map(|set| set.set_by("BURGEON_SET")).collect();
    }
    Ok(arguments)
}

/// `burgeon --version --verbose` is `burgeon version`: clap ends at the first of both.
fn long_version(command_line: Vec<OsString>) -> Vec<OsString> {
    let (program, options) = command_line.split_at(1.min(command_line.len()));
    let has = |names: &[&str]| options.iter().any(|option| names.iter().any(|name| option == name));
    let is_asked = has(&["--version", "-V"]) && has(&["--verbose"]);
    // Of an option with a value, such as `--runs --version`, nothing is taken away.
    let known = ["--version", "-V", "--verbose", "--json"];
    if !is_asked || !options.iter().all(|option| known.iter().any(|name| option == name)) {
        return command_line;
    }
    let json = options.iter().filter(|option| *option == "--json").take(1).cloned();
    program.iter().cloned().chain([OsString::from("version")]).chain(json).collect()
}

/// Which environment variables are read.
enum Variables {
    /// Those of options that are not on the command line.
    AllBut(Vec<String>),
    Without,
    Only(OsString),
}

impl Variables {
    fn count(&self, arg: &Arg, name: &OsString) -> bool {
        match self {
            Self::AllBut(typed) => typed.iter().all(|typed| arg.get_id() != typed.as_str()),
            Self::Without => false,
            Self::Only(only) => only == name,
        }
    }
}

/// The options on the command line, before or after the subcommand.
fn typed(matches: &ArgMatches) -> Vec<String> {
    let is_typed =
        |id: &&str| matches.value_source(id) == Some(clap::parser::ValueSource::CommandLine);
    let own = matches.ids().map(clap::Id::as_str).filter(is_typed).map(str::to_owned);
    own.chain(matches.subcommand().into_iter().flat_map(|(_, below)| typed(below))).collect()
}

fn matches(variables: &Variables, command_line: &[OsString]) -> Result<ArgMatches, Error> {
    with(Arguments::command(), variables).try_get_matches_from(command_line)
}

/// The command and its subcommands, with the values of the variables that are read.
fn with(command: Command, variables: &Variables) -> Command {
    command
        .mut_args(|arg| from_variable(arg, variables))
        .mut_subcommands(|subcommand| with(subcommand, variables))
}

fn from_variable(arg: Arg, variables: &Variables) -> Arg {
    let Some(name) = arg.get_env().map(OsString::from) else {
        return arg;
    };
    let value = std::env::var_os(&name).filter(|value| !value.is_empty());
    let unset = |arg: Arg| arg.env(Resettable::Reset);
    let Some(value) = value.filter(|_| variables.count(&arg, &name)) else {
        return unset(arg);
    };
    match (arg.get_value_delimiter(), value.to_str()) {
        // A list may end with its delimiter, or hold nothing but that.
        (Some(delimiter), Some(list)) => {
            let parts = list.split(delimiter).filter(|part| !part.trim().is_empty());
            let parts: Vec<String> = parts.map(str::to_owned).collect();
            if parts.is_empty() { unset(arg) } else { unset(arg).default_values(parts) }
        }
        _ => arg,
    }
}

fn name_the_variable(
    error: Error,
    read: impl Fn(&Variables) -> Result<ArgMatches, Error>,
) -> Error {
    let names = variables(&Arguments::command());
    let wrong = names.into_iter().find_map(|name| {
        let error = read(&Variables::Only(name.clone())).err()?;
        Some((name, error))
    });
    let Some((name, mut error)) = wrong else { return error };
    let name = format!("{} in the environment", name.to_string_lossy());
    if error.kind() == ErrorKind::InvalidUtf8 {
        return Error::raw(ErrorKind::InvalidUtf8, format!("{name} is not UTF-8\n"));
    }
    error.insert(ContextKind::InvalidArg, ContextValue::String(name));
    error
}

/// The variables of a command and its subcommands.
fn variables(command: &Command) -> Vec<OsString> {
    let own = command.get_arguments().filter_map(|arg| arg.get_env().map(OsString::from));
    own.chain(command.get_subcommands().flat_map(variables)).collect()
}
