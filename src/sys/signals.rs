//! Being asked to stop.
//!
//! The first SIGINT or SIGTERM only raises a flag, which training looks at between steps: it then
//! writes a checkpoint and ends. A second SIGINT ends the process on the spot; whatever was being
//! written is repaired by the next start like after any other crash.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopSignal {
    /// SIGINT, which is Ctrl-C.
    Interrupt,
    /// SIGTERM, which is what containers and service managers send.
    Terminate,
}

impl StopSignal {
    /// The exit code that tells of it: 128 and the signal's number.
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

/// A flag that asks training to stop; clones share it.
#[derive(Debug, Clone, Default)]
pub struct StopFlag(Arc<AtomicUsize>);

impl StopFlag {
    /// A flag that only [`StopFlag::request`] raises.
    pub fn new() -> Self {
        Self::default()
    }

    /// A flag that the first SIGINT or SIGTERM raises; the second SIGINT ends the process with
    /// exit code 130. Call it once a process.
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

    /// Raises the flag.
    pub fn request(&self, signal: StopSignal) {
        self.0.store(signal.number() as usize, Ordering::SeqCst);
    }

    /// Whether to stop, and who asked last.
    pub fn requested(&self) -> Option<StopSignal> {
        match self.0.load(Ordering::Relaxed) as i32 {
            SIGINT => Some(StopSignal::Interrupt),
            SIGTERM => Some(StopSignal::Terminate),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flag_tells_who_asked() {
        let stop = StopFlag::new();
        assert_eq!(stop.requested(), None);
        stop.clone().request(StopSignal::Terminate);
        assert_eq!(stop.requested(), Some(StopSignal::Terminate));
        assert_eq!(stop.requested().unwrap().exit_code(), 143);
    }
}
