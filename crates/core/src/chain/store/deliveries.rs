//! Webhook deliveries, and the outcome of each.

use rusqlite::{OptionalExtension, Row, Transaction, params};
use serde::Serialize;

use super::queue::{BuildRequest, Queued, enqueue};
use super::rows::{Cause, DeliveryOutcome};
use super::{Store, StoreError, now_ms};

/// How many refused deliveries are kept, so that forged ones cannot fill the disk.
const REFUSED_KEPT: u32 = 1000;

/// A genuine delivery.
#[derive(Debug, Clone, Copy)]
pub struct NewDelivery<'a> {
    /// The repository's name.
    pub repository: &'a str,
    /// Who sent it: `github`, `gitea`, `gitlab` or `generic`.
    pub source: &'a str,
    /// The sender's identifier; each is accepted once.
    pub delivery: &'a str,
    /// The event, such as `push`.
    pub event: &'a str,
    /// The branch, if it names one.
    pub branch: &'a str,
    /// The commit, if it names one.
    pub commit: &'a str,
    /// Why it starts no build; `None` if it requests one.
    pub ignored: Option<&'a str>,
}

/// A recorded delivery.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Delivery {
    /// Its place in the list.
    pub id: i64,
    /// The repository's name.
    pub repository: String,
    /// Who sent it.
    pub source: String,
    /// The sender's identifier.
    pub delivery: Option<String>,
    /// When it arrived, in milliseconds since 1970.
    pub at: i64,
    /// The event.
    pub event: String,
    /// The branch.
    pub branch: String,
    /// The commit.
    #[serde(rename = "commit")]
    pub commit_id: String,
    /// Its outcome.
    pub outcome: DeliveryOutcome,
    /// The reason of the outcome.
    pub why: String,
    /// The build that it started.
    pub build: Option<i64>,
}

/// The outcome of recording a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recorded {
    /// It is new.
    New(DeliveryOutcome, Option<i64>),
    /// It was received before, and starts no build.
    Seen,
}

impl Store {
    /// Records genuine deliveries in order, and queues their builds, in a single transaction, so that a burst waits for
    /// the disk only once. A delivery that was received before has no effect.
    ///
    /// # Errors
    ///
    /// If the database cannot be read or written, as for all methods here.
    pub fn record_deliveries(&self, new: &[NewDelivery]) -> Result<Vec<Recorded>, StoreError> {
        self.change(|change| new.iter().map(|new| record(change, new)).collect())
    }

    /// Records deliveries that are not genuine: only the repository that each names, who it claims to come from, and why
    /// it was refused. Only the newest are kept.
    pub fn record_refusals(&self, refused: &[(&str, &str, &str)]) -> Result<(), StoreError> {
        self.change(|change| {
            for (repository, source, why) in refused {
                change.execute(
                    "INSERT INTO delivery (repository, source, delivery, at, event, branch, commit_id, outcome, why)
                     VALUES (?1, ?2, NULL, ?3, '', '', '', 'refused', ?4)",
                    params![repository, source, now_ms(), why],
                )?;
            }
            change.execute(
                "DELETE FROM delivery WHERE outcome = 'refused' AND id <=
                   (SELECT id FROM delivery WHERE outcome = 'refused' ORDER BY id DESC LIMIT 1 OFFSET ?1)",
                [REFUSED_KEPT],
            )?;
            Ok(())
        })
    }

    /// The newest deliveries below a number, newest first.
    pub fn deliveries(&self, below: Option<i64>, most: u32) -> Result<Vec<Delivery>, StoreError> {
        let connection = self.connection();
        let mut statement = connection.prepare_cached(
            "SELECT id, repository, source, delivery, at, event, branch, commit_id, outcome, why, build
             FROM delivery WHERE id < ?1 ORDER BY id DESC LIMIT ?2",
        )?;
        let delivery = |row: &Row| {
            Ok(Delivery {
                id: row.get(0)?,
                repository: row.get(1)?,
                source: row.get(2)?,
                delivery: row.get(3)?,
                at: row.get(4)?,
                event: row.get(5)?,
                branch: row.get(6)?,
                commit_id: row.get(7)?,
                outcome: row.get(8)?,
                why: row.get(9)?,
                build: row.get(10)?,
            })
        };
        let rows = statement.query_map(params![below.unwrap_or(i64::MAX), most], delivery)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}

fn record(change: &Transaction, new: &NewDelivery) -> rusqlite::Result<Recorded> {
    let seen: Option<i64> = change
        .query_row(
            "SELECT id FROM delivery WHERE repository = ?1 AND source = ?2 AND delivery = ?3",
            [new.repository, new.source, new.delivery],
            |row| row.get(0),
        )
        .optional()?;
    if seen.is_some() {
        return Ok(Recorded::Seen);
    }
    let (outcome, why, build) = match new.ignored {
        Some(why) => (DeliveryOutcome::Ignored, why.to_owned(), None),
        None => {
            let NewDelivery { repository, branch, commit, .. } = *new;
            match enqueue(change, BuildRequest { repository, branch, commit, cause: Cause::Push })?
            {
                Queued::New(id) => {
                    (DeliveryOutcome::Queued, format!("started build {id}"), Some(id))
                }
                Queued::Known(id) => {
                    (DeliveryOutcome::Known, format!("the commit already has build {id}"), Some(id))
                }
            }
        }
    };
    change.execute(
        "INSERT INTO delivery (repository, source, delivery, at, event, branch, commit_id, outcome, why, build)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        params![
            new.repository, new.source, new.delivery, now_ms(), new.event, new.branch, new.commit, outcome,
            why, build
        ],
    )?;
    Ok(Recorded::New(outcome, build))
}

#[cfg(test)]
mod tests;
