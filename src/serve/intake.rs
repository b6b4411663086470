//! Writes calls of webhooks to the record: one thread, which makes one change of whatever waits, so that a burst
//! waits for the disk a few times and not once for each call.
//!
//! Invariant: a call is answered after it is on disk.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot};

use crate::chain::{DeliveryOutcome, NewDelivery, Recorded, Store};

/// Calls that wait at most; more are told to come again.
const WAITING_MAX: usize = 2048;
/// Calls in one change.
const BATCH_MAX: usize = 256;
/// Refused calls that are written at once, and how many more in a second; the others are counted.
const REFUSED_AT_ONCE: f64 = 20.0;
const REFUSED_PER_SECOND: f64 = 5.0;

/// A genuine call, to be recorded.
#[derive(Debug, Clone, Default)]
pub(super) struct Call {
    /// The repository's name.
    pub(super) repository: String,
    /// Who sent it.
    pub(super) source: &'static str,
    /// The sender's identifier.
    pub(super) delivery: String,
    /// What it tells of.
    pub(super) event: String,
    /// The branch, or nothing.
    pub(super) branch: String,
    /// The commit, or nothing.
    pub(super) commit: String,
    /// Why it starts nothing.
    pub(super) ignored: Option<String>,
}

/// A call that is not genuine.
#[derive(Debug, Clone)]
pub(super) struct Refused {
    /// The repository's name.
    pub(super) repository: String,
    /// Who it claims to come from.
    pub(super) source: &'static str,
    /// Why it was refused.
    pub(super) why: &'static str,
}

#[derive(Debug)]
enum Entry {
    Call(Call, oneshot::Sender<Option<Recorded>>),
    Refused(Refused),
}

/// Where calls are given to the thread that records them.
#[derive(Debug, Clone)]
pub(super) struct Intake(mpsc::Sender<Entry>);

/// Why a call was not recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NotRecorded {
    /// Too many wait.
    Full,
    /// The record cannot be written.
    Broken,
}

impl Intake {
    /// Starts the thread, which ends when nobody can give it calls any more. `wake` is called when builds were
    /// queued.
    pub(super) fn start(
        store: Arc<Store>,
        wake: Arc<dyn Fn() + Send + Sync>,
    ) -> std::io::Result<(Self, JoinHandle<()>)> {
        let (sender, receiver) = mpsc::channel(WAITING_MAX);
        let thread = std::thread::Builder::new().name("deliveries".into());
        let thread = thread.spawn(move || work(&store, &*wake, receiver))?;
        Ok((Self(sender), thread))
    }

    /// Records a call, and returns once it is on disk.
    pub(super) async fn record(&self, call: Call) -> Result<Recorded, NotRecorded> {
        let (tell, told) = oneshot::channel();
        self.0.try_send(Entry::Call(call, tell)).map_err(|_| NotRecorded::Full)?;
        told.await.ok().flatten().ok_or(NotRecorded::Broken)
    }

    /// Records a call that is not genuine, if there is time for it.
    pub(super) fn refuse(&self, refused: Refused) {
        // Whoever forges calls does not wait for the record, and cannot make it wait.
        let _ = self.0.try_send(Entry::Refused(refused));
    }
}

fn work(store: &Store, wake: &dyn Fn(), mut receiver: mpsc::Receiver<Entry>) {
    let mut refusals = Refusals::new();
    while let Some(first) = receiver.blocking_recv() {
        let mut batch = vec![first];
        while batch.len() < BATCH_MAX
            && let Ok(next) = receiver.try_recv()
        {
            batch.push(next);
        }
        let mut calls = Vec::new();
        for entry in batch {
            match entry {
                Entry::Call(call, tell) => calls.push((call, tell)),
                Entry::Refused(refused) => refusals.add(refused, Instant::now()),
            }
        }
        // Genuine calls first: whoever made them waits.
        record(store, wake, calls);
        refusals.write(store);
    }
}

