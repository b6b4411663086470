//! Why somebody was not told.

use std::io;
use std::process::ExitStatus;
use std::time::Duration;

/// A failure of a notification. The result of the study stands.
#[derive(Debug, thiserror::Error)]
pub enum NotifyError {
    /// The program could not be started.
    #[error("the command of [notify], `{program}`, could not be started")]
    Start {
        /// The first word of `[notify] command`.
        program: String,
        /// The cause.
        source: io::Error,
    },
    /// The program ended with a failure.
    #[error("the command of [notify], `{program}`, failed: {status}")]
    Failed {
        /// The first word of `[notify] command`.
        program: String,
        /// How it ended.
        status: ExitStatus,
    },
    /// The program ran for too long, and was killed.
    #[error(
        "the command of [notify], `{program}`, was still running after {} s and was killed; one that has more to do can start it in the background",
        limit.as_secs()
    )]
    TimedOut {
        /// The first word of `[notify] command`.
        program: String,
        /// The time that it had.
        limit: Duration,
    },
    /// This process was asked to stop before the program had ended.
    #[error(
        "the command of [notify], `{program}`, was stopped early; `burgeon resume` runs it again"
    )]
    Stopped {
        /// The first word of `[notify] command`.
        program: String,
    },
    /// Mail or webhooks are asked for, which this build lacks.
    #[error(
        "this build cannot send mail or call webhooks: it lacks the cargo feature `mail`, so those of [notify] are not sent"
    )]
    NotBuilt,
    /// The messages could not be made, kept or read.
    #[cfg(feature = "mail")]
    #[error("the messages of [notify] cannot be sent")]
    Outbox(#[from] super::outbox::OutboxError),
    /// Some messages are not sent.
    #[cfg(feature = "mail")]
    #[error("{lines}")]
    Undelivered {
        /// A line for each of them.
        lines: String,
    },
}
