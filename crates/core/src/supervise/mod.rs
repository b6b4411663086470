//! Runs a trainer as a child process, watches its heartbeat, and restarts it, within limits, when it
//! crashes or hangs.
//!
//! Invariant: the supervisor writes to a run folder only while no trainer runs, holding the same lock.
//! All it reads of the training are the heartbeat and the exit code.

mod back_off;
mod child;
mod crash_loop;
mod error;
mod heartbeats;
mod notice;
mod options;
mod record;
mod signals;
mod verdict;

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Instant;

use rustix::process::Signal;

use crate::sys::announce::{PARENT_VARIABLE, announced, stop_with};
use crate::sys::error_chain;
use crate::sys::heartbeat::{Beat, Position, last_beat, now_ms};
use crate::sys::signals::StopSignal;

use back_off::BackOff;
use child::{AnnouncementFile, Child, adopt_orphans};
use crash_loop::CrashLoop;
use heartbeats::Heartbeats;
use signals::Signals;
use verdict::{Ending, Next};

pub use error::SuperviseError;
pub use heartbeats::{Silence, SilentSince};
pub use notice::Notice;
pub use options::SuperviseOptions;

/// Runs `burgeon ARGS…` until it finishes, is stopped on request, or keeps failing; returns the exit code
/// to end with. `notify` receives what people may want to know.
///
/// It handles the signals and all children of this process, so call it from a process that does nothing
/// else.
///
/// # Errors
///
/// When supervising cannot start. Later errors go to `notify` and lead to an exit code.
pub fn supervise(
    args: &[OsString],
    options: &SuperviseOptions,
    notify: &mut dyn FnMut(&Notice),
) -> Result<u8, SuperviseError> {
    let program = match &options.program {
        Some(program) => program.clone(),
        None => std::env::current_exe().map_err(SuperviseError::Program)?,
    };
    let announcement = AnnouncementFile::create()?;
    let signals = Signals::watch().map_err(SuperviseError::Signals)?;
    adopt_orphans();
    stop_with(PARENT_VARIABLE);
    let mut supervisor = Supervisor {
        program,
        args: with_resume(args),
        options,
        announcement,
        signals,
        run_folder: None,
        back_off: BackOff::new(options),
        crash_loop: CrashLoop::new(options),
        notify,
    };
    Ok(supervisor.run())
}

/// Adds `--resume auto` to `tune` and `train`, unless there is a `--resume`: a restart must continue.
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
    notify: &'a mut dyn FnMut(&Notice),
}

/// How one process of the trainer ended.
struct TrainerRun {
    ending: Ending,
    /// The positions of the running trials; empty before the first step.
    positions: Vec<Position>,
    was_healthy: bool,
}