fn record(store: &Store, wake: &dyn Fn(), calls: Vec<(Call, oneshot::Sender<Option<Recorded>>)>) {
    if calls.is_empty() {
        return;
    }
    let new: Vec<NewDelivery> = calls.iter().map(|(call, _)| call.as_new()).collect();
    let recorded = match store.record_deliveries(&new) {
        Ok(recorded) => recorded.into_iter().map(Some).collect(),
        Err(error) => {
            let error = crate::sys::error_chain(&error);
            tracing::error!(error, calls = new.len(), "calls of webhooks cannot be recorded");
            vec![None; calls.len()]
        }
    };
    let queued =
        |one: &Option<Recorded>| matches!(one, Some(Recorded::New(DeliveryOutcome::Queued, _)));
    // Before the answers, so that a build that one of them names is under way.
    if recorded.iter().any(queued) {
        wake();
    }
    for ((_, tell), recorded) in calls.into_iter().zip(recorded) {
        // Whoever called may have hung up.
        let _ = tell.send(recorded);
    }
}

impl Call {
    fn as_new(&self) -> NewDelivery<'_> {
        NewDelivery {
            repository: &self.repository,
            source: self.source,
            delivery: &self.delivery,
            event: &self.event,
            branch: &self.branch,
            commit: &self.commit,
            ignored: self.ignored.as_deref(),
        }
    }
}

/// Bounds how often refused calls are written.
#[derive(Debug)]
struct Refusals {
    allowed: f64,
    at: Instant,
    omitted: u64,
    /// To be written: each with how many before it are not.
    listed: Vec<(Refused, u64)>,
}

impl Refusals {
    fn new() -> Self {
        Self { allowed: REFUSED_AT_ONCE, at: Instant::now(), omitted: 0, listed: Vec::new() }
    }

    fn add(&mut self, refused: Refused, now: Instant) {
        let passed = now.saturating_duration_since(self.at).min(Duration::from_secs(60));
        self.allowed =
            (self.allowed + passed.as_secs_f64() * REFUSED_PER_SECOND).min(REFUSED_AT_ONCE);
        self.at = now;
        if self.allowed < 1.0 {
            self.omitted += 1;
            return;
        }
        self.allowed -= 1.0;
        self.listed.push((refused, std::mem::take(&mut self.omitted)));
    }

    /// Writes those that are to be written, in one change.
    fn write(&mut self, store: &Store) {
        if self.listed.is_empty() {
            return;
        }
        let listed = std::mem::take(&mut self.listed);
        let whys: Vec<String> =
            listed.iter().map(|(refused, omitted)| why(refused, *omitted)).collect();
        let rows = listed.iter().zip(&whys);
        let rows: Vec<(&str, &str, &str)> = rows
            .map(|((refused, _), why)| (&*refused.repository, refused.source, &**why))
            .collect();
        if let Err(error) = store.record_refusals(&rows) {
            let error = crate::sys::error_chain(&error);
            tracing::error!(error, "refused calls of webhooks cannot be recorded");
        }
    }
}

fn why(refused: &Refused, omitted: u64) -> String {
    match omitted {
        0 => refused.why.to_owned(),
        omitted => format!("{} (before it, {omitted} more that are not listed)", refused.why),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forged_calls_are_written_now_and_then_and_counted_otherwise() {
        let store = Store::in_memory();
        let mut refusals = Refusals::new();
        let start = Instant::now();
        let forged = Refused { repository: "digits".into(), source: "github", why: "forged" };
        for n in 0..5000 {
            refusals.add(forged.clone(), start + Duration::from_millis(n));
            refusals.write(&store);
        }
        let listed = store.deliveries(None, 1000).unwrap();
        assert!((40..=46).contains(&listed.len()), "{}", listed.len());
        assert!(listed[0].why.contains("more that are not listed"), "{}", listed[0].why);
    }
}
