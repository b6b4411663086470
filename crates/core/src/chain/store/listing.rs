//! Data for lists of builds, read for many builds at once.

use rusqlite::{Row, params};

use super::rows::{StageName, StageRow, Verdict};
use super::{Store, StoreError};

/// A build whose accuracy was measured.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Measured {
    /// Its number.
    pub build: i64,
    /// Its accuracy, 0..=1.
    pub accuracy: f64,
    /// The accuracy of its gate, 0..=1.
    pub threshold: Option<f64>,
    /// Its verdict; `None` while it runs.
    pub verdict: Option<Verdict>,
    /// When it was queued, in milliseconds since 1970.
    pub created: i64,
}

impl Store {
    /// The stages of these builds, by build and in order.
    ///
    /// # Errors
    ///
    /// If the database cannot be read, as for all methods here.
    pub fn stages_of(&self, builds: &[i64]) -> Result<Vec<(i64, StageRow)>, StoreError> {
        let connection = self.connection();
        let mut statement = connection.prepare_cached(
            "SELECT build, name, state, started, ended, note FROM stage
             WHERE build IN (SELECT value FROM json_each(?1))",
        )?;
        // Numbers in brackets are JSON.
        let builds = format!("{builds:?}");
        let stage = |row: &Row| {
            let stage = StageRow {
                name: row.get(1)?,
                state: row.get(2)?,
                started: row.get(3)?,
                ended: row.get(4)?,
                note: row.get(5)?,
            };
            Ok((row.get(0)?, stage))
        };
        let mut stages: Vec<(i64, StageRow)> =
            statement.query_map([builds], stage)?.collect::<Result<_, _>>()?;
        let place = |stage: &StageRow| StageName::ALL.iter().position(|name| *name == stage.name);
        stages.sort_by_key(|(build, stage)| (*build, place(stage)));
        Ok(stages)
    }

    /// The newest builds of a repository with an accuracy, oldest first.
    pub fn measured(&self, repository: &str, most: u32) -> Result<Vec<Measured>, StoreError> {
        let connection = self.connection();
        let mut statement = connection.prepare_cached(
            "SELECT id, accuracy, threshold, verdict, created FROM build
             WHERE repository = ?1 AND accuracy IS NOT NULL ORDER BY id DESC LIMIT ?2",
        )?;
        let measured = |row: &Row| {
            Ok(Measured {
                build: row.get(0)?,
                accuracy: row.get(1)?,
                threshold: row.get(2)?,
                verdict: row.get(3)?,
                created: row.get(4)?,
            })
        };
        let mut found: Vec<Measured> =
            statement.query_map(params![repository, most], measured)?.collect::<Result<_, _>>()?;
        found.reverse();
        Ok(found)
    }
}

#[cfg(test)]
mod tests;
