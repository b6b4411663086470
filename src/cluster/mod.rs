//! Trials on other machines: jobs of a scheduler, over the run folder that all machines share.
//!
//! The study's process submits each piece of a trial's work as a job, which runs `burgeon trial RUN N`, and takes up what
//! it leaves behind. Nothing is sent over the network but through the scheduler and the folder.
//!
//! ```text
//! trials/003/attempts/
//!   task.json              what to train; written by the study
//!   submission-0001.json   a job is to be submitted: its name; created exclusively, by the study
//!   submission-0001.sh     the job's script
//!   submission-0001.out    what the job prints
//!   job-0001.json          the scheduler's id of the job
//!   asked-0001.json        the study asks the job to end in time
//!   over-0001.json         how the study judged a job that came to nothing
//!   gave-up-0001.json      the study ended with an error after this submission; budgets begin anew
//!   claim-0001-01.json     a process began to work on the task; created exclusively, by that process
//!   0001-01/               its folder: heartbeat, events.jsonl, checkpoints/, end.json
//!   accepted.json          the attempt whose result counts; written by the study
//! ```
//!
//! An *attempt* is one execution of a task on a node. Its *epoch* is the number of the submission and, within that, the
//! number of the claim. Only the attempt with the highest epoch counts: one that finds a higher epoch, or a later
//! submission, ends without a result, and the study takes none from it. So a job whose node was declared dead but runs on
//! writes into a folder that nobody reads any more.
//!
//! Invariant: every file has one writer. No lock of the kernel, no appending by two, and no database is used on the shared
//! folder.
//!
//! Invariant: whether an attempt lives is judged by whether the content of its heartbeat changes, over the reader's own
//! monotonic clock. Times that other machines write are shown, but decide nothing.
//!
//! Invariant: `decide` alone says what follows from a state, without I/O and without a clock.

mod attempts;
mod board;
mod call;
mod command;
mod course;
mod decide;
mod job;
mod known;
mod nodes;
mod overview;
mod seam;
mod shared;
mod slurm;
mod snapshot;
mod submit;
mod tally;
#[cfg(test)]
mod tests;
mod work;

pub(crate) use attempts::{Attempts, Claim, ClaimError, End, this_node};
pub(crate) use job::{Outcome, Part, Task, TaskParent};
pub(crate) use nodes::Nodes;
pub(crate) use overview::{Overview, TrialLine};
pub(crate) use shared::Cluster;
pub(crate) use snapshot::read_snapshot;
#[cfg(feature = "serve")]
pub(crate) use snapshot::{SNAPSHOT_FILE, parse_snapshot};
pub(crate) use submit::Program;
pub(crate) use work::{Ask, News, Taken, Tell, Work};

use crate::spec::{On, RunSpec};

/// The scheduler that a study names; `None` if its trials train in its own process.
pub(crate) fn board_of(run: &RunSpec) -> Option<board::Board> {
    let scheduler: Box<dyn seam::Scheduler> = match &run.on {
        On::Local => return None,
        On::Slurm => Box::new(slurm::Slurm::new(run)),
        On::Command(commands) => Box::new(command::Commands::new(commands, run)),
    };
    Some(board::Board::new(scheduler))
}
