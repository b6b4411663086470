//! Keeps `burgeon retrain --watch` running for each registry of the configuration.

use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use super::Chain;
use super::config::Retrain;
use super::health::{Ailment, Part};
use super::process::{Finished, Run, end_left_over};
use super::store::StoreError;
use crate::sys::announce::PARENT_VARIABLE;
use burgeon_container::HangLimits;

/// Time from a stop to the end: a training is gone within 5 s.
const GRACE: Duration = Duration::from_secs(7);
/// How long one that ended is waited for.
const PAUSE: Duration = Duration::from_secs(10);
/// What one said last, for the page that shows why it fails.
const SAID_MAX: usize = 4096;

/// Watches all of them until the service ends.
///
/// # Errors
///
/// None: what goes wrong is shown.
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
                    tracing::error!(registry = %entry.registry.display(), why, "retraining ended");
                    chain.health.ill(Part::Retraining, Ailment::Failing, &why);
                    let began = Instant::now();
                    while began.elapsed() < PAUSE && !chain.is_stopping() {
                        thread::sleep(Duration::from_millis(100));
                    }
                }
            });
        }
        while !chain.is_stopped_within(Duration::from_secs(1)) {
            chain.health.alive(Part::Retraining);
        }
    });
    Ok(())
}

/// Why it ended.
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
        .env("NO_COLOR", "1")
        .env_remove("BURGEON_SET")
        .env_remove("BURGEON_SEED")
        .env_remove("BURGEON_JSON")
        .env_remove("BURGEON_QUIET");
    let mut said = Vec::new();
    let began = Instant::now();
    let run = Run {
        limit: None,
        // It is idle between its looks.
        hang: HangLimits::default(),
        grace: GRACE,
        stop: &|| {
            if began.elapsed() > PAUSE {
                chain.health.well(Part::Retraining);
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
        Ok(Finished::Exited(code)) => format!("exit code {code}"),
        Ok(Finished::Killed(signal)) => format!("signal {signal}"),
        Ok(_) => "it was stopped".into(),
        Err(error) => error.to_string(),
    };
    let said = String::from_utf8_lossy(&said);
    let last = said.lines().rfind(|line| !line.trim().is_empty()).unwrap_or_default();
    format!("burgeon retrain of {} ended: {ended} {last}", entry.registry.display())
}
