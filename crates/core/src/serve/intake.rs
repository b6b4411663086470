//! Records webhook deliveries: one thread writes all that wait in one transaction, so that a burst waits for the disk a
//! few times instead of once for each delivery.
//!
//! Invariant: a delivery is answered after it is on disk.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot};

use crate::chain::{DeliveryOutcome, NewDelivery, Recorded, Store};

/// Most deliveries that wait; more are told to retry.
const WAITING_MAX: usize = 2048;
/// Most deliveries in one transaction.
const BATCH_MAX: usize = 256;
/// How many refused deliveries are recorded in a burst, and per second after that; the others are only counted.
const REFUSED_AT_ONCE: f64 = 20.0;
const REFUSED_PER_SECOND: f64 = 5.0;

/// A genuine delivery to record.
#[derive(Debug, Clone, Default)]
pub(super) struct Call {
    /// The repository's name.
    pub(super) repository: String,
    /// Who sent it.
    pub(super) source: &'static str,
    /// The sender's identifier.
    pub(super) delivery: String,
    /// The event.
    pub(super) event: String,
    /// The branch, or empty.
    pub(super) branch: String,
    /// The commit, or empty.
    pub(super) commit: String,
    /// Why it starts no build.
    pub(super) ignored: Option<String>,
}

/// A delivery that is not genuine.
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

/// The queue of the thread that records deliveries.
#[derive(Debug, Clone)]
pub(super) struct Intake(mpsc::Sender<Entry>);

/// Why a delivery was not recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NotRecorded {
    /// Too many wait.
    Full,
    /// The database cannot be written.
    Broken,
}

impl Intake {
    /// Starts the thread, which ends when the queue is dropped. `wake` is called when builds were queued.
    pub(super) fn start(
        store: Arc<Store>,
        wake: Arc<dyn Fn() + Send + Sync>,
    ) -> std::io::Result<(Self, JoinHandle<()>)> {
        let (sender, receiver) = mpsc::channel(WAITING_MAX);
        let thread = std::thread::Builder::new().name("deliveries".into());
        let thread = thread.spawn(move || work(&store, &*wake, receiver))?;
        Ok((Self(sender), thread))
    }

    /// Records a delivery, and returns once it is on disk.
    pub(super) async fn record(&self, call: Call) -> Result<Recorded, NotRecorded> {
        let (tell, told) = oneshot::channel();
        self.0.try_send(Entry::Call(call, tell)).map_err(|_| NotRecorded::Full)?;
        told.await.ok().flatten().ok_or(NotRecorded::Broken)
    }

    /// Records a delivery that is not genuine, if the queue has room.
    pub(super) fn refuse(&self, refused: Refused) {
        // A forger neither waits for the database nor delays it.
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
        // Genuine deliveries first: their senders wait.
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
            tracing::error!(error, calls = new.len(), "cannot record webhook deliveries");
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
        // The sender may have disconnected.
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

/// Limits how many refused deliveries are recorded.
#[derive(Debug)]
struct Refusals {
    allowed: f64,
    at: Instant,
    omitted: u64,
    /// Those to record, each with the number of omitted ones before it.
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

    /// Records the waiting ones in one transaction.
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
            tracing::error!(error, "cannot record refused webhook deliveries");
        }
    }
}

fn why(refused: &Refused, omitted: u64) -> String {
    match omitted {
        0 => refused.why.to_owned(),
        omitted => format!("{} ({omitted} earlier ones are not listed)", refused.why),
    }
}

#[cfg(test)]
mod tests;
