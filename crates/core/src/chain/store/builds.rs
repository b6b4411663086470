//! Reads builds, and records their progress.

use rusqlite::{OptionalExtension, Row, params};

use super::rows::{BuildRow, BuildState, StageName, StageRow, StageState, Verdict};
use super::{Store, StoreError, now_ms};

const COLUMNS: &str = "id, repository, branch, commit_id, cause, state, verdict, why, author, message, accuracy, \
     threshold, run, created, started, ended, stop_asked, superseded_by, starts, told, cleared, verdicts";

fn row(row: &Row) -> rusqlite::Result<BuildRow> {
    Ok(BuildRow {
        id: row.get(0)?,
        repository: row.get(1)?,
        branch: row.get(2)?,
        commit_id: row.get(3)?,
        cause: row.get(4)?,
        state: row.get(5)?,
        verdict: row.get(6)?,
        why: row.get(7)?,
        author: row.get(8)?,
        message: row.get(9)?,
        accuracy: row.get(10)?,
        threshold: row.get(11)?,
        run: row.get(12)?,
        created: row.get(13)?,
        started: row.get(14)?,
        ended: row.get(15)?,
        stop_asked: row.get(16)?,
        superseded_by: row.get(17)?,
        starts: row.get(18)?,
        told: row.get(19)?,
        cleared: row.get(20)?,
        verdicts: row.get(21)?,
    })
}

impl Store {
    fn select(
        &self,
        rest: &str,
        values: impl rusqlite::Params,
    ) -> Result<Vec<BuildRow>, StoreError> {
        let connection = self.connection();
        let mut statement =
            connection.prepare_cached(&format!("SELECT {COLUMNS} FROM build {rest}"))?;
        let rows = statement.query_map(values, row)?.collect::<Result<_, _>>()?;
        Ok(rows)
    }

    /// The newest builds below a number, newest first: of one repository, or of all.
    ///
    /// # Errors
    ///
    /// If the database cannot be read, as for all methods here.
    pub fn builds(
        &self,
        repository: Option<&str>,
        below: Option<i64>,
        most: u32,
    ) -> Result<Vec<BuildRow>, StoreError> {
        self.select(
            "WHERE (?1 IS NULL OR repository = ?1) AND id < ?2 ORDER BY id DESC LIMIT ?3",
            params![repository, below.unwrap_or(i64::MAX), most],
        )
    }

    /// One build.
    pub fn build(&self, id: i64) -> Result<Option<BuildRow>, StoreError> {
        Ok(self.select("WHERE id = ?1", [id])?.pop())
    }

    /// All builds in a state, oldest first.
    pub fn in_state(&self, state: BuildState) -> Result<Vec<BuildRow>, StoreError> {
        self.select("WHERE state = ?1 ORDER BY id", [state])
    }

    /// Ended builds whose messages are not queued yet, oldest first.
    pub fn untold(&self) -> Result<Vec<BuildRow>, StoreError> {
        self.select("WHERE state = 'ended' AND told = 0 ORDER BY id", [])
    }

    /// Builds whose outbox may hold messages that are not sent yet, oldest first.
    pub fn unsent(&self) -> Result<Vec<BuildRow>, StoreError> {
        self.select("WHERE told = 1 ORDER BY id", [])
    }

    /// Builds whose current commit status was not posted yet, oldest first.
    pub fn without_status(&self) -> Result<Vec<BuildRow>, StoreError> {
        self.select(
            "WHERE (state = 'ended' AND coalesce(status, 'pending') = 'pending') OR (state <> 'ended' AND status IS NULL)
             ORDER BY id",
            [],
        )
    }

    /// Ended builds whose files still exist, oldest first, except for the newest of the repository and the one whose
    /// model is published.
    pub fn clearable(&self, repository: &str) -> Result<Vec<BuildRow>, StoreError> {
        self.select(
            "WHERE repository = ?1 AND state = 'ended' AND cleared = 0 AND told = 2
               AND id < (SELECT max(id) FROM build WHERE repository = ?1)
               AND id <> coalesce((SELECT max(id) FROM build WHERE repository = ?1 AND verdict = 'accepted'), 0)
             ORDER BY id",
            [repository],
        )
    }

