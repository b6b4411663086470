//! Requests to stop.
//!
//! The first SIGINT or SIGTERM only sets a flag, which training reads between steps: it then writes a
//! checkpoint and ends. A second SIGINT ends the process at once; the next start repairs what was being
//! written, as after any other crash.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use signal_hook::consts::{SIGINT, SIGTERM, SIGUSR1};
use signal_hook::flag;

/// What requested a stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopReason {
    /// The process got a signal.
    Signal(StopSignal),
    /// The program called [`StopFlag::request`].
    Requested,
}

impl StopReason {
    /// The signal's name, or `request`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Signal(signal) => signal.name(),
            Self::Requested => "request",
        }
    }

    /// The exit code for a process that ends for this reason; [`Requested`](Self::Requested) has that of
    /// SIGTERM.
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Signal(signal) => signal.exit_code(),
            Self::Requested => StopSignal::Terminate.exit_code(),
        }
    }
}

/// A signal that requests a stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopSignal {
    /// SIGINT, sent by Ctrl-C.
    Interrupt,
    /// SIGTERM, sent by containers and service managers.
    Terminate,
}

impl StopSignal {
    /// The exit code for a process that ends for it: 128 plus the signal's number.
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Interrupt => 130,
            Self::Terminate => 143,
        }
    }

    /// The signal's number.
    pub fn number(self) -> i32 {
        match self {
            Self::Interrupt => SIGINT,
            Self::Terminate => SIGTERM,
        }
    }

    /// The signal's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Interrupt => "SIGINT",
            Self::Terminate => "SIGTERM",
        }
    }
}

/// A flag that requests a stop. Clones share it, so a listener or another thread can set it.
#[derive(Debug, Clone, Default)]
pub struct StopFlag(Arc<AtomicUsize>);

impl StopFlag {
    /// A flag that only [`StopFlag::request`] sets.
    pub fn new() -> Self {
        Self::default()
    }

    /// A flag that the first SIGINT or SIGTERM sets; a second SIGINT ends the process with exit code 130.
    /// Call it once per process.
    ///
    /// # Errors
    ///
    /// When the system refuses the handlers.
    pub fn on_signals() -> io::Result<Self> {
        let stop = Self::new();
        let interrupted = Arc::new(AtomicBool::new(false));
        let code = StopSignal::Interrupt.exit_code().into();
        // Handlers run in the order of their registration: the first SIGINT passes the exit and
        // arms it.
        flag::register_conditional_shutdown(SIGINT, code, Arc::clone(&interrupted))?;
        flag::register(SIGINT, interrupted)?;
        for signal in [SIGINT, SIGTERM] {
            flag::register_usize(signal, Arc::clone(&stop.0), signal as usize)?;
        }
        Ok(stop)
    }

    /// Also sets it at SIGUSR1, as at SIGTERM: by that, a scheduler of jobs says that the time is nearly up.
    ///
    /// # Errors
    ///
    /// When the system refuses the handler.
    #[cfg(feature = "cli")]
    pub(crate) fn also_on_warning(&self) -> io::Result<()> {
        flag::register_usize(SIGUSR1, Arc::clone(&self.0), SIGTERM as usize).map(drop)
    }

    /// Requests a stop: the training saves its state and ends, and can be resumed.
    pub fn request(&self) {
        self.0.store(REQUESTED, Ordering::SeqCst);
    }

    /// What requested a stop, if anything did; the last one of several.
    pub fn requested(&self) -> Option<StopReason> {
        const INTERRUPT: usize = SIGINT as usize;
        const TERMINATE: usize = SIGTERM as usize;
        match self.0.load(Ordering::Relaxed) {
            INTERRUPT => Some(StopReason::Signal(StopSignal::Interrupt)),
            TERMINATE => Some(StopReason::Signal(StopSignal::Terminate)),
            REQUESTED => Some(StopReason::Requested),
            _ => None,
        }
    }
}

/// No signal has this number.
const REQUESTED: usize = usize::MAX;

#[cfg(test)]
mod tests;
