//! The files of a task, which the study's process and its jobs share; the documentation of the module lists them.
//!
//! Reading has three outcomes: the file does not exist, its content, or it cannot be read now. Only the first means that
//! something has not happened.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::retry::RetryCause;
use super::task::{Outcome, Task};
use crate::sys::files::{FileError, Files, WriteMode};

/// The id of an attempt, which is its fencing token: later ones are greater, and only the greatest counts.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
pub(crate) struct AttemptId {
    /// The submission that it belongs to, counted from 1.
    pub(crate) submission: u32,
    /// Its number among the attempts of that submission, counted from 1.
    pub(crate) claim: u32,
}

impl fmt::Display for AttemptId {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{:04}-{:02}", self.submission, self.claim)
    }
}

impl AttemptId {
    fn named(text: &str) -> Option<Self> {
        let (submission, claim) = text.split_once('-')?;
        let id = Self { submission: submission.parse().ok()?, claim: claim.parse().ok()? };
        // Only the canonical spelling, so that no two files have the same id.
        (id.to_string() == text).then_some(id)
    }
}

/// The attempts at one task.
#[derive(Debug, Clone)]
pub(crate) struct Attempts {
    files: Arc<dyn Files>,
    folder: PathBuf,
}

/// The process that made an attempt: the content of its claim. It is only informative.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Claimant {
    /// The node's name, as the scheduler calls it.
    pub(crate) node: String,
    pub(crate) pid: u32,
    /// The scheduler's id of the job, if jobs know their id.
    pub(crate) job: Option<String>,
    /// The time by the node's own clock, which may be wrong.
    pub(crate) at: Timestamp,
}

/// The node and the job of this process, according to the environment that schedulers set.
pub(crate) fn this_node() -> Claimant {
    let given = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let named = ["BURGEON_NODE", "SLURMD_NODENAME"].into_iter().find_map(given);
    Claimant {
        node: named.unwrap_or_else(crate::sys::process::host_name),
        pid: std::process::id(),
        job: ["BURGEON_JOB_ID", "SLURM_JOB_ID"].into_iter().find_map(given),
        at: Timestamp::now(),
    }
}

/// A submission: the content of its file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Submission {
    /// The job's name.
    pub(super) name: String,
    /// The time by the clock of the study's machine.
    pub(super) at: Timestamp,
}

#[derive(Debug, Serialize, Deserialize)]
struct JobId {
    id: String,
}

/// Why a submission failed, as judged by the study: the content of `over-*.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct FailedSubmission {
    pub(super) cause: RetryCause,
    pub(super) why: String,
    pub(super) node: Option<String>,
}

/// How an attempt ended, as it reports itself: the content of `end.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct AttemptEnd {
    pub(crate) end: End,
    /// Its seconds on the node, by that node's monotonic clock.
    pub(crate) seconds: f64,
}

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum End {
    /// With a result.
    Published(Outcome),
    /// At the request of the scheduler or the study, with its state saved.
    Interrupted,
    /// With a failure of the trial itself.
    Failed(String),
    /// The node cannot train it.
    Unfit(String),
    /// Because a newer attempt had begun.
    #[serde(rename = "lost")]
    Superseded,
}

/// The content of the folder of a task.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Listing {
    pub(super) submissions: Vec<u32>,
    /// Those of them that failed.
    pub(super) failed: Vec<u32>,
    /// The last submission of each time that the study ended with an error.
    pub(super) gave_up: Vec<u32>,
    /// Ascending.
    pub(super) claims: Vec<AttemptId>,
}

const LIMIT_BYTES: u64 = 64 << 20;
const TASK: &str = "task.json";
const ACCEPTED: &str = "accepted.json";
const END: &str = "end.json";

impl Attempts {
    /// The attempts in this folder, which need not exist.
    pub(crate) fn in_folder(files: &Arc<dyn Files>, folder: impl Into<PathBuf>) -> Self {
        Self { files: Arc::clone(files), folder: folder.into() }
    }