    /// The stages of a build that have begun, in order.
    pub fn stages(&self, build: i64) -> Result<Vec<StageRow>, StoreError> {
        let connection = self.connection();
        let mut statement = connection.prepare_cached(
            "SELECT name, state, started, ended, note FROM stage WHERE build = ?1",
        )?;
        let stage = |row: &Row| {
            Ok(StageRow {
                name: row.get(0)?,
                state: row.get(1)?,
                started: row.get(2)?,
                ended: row.get(3)?,
                note: row.get(4)?,
            })
        };
        let mut stages: Vec<StageRow> =
            statement.query_map([build], stage)?.collect::<Result<_, _>>()?;
        stages.sort_by_key(|stage| StageName::ALL.iter().position(|name| *name == stage.name));
        Ok(stages)
    }

    /// The median time of a stage over the last ten builds of a repository that completed it, in milliseconds.
    pub fn median_ms(&self, repository: &str, stage: StageName) -> Result<Option<i64>, StoreError> {
        let connection = self.connection();
        let mut statement = connection.prepare_cached(
            "SELECT stage.ended - stage.started FROM stage JOIN build ON build.id = stage.build
             WHERE build.repository = ?1 AND stage.name = ?2 AND stage.state = 'done'
             ORDER BY build.id DESC LIMIT 10",
        )?;
        let mut times: Vec<i64> = statement
            .query_map(params![repository, stage], |row| row.get(0))?
            .collect::<Result<_, _>>()?;
        times.sort_unstable();
        Ok(times.get(times.len() / 2).copied())
    }

    /// The verdict of the newest earlier build of the repository that was judged or failed.
    pub fn verdict_before(&self, build: &BuildRow) -> Result<Option<Verdict>, StoreError> {
        let connection = self.connection();
        let verdict = connection
            .query_row(
                "SELECT verdict FROM build WHERE repository = ?1 AND id < ?2
                   AND verdict IN ('accepted', 'not-passed', 'failed') ORDER BY id DESC LIMIT 1",
                params![build.repository, build.id],
                |row| row.get(0),
            )
            .optional()?;
        Ok(verdict)
    }

    /// Whether a commit of a branch has a build, with any verdict.
    pub fn is_known(
        &self,
        repository: &str,
        branch: &str,
        commit: &str,
    ) -> Result<bool, StoreError> {
        let connection = self.connection();
        let known = connection.query_row(
            "SELECT EXISTS (SELECT 1 FROM build WHERE repository = ?1 AND branch = ?2 AND commit_id = ?3)",
            [repository, branch, commit],
            |row| row.get(0),
        )?;
        Ok(known)
    }

    /// Records that a queued build starts or resumes. False if it has ended, because it was cancelled or superseded since
    /// it was read.
    pub fn start(&self, build: i64) -> Result<bool, StoreError> {
        self.change(|change| {
            let changed = change.execute(
                "UPDATE build SET state = 'running', starts = starts + 1, started = coalesce(started, ?2)
                 WHERE id = ?1 AND state <> 'ended'",
                params![build, now_ms()],
            )?;
            Ok(changed > 0)
        })
    }

    /// Records that a stage begins. One that had begun before the service stopped is restarted; the time of one that had
    /// ended counts anew, without the pause before the build was resumed.
    pub fn begin_stage(&self, build: i64, stage: StageName) -> Result<(), StoreError> {
        self.change(|change| {
            change.execute(
                "INSERT INTO stage (build, name, state, started) VALUES (?1, ?2, 'running', ?3)
                 ON CONFLICT (build, name) DO UPDATE SET state = 'running', note = '', ended = NULL,
                   started = CASE WHEN ended IS NULL THEN started ELSE excluded.started END",
                params![build, stage, now_ms()],
            )?;
            Ok(())
        })
    }

    /// Changes what is said of a stage.
    pub fn set_note(&self, build: i64, stage: StageName, note: &str) -> Result<(), StoreError> {
        self.change(|change| {
            let set = "UPDATE stage SET note = ?3 WHERE build = ?1 AND name = ?2";
            change.execute(set, params![build, stage, note]).map(drop)
        })
    }

