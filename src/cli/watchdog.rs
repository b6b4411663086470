//! Ends a process that was asked to stop and does not get to it.
//!
//! The orderly way is the usual one: whatever works looks at the stop flag between two pieces of
//! work, saves its state and returns. A piece that takes longer than whoever waits will wait, such as
//! a step of a huge network or a server that does not answer, is abandoned instead. That is as safe
//! as being killed at that moment: what is written atomically is there or not, and the record is
//! repaired when it is opened.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::{flag, low_level};

use crate::sys::signals::StopSignal;

/// How long the orderly way may take once there is something to save. Containers are given ten
/// seconds before they are killed, and promised five.
const PATIENCE: Duration = Duration::from_millis(3500);

/// How long it may take while there is nothing to save yet.
const PATIENCE_BEFORE: Duration = Duration::from_millis(500);

/// A signal that comes again so soon is the same request, sent twice: `timeout` signals the process
/// and then its group.
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
    /// When the system refuses the handlers or the thread.
    pub fn start() -> io::Result<Self> {
        let (mut woken, waker) = UnixStream::pair()?;
        let last_signal = Arc::new(AtomicUsize::new(0));
        for signal in [SIGINT, SIGTERM] {
            flag::register_usize(signal, Arc::clone(&last_signal), signal as usize)?;
            // After the number, so that whoever is woken finds it.
            low_level::pipe::register(signal, waker.try_clone()?)?;
        }
        let has_begun = Arc::new(AtomicBool::new(false));
        let (begun, last) = (Arc::clone(&has_begun), Arc::clone(&last_signal));
        let watch = move || {
            if woken.read_exact(&mut [0]).is_ok() {
                wait_for_the_orderly_way(&mut woken, &begun);
                end(&last, begun.load(Ordering::SeqCst));
            }
        };
        thread::Builder::new().name("watchdog".into()).spawn(watch)?;
        Ok(Self { has_begun, last_signal })
    }

    /// From now on there is something to save.
    pub fn begun(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.has_begun)
    }

    /// The last signal that asked to stop, if one did.
    pub fn signal(&self) -> Option<StopSignal> {
        signal_of(&self.last_signal)
    }
}

/// Returns when it has had its time, or a second request came.
fn wait_for_the_orderly_way(woken: &mut UnixStream, has_begun: &AtomicBool) {
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
    // On a thread of its own, for whoever reads it may have stopped reading.
    let told = thread::Builder::new().spawn(move || io::stderr().write_all(line.as_bytes()));
    let until = Instant::now() + Duration::from_millis(200);
    while told.as_ref().is_ok_and(|told| !told.is_finished()) && Instant::now() < until {
        thread::sleep(Duration::from_millis(5));
    }
    // Without any clean-up: whatever is stuck could keep it from ending.
    low_level::exit(signal.exit_code().into())
}

fn signal_of(last_signal: &AtomicUsize) -> Option<StopSignal> {
    match last_signal.load(Ordering::SeqCst) as i32 {
        SIGINT => Some(StopSignal::Interrupt),
        SIGTERM => Some(StopSignal::Terminate),
        _ => None,
    }
}