    pub(super) fn list(&self) -> Result<Listing, FileError> {
        let names = match self.files.list(&self.folder) {
            Err(error) if error.is_not_found() => return Ok(Listing::default()),
            other => other?,
        };
        let mut listing = Listing::default();
        for name in names {
            let Some(stem) = name.strip_suffix(".json") else { continue };
            let number = |prefix| stem.strip_prefix(prefix).and_then(number);
            if let Some(id) = stem.strip_prefix("claim-").and_then(AttemptId::named) {
                listing.claims.push(id);
            } else if let Some(submission) = number("submission-") {
                listing.submissions.push(submission);
            } else if let Some(submission) = number("over-") {
                listing.failed.push(submission);
            } else if let Some(submission) = number("gave-up-") {
                listing.gave_up.push(submission);
            }
        }
        listing.claims.sort_unstable();
        let Listing { submissions, failed, gave_up, .. } = &mut listing;
        for numbers in [submissions, failed, gave_up] {
            numbers.sort_unstable();
        }
        Ok(listing)
    }

    /// The script of a submission's job.
    pub(super) fn script(&self, submission: u32) -> PathBuf {
        self.folder.join(format!("submission-{submission:04}.sh"))
    }

    /// The output file of a submission's job.
    pub(super) fn output(&self, submission: u32) -> PathBuf {
        self.folder.join(format!("submission-{submission:04}.out"))
    }

    /// Writes the task; only the study's process does so, before it submits.
    pub(super) fn write_task(&self, task: &[u8]) -> Result<(), FileError> {
        self.files.create_folders(&self.folder)?;
        self.files.write_atomically(&self.folder.join(TASK), task)
    }

    /// The task.
    pub(crate) fn task(&self) -> Result<Task, String> {
        let path = self.folder.join(TASK);
        let bytes = self.files.read(&path, LIMIT_BYTES).map_err(|error| error.to_string())?;
        serde_json::from_slice(&bytes).map_err(|error| format!("{}: {error}", path.display()))
    }

    /// Creates the file of a submission, and its script, before its job is submitted.
    pub(super) fn begin(
        &self,
        number: u32,
        submission: &Submission,
        script: &str,
    ) -> Result<(), FileError> {
        self.files.write_atomically(&self.script(number), script.as_bytes())?;
        match self.create(&format!("submission-{number:04}.json"), submission) {
            // Written by this process before a network error lost the response: only one process may submit.
            Err(error) if error.is_already_there() => Ok(()),
            other => other,
        }
    }

    /// A listed submission; `None` if a crash interrupted it before its job was submitted.
    pub(super) fn submission(&self, number: u32) -> Result<Option<Submission>, ReadError> {
        match self.read_listed(&format!("submission-{number:04}.json")) {
            // The file is on disk before the job is submitted, and the job's id is written after that.
            Err(ReadError::Damaged { .. }) if self.job(number)?.is_none() => Ok(None),
            read => read.map(Some),
        }
    }

    pub(super) fn write_job(&self, submission: u32, id: &str) -> Result<(), FileError> {
        self.write(&format!("job-{submission:04}.json"), &JobId { id: id.into() })
    }

    /// The id of a submission's job; `None` if the scheduler has not confirmed one.
    pub(super) fn job(&self, submission: u32) -> Result<Option<String>, ReadError> {
        let job: Option<JobId> = self.read(&format!("job-{submission:04}.json"))?;
        Ok(job.map(|job| job.id))
    }

    pub(super) fn write_failure(
        &self,
        submission: u32,
        failure: &FailedSubmission,
    ) -> Result<(), FileError> {
        self.write(&format!("over-{submission:04}.json"), failure)
    }

    /// Why a submission that is listed as failed has failed.
    pub(super) fn failure(&self, submission: u32) -> Result<FailedSubmission, ReadError> {
        self.read_listed(&format!("over-{submission:04}.json"))
    }

    /// Records that the study ended with an error after this submission.
    pub(super) fn give_up(&self, submission: u32) -> Result<(), FileError> {
        self.write(&format!("gave-up-{submission:04}.json"), &"the study ended with an error")
    }

