//! Whether to restart a trainer that ended.

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use super::heartbeats::Silence;
use crate::sys::signals::StopSignal;

/// How a trainer process ended.
#[derive(Debug)]
pub(super) enum Ending {
    /// By itself, or by a signal from elsewhere.
    Exited(ExitStatus),
    /// The supervisor killed it.
    Hung(Silence),
    /// It could not be started, with the system's error.
    NotStarted(String),
}

/// What the supervisor does next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// The supervisor ends with this code.
    Finish(u8),
    /// The trainer is restarted, for this reason.
    Restart(String),
}

/// Exit codes that are final: gate passed, wrong usage, gate not passed, locked by another process.
const FINISHED: [i32; 4] = [0, 2, 3, 4];

impl Ending {
    /// How a trainer ended. With `silence`, it was being ended as hung, but it may have finished just then.
    pub(super) fn new(status: ExitStatus, silence: Option<Silence>) -> Self {
        let finished = status.code().is_some_and(|code| FINISHED.contains(&code));
        match silence {
            Some(silence) if !finished => Self::Hung(silence),
            _ => Self::Exited(status),
        }
    }

    pub(super) fn next(&self, stop_requested: Option<StopSignal>) -> Next {
        let code = match self {
            Self::Exited(status) => status.code(),
            Self::Hung(_) | Self::NotStarted(_) => None,
        };
        match (code, stop_requested) {
            (Some(code), _) if FINISHED.contains(&code) => Next::Finish(code as u8),
            // Asked to stop, it answers with the signal's code, or with that of an error on the
            // way, which must not be hidden.
            (Some(code), Some(_)) => Next::Finish(code as u8),
            (None, Some(signal)) => Next::Finish(signal.exit_code()),
            (_, None) => Next::Restart(self.cause()),
        }
    }

    fn cause(&self) -> String {
        match self {
            Self::Hung(silence) => format!("the trainer hung: {silence}"),
            Self::NotStarted(why) => format!("the trainer could not be started: {why}"),
            Self::Exited(status) => match (status.code(), status.signal()) {
                (Some(code), _) => format!("the trainer exited with code {code}"),
                (_, Some(signal)) => format!("the trainer was killed by {}", name(signal)),
                _ => format!("the trainer ended: {status}"),
            },
        }
    }
}

fn name(signal: i32) -> String {
    let name = signal_hook::low_level::signal_name(signal);
    name.map_or_else(|| format!("signal {signal}"), Into::into)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::heartbeats::SilentSince;
    use super::*;

    fn exited(code: i32) -> Ending {
        Ending::Exited(ExitStatus::from_raw(code << 8))
    }

    fn killed_by(signal: i32) -> Ending {
        Ending::Exited(ExitStatus::from_raw(signal))
    }

    #[test]
    fn finished_trainers_are_never_restarted() {
        for code in [0, 2, 3, 4] {
            assert_eq!(exited(code).next(None), Next::Finish(code as u8));
        }
    }

    #[test]
    fn failures_are_restarted_with_their_cause() {
        for (ending, cause) in [
            (exited(1), "the trainer exited with code 1"),
            (exited(101), "the trainer exited with code 101"),
            (killed_by(9), "the trainer was killed by SIGKILL"),
            (Ending::NotStarted("no".into()), "the trainer could not be started: no"),
        ] {
            assert_eq!(ending.next(None), Next::Restart(cause.into()));
        }
        let lasted = Duration::from_secs(9);
        let hung = Ending::Hung(Silence { lasted, since: SilentSince::LastBeat });
        assert!(matches!(hung.next(None), Next::Restart(_)));
    }

    #[test]
    fn a_trainer_that_finishes_while_it_is_ended_as_hung_has_finished() {
        let lasted = Duration::from_secs(9);
        let silence = Some(Silence { lasted, since: SilentSince::LastBeat });
        let after = |raw| Ending::new(ExitStatus::from_raw(raw), silence).next(None);
        assert_eq!(after(0), Next::Finish(0));
        assert!(matches!(after(143 << 8), Next::Restart(_)));
    }

    #[test]
    fn a_trainer_stopped_by_somebody_else_is_restarted() {
        assert!(matches!(exited(143).next(None), Next::Restart(_)));
    }

    #[test]
    fn told_to_stop_nothing_is_restarted() {
        let term = Some(StopSignal::Terminate);
        assert_eq!(exited(143).next(term), Next::Finish(143));
        assert_eq!(exited(0).next(term), Next::Finish(0));
        assert_eq!(exited(1).next(term), Next::Finish(1));
        assert_eq!(killed_by(9).next(term), Next::Finish(143));
        assert_eq!(killed_by(2).next(Some(StopSignal::Interrupt)), Next::Finish(130));
    }
}
