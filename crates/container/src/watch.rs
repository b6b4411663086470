//! Watches a container to its end: its output, its time, whether it still does something, and whether it is to stop.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::SyncSender;
use std::time::{Duration, Instant};

use bollard::container::LogOutput;
use bollard::errors::Error as EngineError;
use bollard::models::ContainerState;
use bollard::query_parameters::{
    KillContainerOptionsBuilder, LogsOptionsBuilder, StatsOptionsBuilder,
};
use bytes::{Buf, Bytes};
use futures_util::{Stream, StreamExt};
use jiff::Timestamp;
use tokio::time::{sleep, timeout};

use super::ended::{EndReason, Ended, ended, started};
use super::engine::Engine;
use super::error::{ContainerError, is_away, is_missing};
use super::job::Job;
use crate::hang::SignsOfLife;

/// How often `stop` and the time are looked at.
pub(super) const TICK: Duration = Duration::from_millis(250);

/// How often the engine is asked whether the container runs, beside the end of its output, which engines have been
/// known to miss.
const INSPECT_INTERVAL: Duration = Duration::from_secs(2);

/// From SIGTERM to SIGKILL.
const GRACE: Duration = Duration::from_secs(10);

/// From SIGKILL to an error.
const KILL_MAX: Duration = Duration::from_secs(60);

/// How long an engine may be away, as while it is restarted.
const AWAY_MAX: Duration = Duration::from_secs(60);

/// How long an engine may take to tell how much a container has computed. Podman waits for a second look.
const USAGE: Duration = Duration::from_secs(10);

/// How long the rest of the output of an ended container may take to come.
const REST_MAX: Duration = Duration::from_secs(10);

type Logs = Pin<Box<dyn Stream<Item = Result<LogOutput, EngineError>> + Send>>;

/// What the caller, on a thread of its own, wants.
#[derive(Debug, Default)]
pub(super) struct Caller {
    /// The program is to end.
    pub stop: AtomicBool,
    /// Nobody waits for it any more.
    left: AtomicBool,
}

/// Says that the caller left, however it left.
pub(super) struct LeaveOnDrop<'a>(pub &'a Caller);

impl Drop for LeaveOnDrop<'_> {
    fn drop(&mut self) {
        self.0.left.store(true, Ordering::Relaxed);
    }
}

/// A container that is watched.
pub(super) struct Watch<'a> {
    engine: &'a Engine,
    job: &'a Job,
    id: &'a str,
    caller: &'a Caller,
    output: SyncSender<Bytes>,
    deadline: Option<Instant>,
    signs: SignsOfLife,
    /// `None` where the engine ended it.
    logs: Option<Logs>,
    /// Bytes of output that were handed on, and of those the ones that come again.
    handed_on: u64,
    again: u64,
    asked: Option<EndRequest>,
    away_since: Option<Instant>,
}

/// A container that was asked to end.
struct EndRequest {
    why: EndReason,
    since: Instant,
    killed: Option<Instant>,
}

impl<'a> Watch<'a> {
    /// Begins with the output from the container's start.
    pub async fn new(
        engine: &'a Engine,
        job: &'a Job,
        id: &'a str,
        caller: &'a Caller,
        output: SyncSender<Bytes>,
    ) -> Result<Self, ContainerError> {
        let mut watch = Self {
            engine,
            job,
            id,
            caller,
            output,
            deadline: None,
            signs: SignsOfLife::new(job.limits.hang, Instant::now()),
            logs: None,
            handed_on: 0,
            again: 0,
            asked: None,
            away_since: None,
        };
        watch.read_output(true);
        let state = watch.state().await?.unwrap_or_default();
        let seconds = job.limits.seconds.map(Duration::from_secs);
        let left = seconds.map(|seconds| time_left(seconds, started(&state), Timestamp::now()));
        // From here on by a clock that nobody sets.
        watch.deadline = left.and_then(|left| Instant::now().checked_add(left));
        Ok(watch)
    }

    /// Returns when it runs no more.
    pub async fn until_it_ends(mut self) -> Result<Ended, ContainerError> {
        let (mut ticked, mut looked) = (Instant::now(), Instant::now());
        loop {
            let output_ended = self.next_output().await;
            if ticked.elapsed() < TICK && !output_ended {
                continue;
            }
            ticked = Instant::now();
            if self.caller.left.load(Ordering::Relaxed) {
                return Err(ContainerError::Abandoned { label: self.job.label.clone() });
            }
            if looked.elapsed() >= INSPECT_INTERVAL || output_ended || self.asked.is_some() {
                looked = ticked;
                match self.state().await? {
                    Some(state) if !runs(&state) => {
                        self.rest_of_output().await;
                        let asked = self.asked.map(|asking| asking.why);
                        return Ok(ended(&state, asked, self.job.limits.seconds));
                    }
                    Some(_) if output_ended => {
                        sleep(TICK).await;
                        self.read_output(true);
                    }
                    _ => {}
                }
            }
            self.look_for_life().await;
            self.end_if_asked().await?;
        }
    }

    /// Hands on a piece of output, or waits for one tick; `true` once the engine sends no more.
    async fn next_output(&mut self) -> bool {
        let Some(logs) = &mut self.logs else {
            sleep(TICK).await;
            return true;
        };
        match timeout(TICK, logs.next()).await {
            Ok(Some(Ok(output))) => self.hand_on(output),
            Ok(Some(Err(_)) | None) => self.logs = None,
            Err(_) => {}
        }
        self.logs.is_none()
    }

    /// Reads the output from the start, what was handed on before excepted.
    fn read_output(&mut self, follow: bool) {
        let options = LogsOptionsBuilder::new().follow(follow).stdout(true).stderr(true).build();
        self.logs = Some(Box::pin(self.engine.docker.logs(self.id, Some(options))));
        self.again = self.handed_on;
    }