    /// Asks a submission's job to end now, because a time limit of the study has passed.
    pub(super) fn ask_to_end(&self, submission: u32) -> Result<(), FileError> {
        self.write(&format!("asked-{submission:04}.json"), &"the time is up")
    }

    /// Records the attempt whose result counts.
    pub(super) fn accept(&self, id: AttemptId) -> Result<(), FileError> {
        self.write(ACCEPTED, &id)
    }

    /// The accepted attempt, if there is one.
    pub(crate) fn accepted(&self) -> Result<Option<AttemptId>, ReadError> {
        self.read(ACCEPTED)
    }

    /// An attempt by its id.
    pub(crate) fn attempt(&self, id: AttemptId) -> Attempt {
        let folder = self.folder.join(id.to_string());
        Attempt { files: Arc::clone(&self.files), folder, id }
    }

    /// All attempts, the newest first.
    pub(crate) fn all(&self) -> Result<Vec<Attempt>, FileError> {
        let listing = self.list()?;
        Ok(listing.claims.into_iter().rev().map(|id| self.attempt(id)).collect())
    }

    /// The process that made an attempt.
    pub(crate) fn claimant(&self, id: AttemptId) -> Result<Claimant, ReadError> {
        self.read_listed(&format!("claim-{id}.json"))
    }

    /// Begins an attempt of a submission, by default of the newest. Two processes that do so at once get different ids.
    ///
    /// # Errors
    ///
    /// If there is a later submission, or nothing was submitted.
    pub(crate) fn claim(
        &self,
        submission: Option<u32>,
        claimant: &Claimant,
    ) -> Result<Claim, ClaimError> {
        let listing = self.list()?;
        let last = listing.submissions.last().copied();
        let submission = submission.or(last).ok_or(ClaimError::NotSubmitted)?;
        // A node that worked on the task before may not yet see that it was submitted again.
        if let Some(last) = last.filter(|last| *last > submission) {
            return Err(ClaimError::Replaced { submission, last });
        }
        let of_this = listing.claims.iter().filter(|id| id.submission == submission);
        let mut claim = of_this.map(|id| id.claim).max().unwrap_or(0);
        loop {
            claim += 1;
            let id = AttemptId { submission, claim };
            match self.create(&format!("claim-{id}.json"), claimant) {
                Ok(()) => {
                    let attempt = self.attempt(id);
                    self.files.create_folders(&attempt.folder)?;
                    return Ok(Claim { attempts: self.clone(), attempt });
                }
                Err(error) if error.is_already_there() => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Creates a file, which must not exist, and syncs its content to disk.
    fn create(&self, name: &str, content: &impl Serialize) -> Result<(), FileError> {
        let path = self.folder.join(name);
        let mut file = self.files.open(&path, WriteMode::New)?;
        file.write(&json(content))?;
        file.sync()?;
        self.files.sync_folder(&self.folder)
    }

    fn write(&self, name: &str, content: &impl Serialize) -> Result<(), FileError> {
        self.files.write_atomically(&self.folder.join(name), &json(content))
    }

    /// The content of a file; `None` if it does not exist.
    fn read<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, ReadError> {
        read_if_listed(&*self.files, &self.folder, name)
    }

    fn read_listed<T: DeserializeOwned>(&self, name: &str) -> Result<T, ReadError> {
        read_listed(&*self.files, &self.folder.join(name))
    }
}

/// A file exists, but cannot be read now.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReadError {
    /// The file or its folder cannot be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// Its content is incomplete or was not written by burgeon.
    #[error("{} is damaged: {why}; restore it, or remove it to train its trial again", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// An accepted result is missing.
    #[error("{} was accepted, but has no result; restore its end.json, or remove accepted.json beside it to train its trial again", path.display())]
    NoResult {
        /// The folder of the attempt.
        path: PathBuf,
    },
}

fn json(content: &impl Serialize) -> Vec<u8> {
    // Plain structs of numbers and text: writing them into memory cannot fail.
    let mut bytes = serde_json::to_vec(content).unwrap_or_default();
    bytes.push(b'\n');
    bytes
}

/// The content of a file; `None` if its folder does not list it. Some network file systems cache for a minute that a file
/// does not exist, although they list it.
fn read_if_listed<T: DeserializeOwned>(
    files: &dyn Files,
    folder: &Path,
    name: &str,
) -> Result<Option<T>, ReadError> {
    let names = match files.list(folder) {
        Err(error) if error.is_not_found() => return Ok(None),
        names => names?,
    };
    let is_listed = names.iter().any(|listed| listed == name);
    is_listed.then(|| read_listed(files, &folder.join(name))).transpose()
}

fn read_listed<T: DeserializeOwned>(files: &dyn Files, path: &Path) -> Result<T, ReadError> {
    let damaged =
        |why: serde_json::Error| ReadError::Damaged { path: path.into(), why: why.to_string() };
    serde_json::from_slice(&files.read(path, LIMIT_BYTES)?).map_err(damaged)
}

fn number(digits: &str) -> Option<u32> {
    let number = digits.parse().ok()?;
    (format!("{number:04}") == digits).then_some(number)
}

/// An attempt, by its folder.
#[derive(Debug, Clone)]
pub(crate) struct Attempt {
    files: Arc<dyn Files>,
    pub(crate) folder: PathBuf,
    pub(crate) id: AttemptId,
}

impl Attempt {
    /// Its event log.
    pub(crate) fn events(&self) -> PathBuf {
        self.folder.join("events.jsonl")
    }

    /// Its checkpoints.
    pub(crate) fn checkpoints(&self) -> PathBuf {
        self.folder.join("checkpoints")
    }

    /// How it ended; `None` if it has not reported an end.
    pub(crate) fn end(&self) -> Result<Option<AttemptEnd>, ReadError> {
        read_if_listed(&*self.files, &self.folder, END)
    }
}

/// Why an attempt cannot begin.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ClaimError {
    /// Nothing was submitted.
    #[error(
        "nothing was submitted for this trial; `burgeon tune --on …` submits what `burgeon trial` runs"
    )]
    NotSubmitted,
    /// The submission was replaced by a later one.
    #[error("submission {submission} was replaced by submission {last}")]
    Replaced {
        /// The requested submission.
        submission: u32,
        /// The newest submission.
        last: u32,
    },
    /// A file could not be read or written.
    #[error(transparent)]
    File(#[from] FileError),
}

