//! Tells whoever wants to know that a study is over.

use std::process::{Command, Stdio};

use crate::record::StudyResult;

/// A notification that could not be given.
#[derive(Debug, thiserror::Error)]
pub enum NotifyError {
    /// The program could not be started.
    #[error("the notification `{program}` could not be started")]
    Start {
        /// The program.
        program: String,
        /// Why.
        source: std::io::Error,
    },
    /// The program says that it failed.
    #[error("the notification `{program}` failed: {status}")]
    Failed {
        /// The program.
        program: String,
        /// How it ended.
        status: std::process::ExitStatus,
    },
}

/// Runs `[notify] command` and waits for it, with `BURGEON_STUDY`, `BURGEON_OUTCOME`,
/// `BURGEON_ACCURACY` and `BURGEON_RUN_DIR` in its environment.
///
/// # Errors
///
/// When the program cannot be started or fails. The study is over all the same.
pub fn notify(command: &[String], study: &str, result: &StudyResult) -> Result<(), NotifyError> {
    let Some((program, arguments)) = command.split_first() else {
        return Ok(());
    };
    let status = Command::new(program)
        .args(arguments)
        .env("BURGEON_STUDY", study)
        .env("BURGEON_OUTCOME", result.outcome.name())
        .env("BURGEON_ACCURACY", result.validation_accuracy.to_string())
        .env("BURGEON_RUN_DIR", &result.run)
        .stdin(Stdio::null())
        // Standard output may carry events.
        .stdout(Stdio::null())
        .status()
        .map_err(|source| NotifyError::Start { program: program.clone(), source })?;
    if status.success() {
        Ok(())
    } else {
        Err(NotifyError::Failed { program: program.clone(), status })
    }
}
