//! The open connections: their number is limited by closing the one that has been idle for longest for a new one.
//!
//! Invariant: a connection is closed for another one only while it is idle.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tokio::sync::Notify;

/// All open connections.
#[derive(Debug)]
pub(super) struct Connections {
    open: Mutex<Open>,
    most: usize,
}

#[derive(Debug, Default)]
struct Open {
    next: u64,
    entries: HashMap<u64, Entry>,
}

#[derive(Debug)]
struct Entry {
    close: Arc<Notify>,
    /// How many operations are in progress for it.
    tasks: usize,
    since: Instant,
}

/// One open connection, until it is dropped.
#[derive(Debug)]
pub(super) struct Connection {
    all: Arc<Connections>,
    id: u64,
    close: Arc<Notify>,
}

/// Marks a connection as busy until it is dropped.
#[derive(Debug)]
pub(super) struct BusyGuard(Arc<Connection>);

impl Connections {
    /// At most this many.
    pub(super) fn new(most: usize) -> Arc<Self> {
        Arc::new(Self { open: Mutex::default(), most: most.max(1) })
    }

    /// Admits a connection, and closes the one that has been idle for longest if there are too many. `None` if all are
    /// busy.
    pub(super) fn enter(self: &Arc<Self>) -> Option<Arc<Connection>> {
        let mut open = self.lock();
        if open.entries.len() >= self.most {
            open.close_one()?;
        }
        let id = open.next;
        open.next += 1;
        let close = Arc::new(Notify::new());
        let entry = Entry { close: Arc::clone(&close), tasks: 0, since: Instant::now() };
        open.entries.insert(id, entry);
        Some(Arc::new(Connection { all: Arc::clone(self), id, close }))
    }

    /// Closes the connection that has been idle for longest, if one is.
    pub(super) fn close_one(&self) {
        let _ = self.lock().close_one();
    }

    /// How many are open.
    pub(super) fn count(&self) -> usize {
        self.lock().entries.len()
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Open {
    fn close_one(&mut self) -> Option<()> {
        let idle = self.entries.iter().filter(|(_, entry)| entry.tasks == 0);
        let (id, _) = idle.min_by_key(|(_, entry)| entry.since)?;
        let id = *id;
        let entry = self.entries.remove(&id)?;
        entry.close.notify_one();
        Some(())
    }
}

impl Connection {
    /// Marks the connection as busy.
    pub(super) fn busy(self: &Arc<Self>) -> BusyGuard {
        if let Some(entry) = self.all.lock().entries.get_mut(&self.id) {
            entry.tasks += 1;
        }
        BusyGuard(Arc::clone(self))
    }

    /// Waits until it has to be closed for another one.
    pub(super) async fn closed(&self) {
        self.close.notified().await;
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.all.lock().entries.remove(&self.id);
    }
}

impl Drop for BusyGuard {
    fn drop(&mut self) {
        if let Some(entry) = self.0.all.lock().entries.get_mut(&self.0.id) {
            entry.tasks = entry.tasks.saturating_sub(1);
            entry.since = Instant::now();
        }
    }
}

#[cfg(test)]
mod tests;