/// The attempt of this process.
#[derive(Debug)]
pub(crate) struct Claim {
    attempts: Attempts,
    pub(crate) attempt: Attempt,
}

impl Claim {
    /// Whether neither a newer attempt nor a newer submission is visible.
    ///
    /// # Errors
    ///
    /// If the folder cannot be listed, so that neither is known.
    pub(crate) fn is_newest(&self) -> Result<bool, FileError> {
        let listing = self.attempts.list()?;
        let id = self.attempt.id;
        Ok(listing.claims.last().is_none_or(|last| *last <= id)
            && listing.submissions.last().is_none_or(|last| *last <= id.submission))
    }

    /// Whether the study has asked the job to end.
    ///
    /// # Errors
    ///
    /// If the folder cannot be listed, so that it is not known.
    pub(crate) fn is_asked_to_end(&self) -> Result<bool, FileError> {
        let name = format!("asked-{:04}.json", self.attempt.id.submission);
        Ok(self.attempts.files.list(&self.attempts.folder)?.contains(&name))
    }

    /// Records how the attempt ended. One that is no longer the newest is recorded as superseded, without a result.
    ///
    /// # Errors
    ///
    /// If the folder cannot be listed or written. The call may be repeated.
    pub(crate) fn end(&self, end: End, seconds: f64) -> Result<End, FileError> {
        let end = if self.is_newest()? { end } else { End::Superseded };
        let path = self.attempt.folder.join(END);
        let content = AttemptEnd { end: end.clone(), seconds };
        self.attempts.files.write_atomically(&path, &json(&content))?;
        Ok(end)
    }
}

#[cfg(test)]
mod tests;
