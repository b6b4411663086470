//! Ends the process if it does not stop in time after a signal.
//!
//! Normally the work stops by itself: it checks the stop flag between two pieces of work, saves its
//! state and returns. But a single piece may take too long, such as a step of a huge network, or the
//! answer of a server. Then the process exits in the middle of it. That is as safe as being killed:
//! files are written atomically, and an unfinished event is removed when the log is opened.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::{flag, low_level};

use crate::sys::signals::StopSignal;

/// How long stopping may take once training has begun. Containers are killed after ten seconds, and
/// burgeon promises to end within five.
const PATIENCE: Duration = Duration::from_millis(3500);

/// How long stopping may take while there is nothing to save yet.
const PATIENCE_BEFORE: Duration = Duration::from_millis(500);

/// A second signal within this time is the same request: `timeout` signals the process and then its
/// group. A later one ends the process at once.
const ECHO: Duration = Duration::from_millis(300);

/// Watches for requests to stop, until the process ends.
#[derive(Debug)]
pub struct Watchdog {
    has_begun: Arc<AtomicBool>,
    last_signal: Arc<AtomicUsize>,
}

impl Watchdog {
    /// Starts watching.
    ///
    /// # Errors
    ///
    /// If the system refuses the signal handlers or the thread.
    pub fn start() -> io::Result<Self> {
        let (mut woken, waker) = UnixStream::pair()?;
        let last_signal = Arc::new(AtomicUsize::new(0));
        for signal in [SIGINT, SIGTERM] {
            flag::register_usize(signal, Arc::clone(&last_signal), signal as usize)?;
            // Registered after the number, so that the woken thread finds the number set.
            low_level::pipe::register(signal, waker.try_clone()?)?;
        }
        let has_begun = Arc::new(AtomicBool::new(false));
        let (begun, last) = (Arc::clone(&has_begun), Arc::clone(&last_signal));
        let watch = move || {
            if woken.read_exact(&mut [0]).is_ok() {
                wait_for_stop(&mut woken, &begun);
                end(&last, begun.load(Ordering::SeqCst));
            }
        };
        thread::Builder::new().name("watchdog".into()).spawn(watch)?;
        Ok(Self { has_begun, last_signal })
    }

    /// A flag to set once training has begun, that is, once there is something to save.
    pub fn begun(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.has_begun)
    }

    /// The last signal that asked to stop, if one did.
    pub fn signal(&self) -> Option<StopSignal> {
        signal_of(&self.last_signal)
    }
}

/// Returns after the time for stopping, or at a second signal. If the process stops in time, this never
/// returns.
fn wait_for_stop(woken: &mut UnixStream, has_begun: &AtomicBool) {
    let since = Instant::now();
    loop {
        let patience = if has_begun.load(Ordering::SeqCst) { PATIENCE } else { PATIENCE_BEFORE };
        let left = patience.saturating_sub(since.elapsed());
        if left.is_zero() || woken.set_read_timeout(Some(left)).is_err() {
            return;
        }
        if matches!(woken.read(&mut [0]), Ok(1..)) && since.elapsed() > ECHO {
            return;
        }
    }
}

fn end(last_signal: &AtomicUsize, has_begun: bool) -> ! {
    let signal = signal_of(last_signal).unwrap_or(StopSignal::Terminate);
    let what = match has_begun {
        true => {
            "its unfinished work was abandoned; `burgeon resume` continues from the last checkpoint"
        }
        false => "training had not begun",
    };
    let line = format!("stopped by {}; {what}\n", signal.name());
    // On its own thread: if nobody reads standard error, writing to it may block.
    let printed = thread::Builder::new().spawn(move || io::stderr().write_all(line.as_bytes()));
    let until = Instant::now() + Duration::from_millis(200);
    while printed.as_ref().is_ok_and(|printed| !printed.is_finished()) && Instant::now() < until {
        thread::sleep(Duration::from_millis(5));
    }
    // Without clean-up, in which the process could get stuck.
    low_level::exit(signal.exit_code().into())
}

fn signal_of(last_signal: &AtomicUsize) -> Option<StopSignal> {
    match last_signal.load(Ordering::SeqCst) as i32 {
        SIGINT => Some(StopSignal::Interrupt),
        SIGTERM => Some(StopSignal::Terminate),
        _ => None,
    }
}
