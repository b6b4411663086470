//! A scheduler that is controlled by commands of the user.

use std::collections::BTreeMap;
use std::process::Command;

use super::call::{LIMIT, call};
use super::scheduler::{Job, JobRef, JobState, JobStatus, Scheduler, SchedulerError};
use crate::spec::{JobCommands, RunSpec};

/// Commands that submit, watch and cancel jobs.
pub struct Commands {
    commands: JobCommands,
    run: RunSpec,
}

impl Commands {
    pub fn new(commands: &JobCommands, run: &RunSpec) -> Self {
        Self { commands: commands.clone(), run: run.clone() }
    }

    /// A command, with the job requirements of the study in its environment.
    fn shell(&self, line: &str) -> Command {
        let run = &self.run;
        let mut command = Command::new("sh");
        command.args(["-c", line]).env("BURGEON_JOB_CPUS", run.cpus.to_string());
        command.env("BURGEON_JOB_GPUS", run.gpus.to_string());
        command.env("BURGEON_JOB_WARNING", run.warning.to_string());
        let time_limit = run.time_limit.map(|seconds| seconds.to_string());
        for (name, value) in [
            ("PARTITION", &run.partition),
            ("ACCOUNT", &run.account),
            ("TIME_LIMIT", &time_limit),
            ("MEMORY", &run.memory),
            ("CONSTRAINT", &run.constraint),
        ] {
            command.env(format!("BURGEON_JOB_{name}"), value.as_deref().unwrap_or_default());
        }
        command
    }
}

fn lines(jobs: &[JobRef]) -> String {
    let line = |job: &JobRef| format!("{} {}\n", job.name, job.id.as_deref().unwrap_or("-"));
    jobs.iter().map(line).collect()
}

impl Scheduler for Commands {
    fn submit(&self, job: &Job) -> Result<String, SchedulerError> {
        let mut command = self.shell(&self.commands.submit);
        command
            .env("BURGEON_JOB_NAME", &job.name)
            .env("BURGEON_JOB_SCRIPT", &job.script)
            .env("BURGEON_JOB_OUTPUT", &job.output)
            .env("BURGEON_JOB_EXCLUDED", job.excluded.join(","));
        let printed = call(SUBMIT, command, "", LIMIT)?;
        let id = printed.lines().next().unwrap_or_default().trim();
        match is_word(id) {
            true => Ok(id.to_owned()),
            false => Err(unclear(SUBMIT, id, "its first line should be the id of the job")),
        }
    }

    fn states(&self, jobs: &[JobRef]) -> Result<BTreeMap<String, Vec<JobStatus>>, SchedulerError> {
        let command = self.shell(&self.commands.state);
        let printed = call(STATE, command, &lines(jobs), LIMIT)?;
        let mut found: BTreeMap<String, Vec<JobStatus>> = BTreeMap::new();
        for line in printed.lines().filter(|line| !line.trim().is_empty()) {
            let (name, seen) =
                parse(line).ok_or_else(|| unclear(STATE, line, "use `NAME STATE ID NODE`"))?;
            if jobs.iter().any(|job| job.name == name) {
                found.entry(name).or_default().push(seen);
            }
        }
        Ok(found)
    }

    fn cancel(&self, jobs: &[JobRef]) -> Result<(), SchedulerError> {
        call(CANCEL, self.shell(&self.commands.cancel), &lines(jobs), LIMIT).map(drop)
    }
}

const SUBMIT: &str = "the command run.on.command.submit";
const STATE: &str = "the command run.on.command.state";
const CANCEL: &str = "the command run.on.command.cancel";

fn parse(line: &str) -> Option<(String, JobStatus)> {
    let mut words = line.split_whitespace();
    let name = words.next()?.to_owned();
    let state = JobState::named(words.next()?)?;
    let id = words.next().filter(|id| is_word(id))?.to_owned();
    let node = words.next().filter(|node| is_word(node)).map(str::to_owned);
    Some((name, JobStatus { id, state, node, reason: None }))
}

fn is_word(word: &str) -> bool {
    (1..=256).contains(&word.len()) && word.bytes().all(|byte| byte.is_ascii_graphic())
}

fn unclear(program: &str, line: &str, right: &'static str) -> SchedulerError {
    let line = line.chars().take(200).collect();
    SchedulerError::Unclear { program: program.into(), line, right }
}

#[cfg(test)]
mod tests;
