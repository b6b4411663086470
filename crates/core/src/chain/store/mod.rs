//! The database of deliveries and builds, in one SQLite file on a local disk.
//!
//! Invariant: whatever a method changed is on disk when it returns, and several rows are changed in one transaction.

mod builds;
mod deliveries;
mod listing;
mod queue;
mod rows;

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use rusqlite::Connection;
use tokio::sync::watch;

pub use deliveries::{Delivery, NewDelivery, Recorded};
pub use listing::Measured;
pub use queue::{BuildRequest, Queued};
pub use rows::{
    BuildRow, BuildState, Cause, DeliveryOutcome, StageName, StageRow, StageState, Verdict,
};

/// The version of the tables. A newer one than this program knows is refused.
const VERSION: i64 = 1;

/// Why the database cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Its folder cannot be created.
    #[error("cannot create the folder {}", folder.display())]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// SQLite reported an error.
    #[error("the database burgeon.sqlite of the service cannot be read or written")]
    Database(#[from] rusqlite::Error),
    /// It was written by a newer program.
    #[error(
        "the database has version {found}, but this burgeon knows only versions up to {VERSION}; use a newer burgeon"
    )]
    Newer {
        /// Its version.
        found: i64,
    },
}

/// The database.
#[derive(Debug)]
pub struct Store {
    connection: Mutex<Connection>,
    changes: watch::Sender<u64>,
}

impl Store {
    /// Opens the database, or creates it.
    ///
    /// # Errors
    ///
    /// If it cannot be opened, or a newer version of burgeon created it.
    pub fn open(file: &Path) -> Result<Self, StoreError> {
        if let Some(folder) = file.parent() {
            std::fs::create_dir_all(folder)
                .map_err(|source| StoreError::Folder { folder: folder.into(), source })?;
        }
        Self::with(Connection::open(file)?)
    }

    /// A database in memory, for tests.
    #[cfg(test)]
    pub fn in_memory() -> Self {
        Self::with(Connection::open_in_memory().unwrap()).unwrap()
    }

    /// Keeps everybody else from the record for as long as it is there, for tests.
    #[cfg(test)]
    pub fn hold(&self) -> impl Drop + '_ {
        self.connection()
    }

    fn with(connection: Connection) -> Result<Self, StoreError> {
        connection.busy_timeout(Duration::from_secs(10))?;
        // In the write-ahead log, and synced with every commit.
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.pragma_update(None, "foreign_keys", true)?;
        let found: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
        match found {
            0 => {
                let tables = include_str!("tables.sql");
                connection.execute_batch(&format!(
                    "BEGIN IMMEDIATE;{tables}PRAGMA user_version = {VERSION};COMMIT;"
                ))?;
            }
            VERSION => {}
            found => return Err(StoreError::Newer { found }),
        }
        Ok(Self { connection: Mutex::new(connection), changes: watch::channel(0).0 })
    }

    /// The number of changes; each change wakes those who wait on it.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    fn connection(&self) -> MutexGuard<'_, Connection> {
        // A thread that panicked left no partial change: SQLite rolls it back.
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes a change in one transaction, and wakes those who wait for changes.
    fn change<T>(
        &self,
        change: impl FnOnce(&rusqlite::Transaction) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        let mut connection = self.connection();
        let transaction =
            connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
        let changed = change(&transaction)?;
        transaction.commit()?;
        drop(connection);
        self.changes.send_modify(|count| *count = count.wrapping_add(1));
        Ok(changed)
    }
}

/// The current time in milliseconds since 1970, as times are stored.
fn now_ms() -> i64 {
    Timestamp::now().as_millisecond()
}
