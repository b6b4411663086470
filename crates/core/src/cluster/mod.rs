//! Trials on other machines: jobs of a scheduler, over the run folder that all machines share.
//!
//! A *task* is one part of a trial's work: its training, that of one of its folds, or its learning rate range test. The
//! study's process submits each task as a job, which runs `burgeon trial RUN N`, and reads the result from the folder.
//! All communication goes through the scheduler and the folder.
//!
//! ```text
//! trials/003/attempts/
//!   task.json              what to train; written by the study
//!   submission-0001.json   the name of a job that will be submitted; created exclusively, by the study
//!   submission-0001.sh     the job's script
//!   submission-0001.out    what the job prints
//!   job-0001.json          the scheduler's id of the job
//!   asked-0001.json        the study asks the job to end in time
//!   over-0001.json         why a job failed, as judged by the study
//!   gave-up-0001.json      the study ended with an error after this submission; budgets are reset
//!   claim-0001-01.json     a process started to work on the task; created exclusively, by that process
//!   0001-01/               its folder: heartbeat, events.jsonl, checkpoints/, end.json
//!   accepted.json          the attempt whose result counts; written by the study
//! ```
//!
//! An *attempt* is one execution of a task on a node. Its *id* is the number of the submission and, within that, the
//! number of the claim; ids are ordered, and serve as fencing tokens. Only the attempt with the highest id counts: one
//! that finds a higher id, or a later submission, is superseded and ends without a result, and the study ignores it. So
//! a job that keeps running although its node was declared dead writes to a folder that nobody reads any more.
//!
//! | module | content |
//! | --- | --- |
//! | `shared` | the cluster of a study: runs tasks |
//! | `task_runner` | the loop around one task: look, decide, submit, accept |
//! | `decide`, `retry` | decides what to do in a state, and which failure counts against which budget |
//! | `client` | one poll of the scheduler for all jobs of a study |
//! | `scheduler`, `slurm`, `command` | the interface to a scheduler, and its implementations |
//! | `attempts`, `observed` | the files of a task, and the state that they show |
//!
//! Invariant: every file has one writer. No kernel locks, no appending by two processes, and no database is used in the
//! shared folder.
//!
//! Invariant: an attempt counts as alive while the content of its heartbeat changes, by the reader's own monotonic clock.
//! Times that other machines write are shown, but affect nothing.
//!
//! Invariant: an unreadable file is never treated as a missing one. The task runner retries for as long as files may take
//! to become visible, and then ends with the error; so a disk error never causes a trial to be trained twice.
//!
//! Invariant: `decide` alone decides what to do in a state, without I/O and without a clock.

mod attempts;
mod call;
mod client;
mod command;
mod decide;
mod nodes;
mod observed;
mod overview;
mod request;
mod retry;
mod scheduler;
mod shared;
mod slurm;
mod snapshot;
mod submit;
mod task;
mod task_runner;

pub(crate) use attempts::{Attempts, Claim, ClaimError, End, this_node};
pub(crate) use nodes::Nodes;
pub(crate) use overview::{Overview, TrialLine};
pub(crate) use request::{Control, OnUpdate, TaskEnd, TaskRequest, TaskUpdate};
pub(crate) use shared::Cluster;
pub(crate) use snapshot::read_snapshot;
#[cfg(feature = "serve")]
pub(crate) use snapshot::{SNAPSHOT_FILE, parse_snapshot};
pub(crate) use submit::Program;
pub(crate) use task::{Outcome, Part, Task, TaskParent};

use crate::spec::{On, RunSpec};

/// The scheduler that a study names; `None` if its trials train in its own process.
pub(crate) fn scheduler_client(run: &RunSpec) -> Option<client::SchedulerClient> {
    let scheduler: Box<dyn scheduler::Scheduler> = match &run.on {
        On::Local => return None,
        On::Slurm => Box::new(slurm::Slurm::new(run)),
        On::Command(commands) => Box::new(command::Commands::new(commands, run)),
    };
    Some(client::SchedulerClient::new(scheduler))
}
