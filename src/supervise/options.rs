//! How patient a supervisor is.

use std::path::PathBuf;
use std::time::Duration;

/// Bounds of supervising; the defaults are for trainings of minutes to weeks.
#[derive(Debug, Clone, PartialEq)]
pub struct SuperviseOptions {
    /// What to run; this program unless said.
    pub program: Option<PathBuf>,
    /// Wait before the first restart; doubles with each that follows.
    pub initial_delay: Duration,
    /// Longest wait before a restart, but for the jitter.
    pub max_delay: Duration,
    /// Share by which a wait is randomly longer or shorter, in 0..=1, so that many supervisors
    /// whose trainers failed together do not restart them together.
    pub jitter: f64,
    /// A trainer that lived this long was healthy: waits and restarts are counted afresh.
    pub healthy_after: Duration,
    /// Time in which a trainer gives at least one sign of life. A hang is found before it has
    /// lasted twice as long.
    pub heartbeat: Duration,
    /// Time that a trainer has from its start to its first sign of life: for fetching data and
    /// warming up.
    pub startup_grace: Duration,
    /// Time from SIGTERM to SIGKILL for a trainer that hangs.
    pub kill_grace: Duration,
    /// Time that a trainer has from a request to stop to its end, after which it is killed. It ends
    /// by itself before, so this only catches one that cannot.
    pub stop_grace: Duration,
    /// Failures at the same step, one after the other, after which the supervisor gives up; three times
    /// as many where they are at different steps, none of them further than before.
    pub same_step_failures: u32,
    /// Restarts without a healthy life between them, after which the supervisor gives up.
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
    /// How often the heartbeat is looked at.
    pub(super) fn look_every(&self) -> Duration {
        (self.heartbeat / 8).clamp(Duration::from_millis(5), Duration::from_secs(1))
    }

    /// The silence that is a hang: two heartbeats, less the delays of seeing the last one and of
    /// seeing that no other follows.
    pub(super) fn hung_after(&self) -> Duration {
        self.heartbeat * 7 / 4
    }
}
