//! `burgeon supervise`.

use std::time::Duration;

use super::args::SuperviseArguments;
use super::error::CliError;
use super::exit::Exit;
use super::output::Output;
use crate::supervise::{SuperviseOptions, supervise as keep_running};

/// Keeps a trainer running and passes its exit code on.
pub fn supervise(arguments: &SuperviseArguments, output: &Output) -> Result<Exit, CliError> {
    let options = SuperviseOptions {
        initial_delay: Duration::from_secs_f64(arguments.delay),
        max_delay: Duration::from_secs_f64(arguments.max_delay),
        healthy_after: Duration::from_secs_f64(arguments.healthy_after),
        heartbeat: Duration::from_secs_f64(arguments.heartbeat),
        startup_grace: Duration::from_secs_f64(arguments.startup_grace),
        kill_grace: Duration::from_secs_f64(arguments.kill_grace),
        same_step_failures: arguments.same_step_failures,
        max_restarts: arguments.max_restarts,
        ..SuperviseOptions::default()
    };
    let code = keep_running(&arguments.arguments, &options, &mut |notice| {
        output.note(&format!("supervise: {notice}"));
    })?;
    Ok(Exit::Of(code))
}
