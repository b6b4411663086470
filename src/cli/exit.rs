//! Outcomes → exit codes, in this one place.

use std::process::ExitCode;

/// What the process tells its caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// The gate opened, or the command did what it should.
    Success,
    /// I/O, data, or internal.
    Failed,
    /// Usage or study file is wrong; nothing was started.
    Usage,
    /// Finished, but the gate was not passed.
    GateNotPassed,
    /// The run is locked by a living process.
    Locked,
    /// Stopped by SIGINT after writing a checkpoint.
    Interrupted,
    /// Stopped by SIGTERM after writing a checkpoint.
    Terminated,
    /// What a supervised process ended with.
    Of(u8),
}

impl Exit {
    /// The documented number.
    pub fn code(self) -> u8 {
        match self {
            Self::Success => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::GateNotPassed => 3,
            Self::Locked => 4,
            Self::Interrupted => 130,
            Self::Terminated => 143,
            Self::Of(code) => code,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}
