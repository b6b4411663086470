//! Keeps `burgeon retrain --watch` running for each registry of the configuration.

use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use super::Chain;
use super::config::Retrain;
use super::health::{Malfunction, Part};
use super::process::{Run, end_left_over};
use super::store::StoreError;
use crate::sys::announce::PARENT_VARIABLE;
use crate::sys::turn::TURNS_VARIABLE;
use burgeon_container::HangLimits;

/// Time from SIGTERM to SIGKILL: a training ends within 5 s.
const GRACE: Duration = Duration::from_secs(7);
/// Pause before a process that ended is restarted.
const PAUSE: Duration = Duration::from_secs(10);
/// How much of the last output is kept, for the page that shows why it fails.
const SAID_MAX: usize = 4096;

/// Runs a process for each registry until the service stops.
///
/// # Errors
///
/// None: failures are shown.
pub(super) fn work(chain: &Chain) -> Result<(), StoreError> {
    let own = |number: usize| chain.config.folder.join(format!("retrain-{number}.json"));
    thread::scope(|scope| {
        for (number, entry) in chain.config.retrain.iter().enumerate() {
            scope.spawn(move || {
                let file = own(number);
                end_left_over(&file);
                while !chain.is_stopping() {
                    let why = watch(chain, entry, &file);
                    if chain.is_stopping() {
                        return;
                    }
                    tracing::error!(registry = %entry.registry.display(), why, "`burgeon retrain` ended; it will be restarted");
                    chain.health.report_malfunction(Part::Retraining, Malfunction::Failing, &why);
                    let began = Instant::now();
                    while began.elapsed() < PAUSE && !chain.is_stopping() {
                        thread::sleep(Duration::from_millis(100));
                    }
                }
            });
        }
        while !chain.is_stopped_within(Duration::from_secs(1)) {
            chain.health.report_alive(Part::Retraining);
        }
    });
    Ok(())
}

/// Runs the process of a registry; returns why it ended.
fn watch(chain: &Chain, entry: &Retrain, file: &std::path::Path) -> String {
    let mut command = Command::new(&chain.burgeon);
    let seconds = entry.watch_seconds.to_string();
    command.args(["retrain", "--watch", &seconds, "--registry"]).arg(&entry.registry);
    if let Some(data) = &entry.data {
        command.arg("--data").arg(data);
    }
    command
        .current_dir(&chain.config.folder)
        .env(PARENT_VARIABLE, std::process::id().to_string())
        .env(TURNS_VARIABLE, format!("{} {}", chain.config.max, chain.places.turns().display()))
        .env("NO_COLOR", "1")
        .env_remove("BURGEON_SET")
        .env_remove("BURGEON_SEED")
        .env_remove("BURGEON_JSON")
        .env_remove("BURGEON_QUIET");
    let mut said = Vec::new();
    let began = Instant::now();
    let run = Run {
        limit: None,
        // It is idle between its checks.
        hang: HangLimits::default(),
        grace: GRACE,
        stop: &|| {
            if began.elapsed() > PAUSE {
                chain.health.report_success(Part::Retraining);
            }
            chain.is_stopping()
        },
        output: &mut |bytes| {
            said.extend_from_slice(bytes);
            said.drain(..said.len().saturating_sub(SAID_MAX));
            tracing::info!(registry = %entry.registry.display(), "{}", String::from_utf8_lossy(bytes).trim_end());
        },
        process_file: Some(file),
    };
    let ended = match run.program(command) {
        Ok(finished) => finished.to_string(),
        Err(error) => format!("cannot be started: {error}"),
    };
    let said = String::from_utf8_lossy(&said);
    let last = said.lines().rfind(|line| !line.trim().is_empty()).unwrap_or_default();
    format!("`burgeon retrain` of {} {ended}: {last}", entry.registry.display())
}