    /// Records the outcome of a stage.
    pub fn end_stage(
        &self,
        build: i64,
        stage: StageName,
        state: StageState,
        note: &str,
    ) -> Result<(), StoreError> {
        self.change(|change| {
            change.execute(
                "UPDATE stage SET state = ?3, ended = ?4, note = ?5 WHERE build = ?1 AND name = ?2",
                params![build, stage, state, now_ms(), note],
            )?;
            Ok(())
        })
    }

    /// Records the commit of a build, its author and its message.
    pub fn set_commit(
        &self,
        build: i64,
        commit: &str,
        author: &str,
        message: &str,
    ) -> Result<(), StoreError> {
        self.change(|change| {
            change.execute(
                "UPDATE build SET commit_id = ?2, author = ?3, message = ?4 WHERE id = ?1",
                params![build, commit, author, message],
            )?;
            Ok(())
        })
    }

    /// Records the run folder of a build.
    pub fn set_run(&self, build: i64, run: &str) -> Result<(), StoreError> {
        self.change(|change| {
            change.execute("UPDATE build SET run = ?2 WHERE id = ?1", params![build, run])?;
            Ok(())
        })
    }

    /// Records the accuracy of a build, and that of its gate.
    pub fn set_accuracy(
        &self,
        build: i64,
        accuracy: Option<f64>,
        threshold: Option<f64>,
    ) -> Result<(), StoreError> {
        self.change(|change| {
            change.execute(
                "UPDATE build SET accuracy = ?2, threshold = ?3 WHERE id = ?1",
                params![build, accuracy, threshold],
            )?;
            Ok(())
        })
    }

    /// Records the verdict of a build, unless it has one already.
    pub fn end(&self, build: i64, verdict: Verdict, why: &str) -> Result<(), StoreError> {
        self.change(|change| {
            change.execute(
                "UPDATE build SET state = 'ended', verdict = ?2, why = ?3, ended = ?4, verdicts = verdicts + 1
                 WHERE id = ?1 AND state <> 'ended'",
                params![build, verdict, why, now_ms()],
            )?;
            Ok(())
        })
    }

    /// Records that the messages about this verdict of a build are in its outbox. A build that was reopened meanwhile is
    /// left as it is: its next verdict is still to be announced.
    pub fn set_told(&self, build: &BuildRow) -> Result<(), StoreError> {
        self.change(|change| {
            change.execute(
                "UPDATE build SET told = 1 WHERE id = ?1 AND state = 'ended' AND verdicts = ?2",
                params![build.id, build.verdicts],
            )?;
            Ok(())
        })
    }

    /// Records that all messages about this verdict of a build were sent or permanently rejected.
    pub fn set_sent(&self, build: &BuildRow) -> Result<(), StoreError> {
        self.change(|change| {
            change.execute(
                "UPDATE build SET told = 2 WHERE id = ?1 AND told = 1 AND verdicts = ?2",
                params![build.id, build.verdicts],
            )?;
            Ok(())
        })
    }

    /// Records which commit status of a build was posted. A build whose state has changed meanwhile is left as it is, so
    /// that the new status is posted too.
    pub fn set_status(&self, build: &BuildRow, status: &str) -> Result<(), StoreError> {
        self.change(|change| {
            change.execute(
                "UPDATE build SET status = ?2
                 WHERE id = ?1 AND verdicts = ?3 AND (state = 'ended') = ?4",
                params![build.id, status, build.verdicts, build.state == BuildState::Ended],
            )?;
            Ok(())
        })
    }

    /// Records that the files of an ended build are being removed. False if it was reopened meanwhile.
    pub fn set_cleared(&self, build: i64) -> Result<bool, StoreError> {
        self.change(|change| {
            let changed = change.execute(
                "UPDATE build SET cleared = 1 WHERE id = ?1 AND state = 'ended'",
                [build],
            )?;
            Ok(changed > 0)
        })
    }
}

#[cfg(test)]
mod tests;