impl Supervisor<'_> {
    fn run(&mut self) -> u8 {
        loop {
            let run = self.run_trainer();
            let cause = match run.ending.next(self.signals.stop_requested()) {
                Next::Finish(code) => return code,
                Next::Restart(cause) => cause,
            };
            if run.was_healthy {
                self.back_off.reset();
                self.crash_loop.forget_restarts();
            }
            if let Some(reason) = self.crash_loop.failed_at(&run.positions) {
                self.give_up(&format!("{cause}; {reason}"));
                return 1;
            }
            if let Some(code) = self.wait_before_restart(cause) {
                return code;
            }
        }
    }

    /// Starts the trainer and watches it until it ends.
    fn run_trainer(&mut self) -> TrainerRun {
        let started = Instant::now();
        // Read before the start, so that the trainer's first beat is not mistaken for an old one.
        let mut heartbeats = Heartbeats::new(self.beat(), self.preparing(), now_ms(), started);
        let child = match Child::start(&self.program, &self.args, self.announcement.path()) {
            Ok(child) => child,
            Err(error) => {
                return TrainerRun {
                    ending: Ending::NotStarted(error.to_string()),
                    positions: Vec::new(),
                    was_healthy: false,
                };
            }
        };
        self.notify(Notice::Started { pid: child.pid() });
        let ending = self.watch(&child, &mut heartbeats);
        self.find_run_folder();
        heartbeats.observe(self.beat(), Instant::now());
        TrainerRun {
            ending,
            positions: heartbeats.positions(),
            was_healthy: started.elapsed() >= self.options.healthy_after,
        }
    }

    fn watch(&mut self, child: &Child, heartbeats: &mut Heartbeats) -> Ending {
        let mut hang: Option<(Silence, Instant)> = None;
        let mut stop_requested: Option<Instant> = None;
        loop {
            if let Some(status) = child.reap() {
                return Ending::new(status, hang.map(|(silence, _)| silence));
            }
            for signal in self.signals.take() {
                self.notify(Notice::Forwarded { signal });
                child.signal(match signal {
                    StopSignal::Interrupt => Signal::INT,
                    StopSignal::Terminate => Signal::TERM,
                });
            }
            self.find_run_folder();
            let now = Instant::now();
            if self.signals.stop_requested().is_some() {
                // A trainer that is stuck, or suspended, must not keep the caller waiting.
                let since = *stop_requested.get_or_insert(now);
                if now >= since + self.options.stop_grace {
                    child.signal(Signal::KILL);
                }
            }
            heartbeats.observe_preparing(self.preparing(), now);
            heartbeats.observe(self.beat(), now);
            match hang {
                None => hang = self.end_if_hung(child, heartbeats, now),
                Some((_, since)) if now >= since + self.options.kill_grace => {
                    child.signal(Signal::KILL);
                }
                Some(_) => {}
            }
            self.signals.wait(self.options.poll_interval());
        }
    }

    fn end_if_hung(
        &mut self,
        child: &Child,
        heartbeats: &Heartbeats,
        now: Instant,
    ) -> Option<(Silence, Instant)> {
        let silence = heartbeats.silence(now, self.options)?;
        self.notify(Notice::Hung { silence });
        child.signal(Signal::TERM);
        Some((silence, now))
    }

    fn find_run_folder(&mut self) {
        if let Some(folder) = announced(self.announcement.path()) {
            self.run_folder = Some(folder);
        }
    }

    /// Waits before a restart; returns an exit code if a stop is requested meanwhile.
    fn wait_before_restart(&mut self, cause: String) -> Option<u8> {
        let delay = self.back_off.next_delay();
        let attempt = self.crash_loop.count_restart();
        if let Some(folder) = &self.run_folder {
            let recorded = record::restart(folder, &cause, attempt, delay);
            self.report_unrecorded(recorded);
        }
        self.notify(Notice::Restarting { cause, attempt, delay });
        let until = Instant::now() + delay;
        loop {
            if let Some(signal) = self.signals.stop_requested() {
                return Some(signal.exit_code());
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return None;
            }
            self.signals.wait(left);
            // Orphans that end meanwhile must be reaped here.
            child::reap_orphans();
            self.signals.take();
        }
    }

    fn give_up(&mut self, cause: &str) {
        if let Some(folder) = &self.run_folder {
            let recorded = record::give_up(folder, cause, self.crash_loop.restarts());
            self.report_unrecorded(recorded);
        }
        self.notify(Notice::GaveUp { cause: cause.into() });
        if let Some(folder) = &self.run_folder {
            let signals = &mut self.signals;
            match record::tell(folder, &mut || signals.stop_requested().is_none()) {
                Ok(told) => {
                    for message in told.sent {
                        self.notify(Notice::Notified { message });
                    }
                    if let Some(error) = told.failed {
                        self.notify(Notice::NotifyFailed { why: error_chain(&error) });
                    }
                }
                Err(error) => self.notify(Notice::NotifyFailed { why: error_chain(&error) }),
            }
        }
    }

    fn beat(&self) -> Option<Beat> {
        last_beat(self.run_folder.as_deref()?)
    }

    /// The last heartbeat of a trainer that has no run folder yet.
    fn preparing(&self) -> Option<Beat> {
        last_beat(self.announcement.path().parent()?)
    }

    /// Reports an event that could not be recorded; the trainer is restarted all the same.
    fn report_unrecorded(&mut self, recorded: Result<(), record::RecordError>) {
        if let Err(error) = recorded {
            self.notify(Notice::NotRecorded { why: error.to_string() });
        }
    }

    fn notify(&mut self, notice: Notice) {
        (self.notify)(&notice);
    }
}

#[cfg(test)]
mod tests;