    fn hand_on(&mut self, output: LogOutput) {
        let mut piece = output.into_bytes();
        let known = usize::try_from(self.again).unwrap_or(usize::MAX).min(piece.len());
        self.again -= known as u64;
        piece.advance(known);
        self.handed_on += piece.len() as u64;
        if !piece.is_empty() {
            self.signs.printed(Instant::now());
            // A caller that left is noticed at the next tick.
            let _ = self.output.send(piece);
        }
    }

    /// Looks now and then whether it computes.
    async fn look_for_life(&mut self) {
        if self.signs.asks_for_processor_time(Instant::now()) {
            let used = self.processor_time().await;
            self.signs.computed(used, Instant::now());
        }
    }

    /// What it has used of processors; `None` if the engine does not tell, as one without cgroups.
    async fn processor_time(&mut self) -> Option<Duration> {
        let options = StatsOptionsBuilder::new().stream(false).one_shot(true).build();
        let mut stats = Box::pin(self.engine.docker.stats(self.id, Some(options)));
        let usage = timeout(USAGE, stats.next()).await.ok()??.ok()?.cpu_stats?.cpu_usage?;
        usage.total_usage.filter(|used| *used > 0).map(Duration::from_nanos)
    }

    fn is_to_stop(&self) -> bool {
        self.caller.stop.load(Ordering::Relaxed)
    }

    /// Engines have been known to end the output of a container a moment before its last line, so that it is read once
    /// more, without waiting for any.
    async fn rest_of_output(&mut self) {
        self.read_output(false);
        let began = Instant::now();
        while began.elapsed() < REST_MAX {
            let Some(logs) = &mut self.logs else { return };
            match timeout(REST_MAX, logs.next()).await {
                Ok(Some(Ok(output))) => self.hand_on(output),
                _ => self.logs = None,
            }
        }
    }

    /// What the engine says of it; `None` while the engine is away, which it may be for a while.
    async fn state(&mut self) -> Result<Option<ContainerState>, ContainerError> {
        match self.engine.inspect(self.id).await {
            Ok(container) => {
                self.away_since = None;
                Ok(Some(container.state.unwrap_or_default()))
            }
            Err(error) if is_away(&error) => {
                let since = *self.away_since.get_or_insert_with(Instant::now);
                if since.elapsed() >= AWAY_MAX || self.is_to_stop() {
                    return Err(self.engine.failed("inspect a container", error));
                }
                sleep(TICK).await;
                Ok(None)
            }
            Err(error) if is_missing(&error) => Err(self.gone()),
            Err(error) => Err(self.engine.failed("inspect a container", error)),
        }
    }

    /// Asks it to end if that is due, and kills it if it does not.
    async fn end_if_asked(&mut self) -> Result<(), ContainerError> {
        let Some(asking) = &mut self.asked else {
            let why = match self.deadline {
                _ if self.is_to_stop() => EndReason::Stop,
                Some(deadline) if Instant::now() >= deadline => EndReason::TimeLimit,
                _ => match self.signs.hang(Instant::now()) {
                    Some(hang) => EndReason::Hang(hang),
                    None => return Ok(()),
                },
            };
            if self.signal("SIGTERM").await? {
                self.asked = Some(EndRequest { why, since: Instant::now(), killed: None });
            }
            return Ok(());
        };
        match asking.killed {
            None if asking.since.elapsed() >= GRACE => {
                asking.killed = Some(Instant::now());
                self.signal("SIGKILL").await?;
            }
            Some(at) if at.elapsed() >= KILL_MAX => {
                let label = self.job.label.clone();
                return Err(ContainerError::DoesNotEnd { label, seconds: KILL_MAX.as_secs() });
            }
            _ => {}
        }
        Ok(())
    }

    /// Whether it got the signal: not if it has ended, or if the engine is away.
    async fn signal(&mut self, signal: &str) -> Result<bool, ContainerError> {
        let options = KillContainerOptionsBuilder::new().signal(signal).build();
        match self.engine.docker.kill_container(self.id, Some(options)).await {
            Ok(()) => Ok(true),
            Err(error) if is_away(&error) || is_missing(&error) => Ok(false),
            Err(error) => match self.engine.inspect(self.id).await {
                // It has ended by itself.
                Ok(container) if !container.state.as_ref().is_some_and(runs) => Ok(false),
                _ => Err(self.engine.failed("stop a container", error)),
            },
        }
    }

    fn gone(&self) -> ContainerError {
        ContainerError::Gone { label: self.job.label.clone() }
    }
}

/// What is left of the time of a container that was started then; all of it if the engine does not say when, or if its
/// clock or this one is so wrong that the start is yet to come.
fn time_left(limit: Duration, started: Option<Timestamp>, now: Timestamp) -> Duration {
    let ran = started.and_then(|started| Duration::try_from(now.duration_since(started)).ok());
    limit.saturating_sub(ran.unwrap_or_default())
}

fn runs(state: &ContainerState) -> bool {
    state.running == Some(true) || state.paused == Some(true) || state.restarting == Some(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_container_that_was_found_again_has_the_rest_of_its_time() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let left = |started, now| time_left(Duration::from_secs(60), started, at(now)).as_secs();
        assert_eq!(left(Some(at(1000)), 1000), 60);
        assert_eq!(left(Some(at(1000)), 1045), 15);
        assert_eq!(left(Some(at(1000)), 2000), 0);
        assert_eq!(left(Some(at(1000)), 500), 60, "a clock was set back");
        assert_eq!(left(None, 1000), 60);
    }
}
