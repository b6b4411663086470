//! The exit codes of the command, all in one place.

use std::process::ExitCode;

/// How the command ended, as its exit code says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// 0: the gate was passed, or the command succeeded.
    Success,
    /// 1: an error of files, data or training.
    Failed,
    /// 2: the usage or the study is wrong; nothing was started.
    Usage,
    /// 3: the study finished, but the gate was not passed.
    GateNotPassed,
    /// 3: looked into, but nothing was found that can be trained, or no rule fits it.
    #[cfg(feature = "detect")]
    Unknown,
    /// 4: another process works on the run.
    Locked,
    /// 5: judged and refused.
    Refused,
    /// 130: stopped by SIGINT.
    Interrupted,
    /// 143: stopped by SIGTERM.
    Terminated,
    /// The exit code of a supervised process.
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
            #[cfg(feature = "detect")]
            Self::Unknown => 3,
            Self::Locked => 4,
            Self::Refused => 5,
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

#[cfg(test)]
mod tests;
