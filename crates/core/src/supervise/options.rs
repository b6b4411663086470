//! Options of a supervisor.

use std::path::PathBuf;
use std::time::Duration;

/// Limits of a supervisor; the defaults suit trainings of minutes to weeks.
#[derive(Debug, Clone, PartialEq)]
pub struct SuperviseOptions {
    /// The program to run; `None` for this one.
    pub program: Option<PathBuf>,
    /// Delay before the first restart; doubles with each further one.
    pub initial_delay: Duration,
    /// Longest delay before a restart, without jitter.
    pub max_delay: Duration,
    /// Share by which a delay is randomly longer or shorter, 0..=1, so that trainers that failed together
    /// are not restarted together.
    pub jitter: f64,
    /// A trainer that ran this long was healthy: delay and restart count are reset.
    pub healthy_after: Duration,
    /// Longest time between heartbeats. A hang is detected within twice this time.
    pub heartbeat: Duration,
    /// Time from the start to the first heartbeat.
    pub startup_grace: Duration,
    /// Time from SIGTERM to SIGKILL for a hanging trainer.
    pub kill_grace: Duration,
    /// Time from a requested stop to SIGKILL. A trainer ends by itself well before that unless it is
    /// stuck.
    pub stop_grace: Duration,
    /// Failures in a row at the same step after which the supervisor gives up; three times as many if they
    /// are at different steps without progress.
    pub same_step_failures: u32,
    /// Restarts without a healthy trainer in between after which the supervisor gives up.
    pub max_restarts: u32,
}

impl Default for SuperviseOptions {
    fn default() -> Self {
        Self {
            program: None,
            initial_delay: Duration::from_secs(1),
            max_delay: Duration::from_secs(60),
            jitter: 0.25,
            healthy_after: Duration::from_secs(600),
            heartbeat: Duration::from_secs(60),
            startup_grace: Duration::from_secs(900),
            kill_grace: Duration::from_secs(10),
            stop_grace: Duration::from_millis(4500),
            same_step_failures: 3,
            max_restarts: 100,
        }
    }
}

impl SuperviseOptions {
    /// How often the heartbeat is read.
    pub(super) fn poll_interval(&self) -> Duration {
        (self.heartbeat / 8).clamp(Duration::from_millis(5), Duration::from_secs(1))
    }

    /// Time without a heartbeat that counts as a hang: two heartbeat times, less the delay of reading.
    pub(super) fn hung_after(&self) -> Duration {
        self.heartbeat * 7 / 4
    }
}
