//! One try of a message, bounded in time whatever the other side does.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

/// What came of one try.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Tried {
    /// The other side has taken the message over.
    Sent,
    /// Not now; the reason.
    Later(String),
    /// Never; the reason.
    Never(String),
    /// This process was asked to stop meanwhile.
    Stopped,
}

/// How often the caller is asked whether to go on.
const LOOK_EVERY: Duration = Duration::from_millis(20);
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
        work: impl FnOnce(&dyn Fn(Tried)) + Send + 'static,
    ) -> Tried {
        let until = Instant::now() + limit;
        if !keep_going() {
            return Tried::Stopped;
        }
        if self.running.fetch_add(1, Ordering::SeqCst) >= HANGING_MAX {
            self.running.fetch_sub(1, Ordering::SeqCst);
            return Tried::Later(format!("{HANGING_MAX} earlier tries have not ended yet"));
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
            return Tried::Later(format!("no thread could be started: {error}"));
        }
        loop {
            let left = until.saturating_duration_since(Instant::now());
            match told.recv_timeout(left.min(LOOK_EVERY)) {
                Ok(tried) => return tried,
                Err(RecvTimeoutError::Disconnected) => {
                    return Tried::Later("the try ended without a result".into());
                }
                Err(RecvTimeoutError::Timeout) if left.is_zero() => {
                    return Tried::Later(format!("no result within {:.0} s", limit.as_secs_f64()));
                }
                Err(RecvTimeoutError::Timeout) if !keep_going() => return Tried::Stopped,
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hold(held: &std::sync::mpsc::Receiver<()>) {
        let _ = held.recv();
    }

    const LONG: Duration = Duration::from_secs(600);

    #[test]
    fn what_the_work_says_counts_at_once_even_if_it_goes_on() {
        let (release, held) = channel::<()>();
        let threads = Threads::default();
        let tried = threads.run(LONG, &mut || true, move |tell| {
            tell(Tried::Sent);
            hold(&held);
        });
        assert_eq!(tried, Tried::Sent);
        drop(release);
    }

    #[test]
    fn work_that_hangs_is_left_and_too_much_of_it_is_not_begun() {
        let threads = Threads::default();
        let mut releases = Vec::new();
        let mut hang = |limit| {
            let (release, held) = channel::<()>();
            releases.push(release);
            threads.run(limit, &mut || true, move |_| hold(&held))
        };
        for _ in 0..HANGING_MAX {
            let Tried::Later(why) = hang(Duration::from_millis(1)) else { panic!("it hung") };
            assert!(why.contains("no result within"), "{why}");
        }
        let Tried::Later(why) = hang(LONG) else { panic!("it was begun") };
        assert!(why.contains("earlier tries"), "{why}");
    }

    #[test]
    fn who_stops_does_not_wait_and_a_panic_is_a_failure() {
        let threads = Threads::default();
        let (release, held) = channel::<()>();
        let mut asked = 0;
        let mut keep_going = || {
            asked += 1;
            asked < 3
        };
        let tried = threads.run(LONG, &mut keep_going, move |_| hold(&held));
        assert_eq!(tried, Tried::Stopped);
        drop(release);
        let tried = threads.run(LONG, &mut || true, |_| {});
        assert!(matches!(tried, Tried::Later(why) if why.contains("without a result")));
    }
}
