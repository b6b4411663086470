//! Follows a run while it trains, with a thread for each tool.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::error::TrackError;
use super::sink::Sink;
use super::tail::Tail;
use crate::ledger::{Recorded, RunFolder};

/// How often the log is looked at.
const LOOK: Duration = Duration::from_secs(1);
/// Longest time between two tries to reach a tool that failed.
const BACK_OFF_MAX: Duration = Duration::from_secs(60);

/// The tools that follow a run.
#[derive(Debug, Default)]
pub(crate) struct Followers {
    end: Arc<End>,
    threads: Vec<(&'static str, std::io::Result<JoinHandle<Left>>)>,
}

/// Whether, and until when, what is left is to be shown.
#[derive(Debug, Default)]
struct End {
    deadline: Mutex<Option<Instant>>,
    told: Condvar,
}

/// What a tool has not taken at the end, and why.
#[derive(Debug)]
struct Left {
    events: usize,
    error: Option<TrackError>,
}

impl End {
    /// Waits for `time`, or less once the run has ended.
    fn wait(&self, time: Duration) -> Option<Instant> {
        let deadline = self.deadline.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.told.wait_timeout_while(deadline, time, |deadline| deadline.is_none());
        *waited.unwrap_or_else(PoisonError::into_inner).0
    }
}

impl Followers {
    pub(super) fn start(sinks: Vec<Box<dyn Sink>>, run: &RunFolder) -> Self {
        let end = Arc::new(End::default());
        let start = |sink: Box<dyn Sink>| {
            let (name, tail, end) = (sink.name(), Tail::new(run.clone()), end.clone());
            let thread = std::thread::Builder::new().name(format!("for {name}"));
            // Without a thread nothing is shown there, which is said at the end, and training goes on.
            (name, thread.spawn(move || follow(sink, tail, &end)))
        };
        let threads = sinks.into_iter().map(start).collect();
        Self { end, threads }
    }

    /// Lets the tools take what is left, for at most `limit`, and says of each that has not taken all why.
    pub(crate) fn finish(self, limit: Duration) -> Vec<String> {
        let deadline = Instant::now() + limit;
        *self.end.deadline.lock().unwrap_or_else(PoisonError::into_inner) = Some(deadline);
        self.end.told.notify_all();
        let mut failed = Vec::new();
        for (name, thread) in self.threads {
            let thread = match thread {
                Ok(thread) => thread,
                Err(error) => {
                    failed.push(format!(
                        "{name} was sent nothing, as no thread could be started: {error}"
                    ));
                    continue;
                }
            };
            // One request may outlast the deadline; it is not waited for.
            while !thread.is_finished() && Instant::now() < deadline + LOOK {
                std::thread::sleep(Duration::from_millis(10));
            }
            if !thread.is_finished() {
                failed.push(format!("{name} did not answer in time"));
                continue;
            }
            match thread.join() {
                Ok(Left { events: 0, error: None }) => {}
                Ok(Left { events, error }) => {
                    let why = error.map_or("there was no time".into(), |error| {
                        crate::sys::error_chain(&error)
                    });
                    failed.push(format!("{name} did not take the last {events} events: {why}"));
                }
                Err(_) => failed.push(format!("{name} failed")),
            }
        }
        failed
    }
}

fn follow(mut sink: Box<dyn Sink>, mut tail: Tail, end: &End) -> Left {
    let mut waiting: VecDeque<Recorded> = VecDeque::new();
    let (mut pause, mut deadline) = (LOOK, None);
    loop {
        let mut error = None;
        match tail.next() {
            Ok(records) => waiting.extend(records),
            Err(found) => error = Some(found),
        }
        while let (Some(next), None) = (waiting.front(), &error) {
            match sink.take(next) {
                Ok(()) => drop(waiting.pop_front()),
                Err(found) => error = Some(found),
            }
            if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                break;
            }
        }
        match (deadline, &error) {
            // Nothing is recorded any more.
            (Some(_), None) if waiting.is_empty() => return Left { events: 0, error: None },
            (Some(deadline), _) if Instant::now() >= deadline => {
                return Left { events: waiting.len(), error };
            }
            (Some(_), _) => std::thread::sleep(Duration::from_millis(200)),
            (None, _) => {
                pause = if error.is_some() { (2 * pause).min(BACK_OFF_MAX) } else { LOOK };
                deadline = end.wait(pause);
            }
        }
    }
}
