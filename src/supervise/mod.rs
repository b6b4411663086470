//! Keeps a trainer running to its end: starts it as a child, watches its heartbeat, and starts it
//! again, within bounds, when it crashes or hangs.
//!
//! Invariant: the supervisor writes to a run folder only while no trainer runs, and under the same
//! lock; it knows nothing of training but the heartbeat and the exit code.

mod back_off;
mod child;
mod crash_loop;
mod notice;
mod options;
mod pulse;
mod record;
mod signals;
mod verdict;

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Instant;

use rustix::process::Signal;

use crate::sys::announce::announced;
use crate::sys::heartbeat::{Beat, Position, last_beat, now_ms};
use crate::sys::signals::StopSignal;

use back_off::BackOff;
use child::{AnnouncementFile, Child, adopt_orphans};
use crash_loop::CrashLoop;
use pulse::Pulse;
use signals::Signals;
use verdict::{Ending, Next};

pub use notice::Notice;
pub use options::SuperviseOptions;
pub use pulse::{Silence, SilentSince};

/// Why there was no supervising at all.
#[derive(Debug, thiserror::Error)]
pub enum SuperviseError {
    /// The path of this program is not known.
    #[error("cannot find the program to supervise")]
    Program(#[source] std::io::Error),
    /// The system refused the handlers of signals.
    #[error("cannot watch for signals")]
    Signals(#[source] std::io::Error),
    /// There is no place for the file in which the trainer names its run folder.
    #[error("cannot create a folder in {} for the trainer's announcement", path.display())]
    Announcement {
        /// The folder for temporary files.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

/// Runs `burgeon ARGS…` until it finishes, is stopped on request, or keeps failing; answers the
/// exit code to end with. `tell` hears of everything that people may want to know.
///
/// Takes over this process's signals and all its children: call it from a process that does
/// nothing else.
///
/// # Errors
///
/// When supervising cannot begin. What happens later is told, and ends in an exit code.
pub fn supervise(
    args: &[OsString],
    options: &SuperviseOptions,
    tell: &mut dyn FnMut(&Notice),
) -> Result<u8, SuperviseError> {
    let program = match &options.program {
        Some(program) => program.clone(),
        None => std::env::current_exe().map_err(SuperviseError::Program)?,
    };
    let announcement = AnnouncementFile::create()?;
    let signals = Signals::watch().map_err(SuperviseError::Signals)?;
    adopt_orphans();
    let mut supervisor = Supervisor {
        program,
        args: with_resume(args),
        options,
        announcement,
        signals,
        run_folder: None,
        back_off: BackOff::new(options),
        crash_loop: CrashLoop::new(options),
        tell,
    };
    Ok(supervisor.run())
}

/// Whoever starts a study under a supervisor means it to be gone on with.
fn with_resume(args: &[OsString]) -> Vec<OsString> {
    let mut args = args.to_vec();
    let is = |arg: &OsString, text: &str| arg.to_str() == Some(text);
    let can_resume = args.iter().any(|arg| is(arg, "tune") || is(arg, "train"));
    let says = |arg: &OsString| arg.to_string_lossy().starts_with("--resume");
    if can_resume && !args.iter().any(says) {
        let end = args.iter().position(|arg| is(arg, "--")).unwrap_or(args.len());
        args.splice(end..end, ["--resume".into(), "auto".into()]);
    }
    args
}

struct Supervisor<'a> {
    program: PathBuf,
    args: Vec<OsString>,
    options: &'a SuperviseOptions,
    announcement: AnnouncementFile,
    signals: Signals,
    run_folder: Option<PathBuf>,
    back_off: BackOff,
    crash_loop: CrashLoop,
    tell: &'a mut dyn FnMut(&Notice),
}

/// One life of the trainer, afterwards.
struct Life {
    ending: Ending,
    /// Where the trials were that trained at the same time; empty before the first step.
    positions: Vec<Position>,
    was_healthy: bool,
}

impl Supervisor<'_> {
    fn run(&mut self) -> u8 {
        loop {
            let life = self.live();
            let cause = match life.ending.next(self.signals.told_to_stop()) {
                Next::Finish(code) => return code,
                Next::Restart(cause) => cause,
            };
            if life.was_healthy {
                self.back_off.reset();
                self.crash_loop.forget_restarts();
            }
            if let Some(reason) = self.crash_loop.failed_at(&life.positions) {
                self.give_up(&format!("{cause}; {reason}"));
                return 1;
            }
            if let Some(code) = self.wait_before_restart(cause) {
                return code;
            }
        }
    }

    /// Starts the trainer and stays with it until it ends.
    fn live(&mut self) -> Life {
        let started = Instant::now();
        // Before the start, lest a first beat be taken for an old one.
        let mut pulse = Pulse::new(self.beat(), self.preparing(), now_ms(), started);
        let child = match Child::start(&self.program, &self.args, self.announcement.path()) {
            Ok(child) => child,
            Err(error) => {
                return Life {
                    ending: Ending::NotStarted(error.to_string()),
                    positions: Vec::new(),
                    was_healthy: false,
                };
            }
        };
        self.say(Notice::Started { pid: child.pid() });
        let ending = self.watch(&child, &mut pulse);
        self.find_run_folder();
        pulse.look(self.beat(), Instant::now());
        Life {
            ending,
            positions: pulse.positions(),
            was_healthy: started.elapsed() >= self.options.healthy_after,
        }
    }

    fn watch(&mut self, child: &Child, pulse: &mut Pulse) -> Ending {
        let mut hang: Option<(Silence, Instant)> = None;
        let mut told_to_stop: Option<Instant> = None;
        loop {
            if let Some(status) = child.reap() {
                return Ending::new(status, hang.map(|(silence, _)| silence));
            }
            for signal in self.signals.take() {
                self.say(Notice::Forwarded { signal });
                child.signal(match signal {
                    StopSignal::Interrupt => Signal::INT,
                    StopSignal::Terminate => Signal::TERM,
                });
            }
            self.find_run_folder();
            let now = Instant::now();
            if self.signals.told_to_stop().is_some() {
                // A trainer that is stuck, or stopped itself, must not keep whoever waits for us.
                let since = *told_to_stop.get_or_insert(now);
                if now >= since + self.options.stop_grace {
                    child.signal(Signal::KILL);
                }
            }
            pulse.look_at_preparing(self.preparing(), now);
            pulse.look(self.beat(), now);
            match hang {
                None => hang = self.end_if_hung(child, pulse, now),
                Some((_, since)) if now >= since + self.options.kill_grace => {
                    child.signal(Signal::KILL);
                }
                Some(_) => {}
            }
            self.signals.wait(self.options.look_every());
        }
    }

    fn end_if_hung(
        &mut self,
        child: &Child,
        pulse: &Pulse,
        now: Instant,
    ) -> Option<(Silence, Instant)> {
        let silence = pulse.silence(now, self.options)?;
        self.say(Notice::Hung { silence });
        child.signal(Signal::TERM);
        Some((silence, now))
    }

    fn find_run_folder(&mut self) {
        if let Some(folder) = announced(self.announcement.path()) {
            self.run_folder = Some(folder);
        }
    }

    /// Waits as long as the back-off says; answers an exit code when told to stop meanwhile.
    fn wait_before_restart(&mut self, cause: String) -> Option<u8> {
        let delay = self.back_off.next_delay();
        let attempt = self.crash_loop.count_restart();
        if let Some(folder) = &self.run_folder {
            let recorded = record::restart(folder, &cause, attempt, delay);
            self.say_if_lost(recorded);
        }
        self.say(Notice::Restarting { cause, attempt, delay });
        let until = Instant::now() + delay;
        loop {
            if let Some(signal) = self.signals.told_to_stop() {
                return Some(signal.exit_code());
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return None;
            }
            self.signals.wait(left);
            // Orphans that end meanwhile are ours to bury.
            child::reap_orphans();
            self.signals.take();
        }
    }

    fn give_up(&mut self, cause: &str) {
        if let Some(folder) = &self.run_folder {
            let recorded = record::give_up(folder, cause, self.crash_loop.restarts());
            self.say_if_lost(recorded);
        }
        self.say(Notice::GaveUp { cause: cause.into() });
    }

    fn beat(&self) -> Option<Beat> {
        last_beat(self.run_folder.as_deref()?)
    }

    /// The last sign of life from a trainer that has no run folder yet.
    fn preparing(&self) -> Option<Beat> {
        last_beat(self.announcement.path().parent()?)
    }

    /// An event that cannot be recorded must not keep the trainer from being started again.
    fn say_if_lost(&mut self, recorded: Result<(), record::RecordError>) {
        if let Err(error) = recorded {
            self.say(Notice::NotRecorded { why: error.to_string() });
        }
    }

    fn say(&mut self, notice: Notice) {
        (self.tell)(&notice);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resumed(line: &str) -> String {
        let args: Vec<OsString> = line.split_whitespace().map(Into::into).collect();
        let args = with_resume(&args);
        args.iter().map(|arg| arg.to_str().unwrap()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn studies_are_started_to_be_resumed() {
        assert_eq!(resumed("tune a.toml"), "tune a.toml --resume auto");
        assert_eq!(resumed("--quiet train a.toml"), "--quiet train a.toml --resume auto");
        assert_eq!(resumed("train -- -a.toml"), "train --resume auto -- -a.toml");
    }

    #[test]
    fn what_says_how_to_resume_or_cannot_is_left_as_it_is() {
        for line in
            ["tune a.toml --resume never", "tune --resume=auto a.toml", "resume runs/a-0001"]
        {
            assert_eq!(resumed(line), line);
        }
    }
}
