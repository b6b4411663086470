//! The files of a piece of work, which the study's process and its jobs share; the head of the module lists them.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::job::{Outcome, Task};
use super::tally::Cause;
use crate::sys::files::{FileError, Files, WriteMode};

/// The token of an attempt: later ones are greater, and only the greatest counts.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
pub(crate) struct Epoch {
    /// The submission that it belongs to, counted from 1.
    pub(crate) submission: u32,
    /// Its number among the attempts of that submission, counted from 1.
    pub(crate) claim: u32,
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{:04}-{:02}", self.submission, self.claim)
    }
}

impl Epoch {
    fn named(text: &str) -> Option<Self> {
        let (submission, claim) = text.split_once('-')?;
        let epoch = Self { submission: submission.parse().ok()?, claim: claim.parse().ok()? };
        // Only the exact spelling, so that no two files have the same epoch.
        (epoch.to_string() == text).then_some(epoch)
    }
}

/// The attempts at one piece of work.
#[derive(Debug, Clone)]
pub(crate) struct Attempts {
    files: Arc<dyn Files>,
    folder: PathBuf,
}

/// The process that made an attempt: the content of its claim. What it says of itself decides nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RunsOn {
    /// The node's name, as the scheduler calls it.
    pub(crate) node: String,
    pub(crate) pid: u32,
    /// The scheduler's id of the job, if it tells its jobs.
    pub(crate) job: Option<String>,
    /// By the node's own clock, which may be wrong.
    pub(crate) at: Timestamp,
}

/// The node that this process is on, and its job, as schedulers tell their jobs.
pub(crate) fn this_node() -> RunsOn {
    let given = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let named = ["BURGEON_NODE", "SLURMD_NODENAME"].into_iter().find_map(given);
    RunsOn {
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
    /// By the clock of the study's machine.
    pub(super) at: Timestamp,
}

#[derive(Debug, Serialize, Deserialize)]
struct JobId {
    id: String,
}

/// What a submission came to, as the study judged it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Over {
    pub(super) cause: Cause,
    pub(super) why: String,
    pub(super) node: Option<String>,
}

/// How an attempt ended, as it says itself: the content of `end.json`.
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
    /// On request of the scheduler or the study, with its state saved.
    Interrupted,
    /// By itself.
    Failed(String),
    /// The node cannot train it.
    Unfit(String),
    /// A newer attempt had begun.
    Lost,
}

/// What the folder of a piece of work holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Listing {
    pub(super) submissions: Vec<u32>,
    pub(super) over: Vec<u32>,
    /// The last submissions of studies that were given up.
    pub(super) gave_up: Vec<u32>,
    /// Ascending.
    pub(super) claims: Vec<Epoch>,
    pub(super) is_accepted: bool,
}

const LIMIT_BYTES: u64 = 64 << 20;
const TASK: &str = "task.json";
const ACCEPTED: &str = "accepted.json";
const END: &str = "end.json";

