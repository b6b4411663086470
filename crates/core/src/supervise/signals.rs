//! Waits for signals with a timeout.

use std::io::{self, Read};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use signal_hook::consts::{SIGCHLD, SIGHUP, SIGINT, SIGTERM};

use crate::sys::signals::StopSignal;

/// The signals that a supervisor handles.
#[derive(Debug)]
pub(super) struct Signals {
    /// Gets a byte with every signal.
    woken: UnixStream,
    pending: [(Arc<AtomicBool>, StopSignal); 3],
    stop_requested: Option<StopSignal>,
}

impl Signals {
    pub(super) fn watch() -> io::Result<Self> {
        let (woken, waker) = UnixStream::pair()?;
        // Losing the terminal means to stop, too.
        let watched = [
            (SIGINT, StopSignal::Interrupt),
            (SIGTERM, StopSignal::Terminate),
            (SIGHUP, StopSignal::Terminate),
        ];
        let pending = watched.map(|(_, meaning)| (Arc::new(AtomicBool::new(false)), meaning));
        for ((signal, _), (flag, _)) in watched.iter().zip(&pending) {
            signal_hook::flag::register(*signal, Arc::clone(flag))?;
        }
        // Registered after the flags, so that the woken thread finds them set.
        for signal in [SIGCHLD, SIGINT, SIGTERM, SIGHUP] {
            signal_hook::low_level::pipe::register(signal, waker.try_clone()?)?;
        }
        Ok(Self { woken, pending, stop_requested: None })
    }

    /// The stop signals since the last call.
    pub(super) fn take(&mut self) -> Vec<StopSignal> {
        let came = |(flag, meaning): &(Arc<AtomicBool>, StopSignal)| {
            flag.swap(false, Ordering::SeqCst).then_some(*meaning)
        };
        let taken: Vec<_> = self.pending.iter().filter_map(came).collect();
        self.stop_requested = self.stop_requested.or(taken.first().copied());
        taken
    }

    /// The first stop signal.
    pub(super) fn stop_requested(&mut self) -> Option<StopSignal> {
        self.take();
        self.stop_requested
    }

    /// Waits for a signal, up to a timeout.
    pub(super) fn wait(&mut self, at_most: Duration) {
        let at_most = at_most.max(Duration::from_millis(1));
        // An error here is a time-out or a signal: either way there is something to look at.
        if self.woken.set_read_timeout(Some(at_most)).is_ok() {
            let _ = self.woken.read(&mut [0; 64]);
        }
    }
}
