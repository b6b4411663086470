//! Slurm, through sbatch, squeue and scancel. No accounting database is needed: squeue lists an ended job for minutes
//! (`MinJobAge`), and the outcome of an attempt is in its folder.

use std::collections::BTreeMap;
use std::process::Command;

use super::call::{LIMIT, call};
use super::scheduler::{Job, JobEnd, JobRef, JobState, JobStatus, Scheduler, SchedulerError};
use crate::spec::RunSpec;

/// A Slurm cluster.
pub struct Slurm {
    run: RunSpec,
}

/// squeue's columns. The name comes last, since other users' names may hold anything.
const COLUMNS: &str = "%i|%T|%N|%r|%j";

impl Slurm {
    pub fn new(run: &RunSpec) -> Self {
        Self { run: run.clone() }
    }

    /// The arguments of sbatch.
    fn arguments(&self, job: &Job) -> Vec<String> {
        let run = &self.run;
        let mut arguments = vec![
            "--parsable".to_owned(),
            format!("--job-name={}", job.name),
            format!("--output={}", job.output.display()),
            // A requeued job appends to the same file.
            "--open-mode=append".into(),
            "--nodes=1".into(),
            "--ntasks=1".into(),
            format!("--cpus-per-task={}", run.cpus),
            // To the batch process itself, which is burgeon, before the time limit and at preemption.
            format!("--signal=B:USR1@{}", run.warning),
            "--requeue".into(),
        ];
        let options = [
            ("partition", run.partition.clone()),
            ("account", run.account.clone()),
            ("time", run.time_limit.map(time)),
            ("mem", run.memory.clone()),
            ("gpus", (run.gpus > 0).then(|| run.gpus.to_string())),
            ("constraint", run.constraint.clone()),
            ("exclude", (!job.excluded.is_empty()).then(|| job.excluded.join(","))),
        ];
        let given = options.into_iter().filter_map(|(name, value)| Some((name, value?)));
        arguments.extend(given.map(|(name, value)| format!("--{name}={value}")));
        arguments.extend(run.sbatch.iter().cloned());
        arguments.push(job.script.display().to_string());
        arguments
    }
}

/// Minutes and seconds, as Slurm takes times.
fn time(seconds: usize) -> String {
    format!("{}:{:02}", seconds / 60, seconds % 60)
}

impl Scheduler for Slurm {
    fn submit(&self, job: &Job) -> Result<String, SchedulerError> {
        let mut command = Command::new("sbatch");
        command.args(self.arguments(job));
        let printed = call("sbatch", command, "", LIMIT)?;
        // With several clusters: `ID;CLUSTER`.
        let id = printed.trim().split(';').next().unwrap_or_default();
        match is_id(id) {
            true => Ok(id.to_owned()),
            false => Err(SchedulerError::Unclear {
                program: "sbatch".into(),
                line: printed.trim().chars().take(200).collect(),
                right: "it should have printed the id of the job",
            }),
        }
    }

    fn states(&self, jobs: &[JobRef]) -> Result<BTreeMap<String, Vec<JobStatus>>, SchedulerError> {
        let mut command = Command::new("squeue");
        // All jobs of the user in one call: the controller answers it with one pass over its list, while squeue would
        // resolve a list of ids itself, and fail if the only one is forgotten.
        command.args(["--me", "--noheader", "--states=all", "--format", COLUMNS]);
        let printed = call("squeue", command, "", LIMIT)?;
        let mut found: BTreeMap<String, Vec<JobStatus>> = BTreeMap::new();
        for (name, seen) in printed.lines().filter_map(parse) {
            if jobs.iter().any(|job| job.name == name) {
                found.entry(name).or_default().push(seen);
            }
        }
        Ok(found)
    }

    fn cancel(&self, jobs: &[JobRef]) -> Result<(), SchedulerError> {
        let ids: Vec<&str> = jobs.iter().filter_map(|job| job.id.as_deref()).collect();
        if ids.is_empty() {
            return Ok(());
        }
        let mut command = Command::new("scancel");
        // Without it, one id that Slurm has forgotten would fail the call.
        command.arg("--quiet").args(ids);
        match call("scancel", command, "", LIMIT) {
            // They have ended, which is what was asked for.
            Err(SchedulerError::Refused { said, .. })
                if said.contains("Invalid job id") || said.contains("already completing") =>
            {
                Ok(())
            }
            other => other.map(drop),
        }
    }
}

/// A line of squeue.
fn parse(line: &str) -> Option<(String, JobStatus)> {
    let mut columns = line.splitn(5, '|');
    let [id, state, node, reason, name] = [(); 5].map(|()| columns.next());
    let given = |text: &str| !text.is_empty() && text != "None" && text != "(null)";
    let seen = JobStatus {
        id: id.filter(|id| is_id(id))?.to_owned(),
        state: state_of(state?),
        node: node.filter(|node| given(node)).map(str::to_owned),
        reason: reason.filter(|reason| given(reason)).map(str::to_owned),
    };
    Some((name?.to_owned(), seen))
}

fn is_id(id: &str) -> bool {
    (1..=20).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_digit())
}

/// The meaning of a Slurm state. Transient states, such as COMPLETING, and any unknown ones of a newer Slurm, count as
/// those of a job that has not ended; it leaves them by itself.
fn state_of(state: &str) -> JobState {
    use JobEnd::{Cancelled, Completed, Failed, NodeFailed, Preempted, TimedOut};
    match state {
        "PENDING" | "REQUEUED" | "REQUEUE_HOLD" | "REQUEUE_FED" | "SPECIAL_EXIT"
        | "RESV_DEL_HOLD" => JobState::Pending,
        "COMPLETED" => JobState::Ended(Completed),
        "FAILED" | "OUT_OF_MEMORY" | "DEADLINE" => JobState::Ended(Failed),
        "TIMEOUT" => JobState::Ended(TimedOut),
        "PREEMPTED" => JobState::Ended(Preempted),
        "NODE_FAIL" | "BOOT_FAIL" => JobState::Ended(NodeFailed),
        "CANCELLED" | "REVOKED" => JobState::Ended(Cancelled),
        _ => JobState::Running,
    }
}

#[cfg(test)]
mod tests;
