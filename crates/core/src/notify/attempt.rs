//! One try of a message, bounded in time whatever the other side does.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

/// What came of one try to send a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum SendOutcome {
    /// A server has accepted the message.
    Sent,
    /// Not now, but it is to be tried again; the reason.
    Retry(String),
    /// It is refused for good; the reason.
    Refused(String),
    /// This process was asked to stop meanwhile.
    Stopped,
}

/// How often the caller is asked whether to go on.
const CHECK_INTERVAL: Duration = Duration::from_millis(20);
/// More tries than that are not left hanging at once.
const HANGING_MAX: usize = 8;

/// The threads that tries run on. One that takes too long is left to itself; it ends with its connection.
#[derive(Debug, Clone, Default)]
pub(super) struct Threads {
    running: Arc<AtomicUsize>,
}

struct Running(Arc<AtomicUsize>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Threads {
    /// Runs `work` on a thread, for `limit` at most and only while `keep_going` says so. `work` says by its
    /// argument what came of the try, as soon as it knows.
    pub(super) fn run(
        &self,
        limit: Duration,
        keep_going: &mut dyn FnMut() -> bool,
        work: impl FnOnce(&dyn Fn(SendOutcome)) + Send + 'static,
    ) -> SendOutcome {
        let until = Instant::now() + limit;
        if !keep_going() {
            return SendOutcome::Stopped;
        }
        if self.running.fetch_add(1, Ordering::SeqCst) >= HANGING_MAX {
            self.running.fetch_sub(1, Ordering::SeqCst);
            return SendOutcome::Retry(format!("{HANGING_MAX} earlier tries have not ended yet"));
        }
        let running = Running(Arc::clone(&self.running));
        let (tell, told) = channel();
        let started = thread::Builder::new().name("notify".into()).spawn(move || {
            let _running = running;
            work(&|tried| {
                // Nobody listens after the limit.
                let _ = tell.send(tried);
            });
        });
        if let Err(error) = started {
            return SendOutcome::Retry(format!("no thread could be started: {error}"));
        }
        loop {
            let left = until.saturating_duration_since(Instant::now());
            match told.recv_timeout(left.min(CHECK_INTERVAL)) {
                Ok(tried) => return tried,
                Err(RecvTimeoutError::Disconnected) => {
                    return SendOutcome::Retry("the try ended without a result".into());
                }
                Err(RecvTimeoutError::Timeout) if left.is_zero() => {
                    return SendOutcome::Retry(format!(
                        "no result within {:.0} s",
                        limit.as_secs_f64()
                    ));
                }
                Err(RecvTimeoutError::Timeout) if !keep_going() => return SendOutcome::Stopped,
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
    }
}

#[cfg(test)]
mod tests;
