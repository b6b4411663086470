//! Putting builds into the queue, and taking them out of it.

use rusqlite::{OptionalExtension, Transaction, params};

use super::rows::{BuildRow, BuildState, Cause};
use super::{Store, StoreError, now_ms};

/// A request for a build.
#[derive(Debug, Clone, Copy)]
pub struct BuildRequest<'a> {
    /// The repository's name.
    pub repository: &'a str,
    /// The branch.
    pub branch: &'a str,
    /// The commit; empty for the newest one of the branch.
    pub commit: &'a str,
    /// The cause.
    pub cause: Cause,
}

/// The outcome of a request for a build.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Queued {
    /// It is queued with this number.
    New(i64),
    /// The commit already has the build with this number.
    Known(i64),
}

impl Store {
    /// Queues a build. It supersedes older builds of the same branch that still wait. A commit that has a build gets no
    /// other one, unless a user requests it.
    ///
    /// # Errors
    ///
    /// If the database cannot be written, as for all methods here.
    pub fn enqueue(&self, request: BuildRequest) -> Result<Queued, StoreError> {
        self.change(|change| enqueue(change, request))
    }

    /// The queued builds that may start now, oldest first: those of repositories without a running build.
    pub fn startable(&self) -> Result<Vec<BuildRow>, StoreError> {
        let running = self.in_state(BuildState::Running)?;
        let mut taken: Vec<String> = running.into_iter().map(|build| build.repository).collect();
        let mut startable = Vec::new();
        for build in self.in_state(BuildState::Queued)? {
            if !taken.contains(&build.repository) {
                taken.push(build.repository.clone());
                startable.push(build);
            }
        }
        Ok(startable)
    }

    /// Cancels a build: a waiting one ends at once, a running one is stopped by its thread. False if it has ended
    /// already.
    pub fn ask_to_stop(&self, build: i64) -> Result<bool, StoreError> {
        self.change(|change| {
            let waited = change.execute(
                "UPDATE build SET state = 'ended', verdict = 'cancelled', why = 'cancelled before it started', ended = ?2,
                   verdicts = verdicts + 1
                 WHERE id = ?1 AND state = 'queued'",
                params![build, now_ms()],
            )?;
            let ran = change
                .execute("UPDATE build SET stop_asked = 1 WHERE id = ?1 AND state = 'running'", [build])?;
            Ok(waited + ran > 0)
        })
    }

    /// Queues a build that failed or was cancelled again, to resume at the stage where it ended: a study resumes its
    /// training, while a program whose accuracy was not measured restarts. False if there is no such build, or its files
    /// were removed.
    pub fn reopen(&self, build: i64) -> Result<bool, StoreError> {
        self.change(|change| {
            let changed = change.execute(
                "UPDATE build SET state = 'queued', verdict = NULL, why = '', ended = NULL, stop_asked = 0, told = 0,
                   status = NULL
                 WHERE id = ?1 AND state = 'ended' AND verdict IN ('failed', 'cancelled') AND cleared = 0",
                [build],
            )?;
            // Its verdict is told again.
            let told = "DELETE FROM stage WHERE build = ?1 AND name = 'notify'";
            if changed > 0 {
                change.execute(told, [build])?;
            }
            Ok(changed > 0)
        })
    }

    /// Queues a new build of the commit of an ended build. `None` if there is no such ended build.
    pub fn retry(&self, build: i64) -> Result<Option<Queued>, StoreError> {
        self.change(|change| {
            let old: Option<(String, String, String)> = change
                .query_row(
                    "SELECT repository, branch, commit_id FROM build WHERE id = ?1 AND state = 'ended'",
                    [build],
                    |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
                )
                .optional()?;
            let Some((repository, branch, commit)) = old else { return Ok(None) };
            let (repository, branch, commit) = (&*repository, &*branch, &*commit);
            enqueue(change, BuildRequest { repository, branch, commit, cause: Cause::Retry }).map(Some)
        })
    }
}

pub(super) fn enqueue(change: &Transaction, request: BuildRequest) -> rusqlite::Result<Queued> {
    let BuildRequest { repository, branch, commit, cause } = request;
    let known: Option<(i64, BuildState)> = change
        .query_row(
            "SELECT id, state FROM build WHERE repository = ?1 AND branch = ?2 AND commit_id = ?3
             ORDER BY id DESC LIMIT 1",
            [repository, branch, commit],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .optional()?;
    let by_hand = matches!(cause, Cause::Asked | Cause::Retry);
    match known {
        Some((id, BuildState::Queued)) => return Ok(Queued::Known(id)),
        Some((id, BuildState::Running | BuildState::Ended)) if !by_hand && !commit.is_empty() => {
            return Ok(Queued::Known(id));
        }
        _ => {}
    }
    let now = now_ms();
    change.execute(
        "INSERT INTO build (repository, branch, commit_id, cause, state, created)
         VALUES (?1, ?2, ?3, ?4, 'queued', ?5)",
        params![repository, branch, commit, cause, now],
    )?;
    let id = change.last_insert_rowid();
    change.execute(
        "UPDATE build SET state = 'ended', verdict = 'superseded', superseded_by = ?1, ended = ?2, verdicts = verdicts + 1,
           why = 'superseded by build ' || ?1 || ', of a newer push'
         WHERE repository = ?3 AND branch = ?4 AND state = 'queued' AND id < ?1",
        params![id, now, repository, branch],
    )?;
    Ok(Queued::New(id))
}

#[cfg(test)]
mod tests;