impl Attempts {
    /// Those in this folder, which need not exist.
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
            if name == ACCEPTED {
                listing.is_accepted = true;
            } else if let Some(epoch) = stem.strip_prefix("claim-").and_then(Epoch::named) {
                listing.claims.push(epoch);
            } else if let Some(submission) = number("submission-") {
                listing.submissions.push(submission);
            } else if let Some(submission) = number("over-") {
                listing.over.push(submission);
            } else if let Some(submission) = number("gave-up-") {
                listing.gave_up.push(submission);
            }
        }
        listing.claims.sort_unstable();
        let Listing { submissions, over, gave_up, .. } = &mut listing;
        for numbers in [submissions, over, gave_up] {
            numbers.sort_unstable();
        }
        Ok(listing)
    }

    /// The script of a submission's job.
    pub(super) fn script(&self, submission: u32) -> PathBuf {
        self.folder.join(format!("submission-{submission:04}.sh"))
    }

    /// What a submission's job prints.
    pub(super) fn output(&self, submission: u32) -> PathBuf {
        self.folder.join(format!("submission-{submission:04}.out"))
    }

    /// Writes the task; the study's process alone does so, before it submits.
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
            // Written by this process, whose first answer was lost on the network: only one process may submit.
            Err(error) if error.is_already_there() => Ok(()),
            other => other,
        }
    }

    pub(super) fn submission(&self, number: u32) -> Option<Submission> {
        self.read(&format!("submission-{number:04}.json"))
    }

    pub(super) fn write_job(&self, submission: u32, id: &str) -> Result<(), FileError> {
        self.write(&format!("job-{submission:04}.json"), &JobId { id: id.into() })
    }

    pub(super) fn job(&self, submission: u32) -> Option<String> {
        self.read(&format!("job-{submission:04}.json")).map(|job: JobId| job.id)
    }

    pub(super) fn close(&self, submission: u32, over: &Over) -> Result<(), FileError> {
        self.write(&format!("over-{submission:04}.json"), over)
    }

    pub(super) fn over(&self, submission: u32) -> Option<Over> {
        self.read(&format!("over-{submission:04}.json"))
    }

    /// Records that the study is given up after this submission.
    pub(super) fn give_up(&self, submission: u32) -> Result<(), FileError> {
        self.write(&format!("gave-up-{submission:04}.json"), &"the study ended with an error")
    }

    /// Asks a submission's job to end now, as a time limit of the study has passed.
    pub(super) fn ask_to_end(&self, submission: u32) -> Result<(), FileError> {
        self.write(&format!("asked-{submission:04}.json"), &"the time is up")
    }

    /// Records the attempt whose result counts.
    pub(super) fn accept(&self, epoch: Epoch) -> Result<(), FileError> {
        self.write(ACCEPTED, &epoch)
    }

    /// The attempt whose result counts, once one was accepted.
    pub(crate) fn accepted(&self) -> Option<Epoch> {
        self.read(ACCEPTED)
    }

    /// An attempt by its epoch.
    pub(crate) fn attempt(&self, epoch: Epoch) -> Attempt {
        let folder = self.folder.join(epoch.to_string());
        Attempt { files: Arc::clone(&self.files), folder, epoch }
    }

    /// All attempts, the newest first.
    pub(crate) fn all(&self) -> Result<Vec<Attempt>, FileError> {
        let listing = self.list()?;
        Ok(listing.claims.into_iter().rev().map(|epoch| self.attempt(epoch)).collect())
    }

    /// Who made an attempt; `None` if it has not written that yet.
    pub(crate) fn runs_on(&self, epoch: Epoch) -> Option<RunsOn> {
        self.read(&format!("claim-{epoch}.json"))
    }

    /// Begins an attempt of a submission, the newest one if none is named. Of two processes that do so at once, each gets
    /// an epoch of its own.
    ///
    /// # Errors
    ///
    /// If there is a later submission, or nothing was submitted.
    pub(crate) fn claim(
        &self,
        submission: Option<u32>,
        runs_on: &RunsOn,
    ) -> Result<Claim, ClaimError> {
        let listing = self.list()?;
        let last = listing.submissions.last().copied();
        let submission = submission.or(last).ok_or(ClaimError::Nothing)?;
        // A node that has worked on the task before may not see yet that it was submitted again.
        if let Some(last) = last.filter(|last| *last > submission) {
            return Err(ClaimError::Replaced { submission, last });
        }
        let of_this = listing.claims.iter().filter(|epoch| epoch.submission == submission);
        let mut claim = of_this.map(|epoch| epoch.claim).max().unwrap_or(0);
        loop {
            claim += 1;
            let epoch = Epoch { submission, claim };
            match self.create(&format!("claim-{epoch}.json"), runs_on) {
                Ok(()) => {
                    let attempt = self.attempt(epoch);
                    self.files.create_folders(&attempt.folder)?;
                    return Ok(Claim { attempts: self.clone(), attempt });
                }
                Err(error) if error.is_already_there() => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Creates a file, which must not exist, with all of its content on the disk.
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

    /// The content of a file; `None` if it is not there yet, or not whole.
    fn read<T: DeserializeOwned>(&self, name: &str) -> Option<T> {
        read_json(&*self.files, &self.folder.join(name))
    }
}

fn json(content: &impl Serialize) -> Vec<u8> {
    // Plain structs of numbers and text: writing them into memory cannot fail.
    let mut bytes = serde_json::to_vec(content).unwrap_or_default();
    bytes.push(b'\n');
    bytes
}

fn read_json<T: DeserializeOwned>(files: &dyn Files, path: &Path) -> Option<T> {
    serde_json::from_slice(&files.read(path, LIMIT_BYTES).ok()?).ok()
}

fn number(digits: &str) -> Option<u32> {
    let number = digits.parse().ok()?;
    (format!("{number:04}") == digits).then_some(number)
}

/// One attempt, as its folder shows it.
#[derive(Debug, Clone)]
pub(crate) struct Attempt {
    files: Arc<dyn Files>,
    pub(crate) folder: PathBuf,
    pub(crate) epoch: Epoch,
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

    /// How it ended, once it has said so.
    pub(crate) fn end(&self) -> Option<AttemptEnd> {
        // Listed first: some network folders remember for a minute that a file was not there, but list it.
        let names = self.files.list(&self.folder).ok()?;
        let is_there = names.iter().any(|name| name == END);
        is_there.then(|| read_json(&*self.files, &self.folder.join(END)))?
    }
}

/// Why an attempt cannot begin.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ClaimError {
    /// Nothing was submitted.
    #[error(
        "nothing was submitted for this trial; `burgeon tune --on …` submits what `burgeon trial` runs"
    )]
    Nothing,
    /// The submission was replaced by a later one.
    #[error("submission {submission} was replaced by submission {last}")]
    Replaced {
        /// Which was asked for.
        submission: u32,
        /// The newest.
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
    /// Whether no newer attempt is to be seen, nor a newer submission. A folder that cannot be listed shows none.
    pub(crate) fn is_newest(&self) -> bool {
        self.attempts.list().is_ok_and(|listing| {
            let epoch = self.attempt.epoch;
            listing.claims.last().is_none_or(|last| *last <= epoch)
                && listing.submissions.last().is_none_or(|last| *last <= epoch.submission)
        })
    }

    /// Whether the study has asked for an end.
    pub(crate) fn is_asked_to_end(&self) -> bool {
        let name = format!("asked-{:04}.json", self.attempt.epoch.submission);
        let names = self.attempts.files.list(&self.attempts.folder);
        names.is_ok_and(|names| names.contains(&name))
    }

    /// Says how the attempt ended. One that is no longer the newest has no result, whatever it came to.
    pub(crate) fn end(&self, end: End, seconds: f64) -> Result<End, FileError> {
        let end = if self.is_newest() { end } else { End::Lost };
        let path = self.attempt.folder.join(END);
        let content = AttemptEnd { end: end.clone(), seconds };
        self.attempts.files.write_atomically(&path, &json(&content))?;
        Ok(end)
    }
}

#[cfg(test)]
mod tests;
