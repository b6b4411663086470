//! Submits a job exactly once: under a unique name, which is looked up before the job is submitted again.

use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;

use super::attempts::{Attempts, Submission};
use super::client::SchedulerClient;
use super::request::{Control, OnUpdate, TaskError, during, pause};
use super::scheduler::{Job, JobRef, SchedulerError};
use super::task::Part;

/// The first pause after a failure; each is twice as long as the one before.
const PAUSE: Duration = Duration::from_secs(1);
const PAUSE_MAX: Duration = Duration::from_secs(60);
/// How often a scheduler may refuse a job for a permanent reason.
const REFUSALS_MAX: u32 = 3;

/// The names and the command of the jobs of a study.
#[derive(Debug, Clone)]
pub(crate) struct Program {
    /// Distinguishes the run's jobs from all others, those of runs of the same name elsewhere included.
    pub(crate) key: String,
    /// The program and the options that every job gets.
    pub(crate) command: Vec<String>,
    /// The variables set in its environment.
    pub(crate) environment: Vec<(String, String)>,
}

impl Program {
    fn name(&self, trial: u32, part: Part, submission: u32) -> String {
        format!("{}-{trial:03}-{part}-{submission:04}", self.key)
    }

    /// The script of a job. It ends with `exec`, so that signals reach burgeon.
    fn script(&self, run: &Path, trial: u32, part: Part, submission: u32) -> String {
        // Schedulers pass the environment on, but these variables are meant for the study's own process.
        let mut text = String::from(
            "#!/bin/sh\nunset BURGEON_SUPERVISED BURGEON_SUPERVISOR BURGEON_SET BURGEON_SEED BURGEON_JSON BURGEON_QUIET\n",
        );
        for (name, value) in &self.environment {
            text += &format!("export {name}={}\n", quoted(value));
        }
        text += "exec";
        for word in &self.command {
            text += &format!(" {}", quoted(word));
        }
        text += &format!(
            " trial {} {trial} --part {part} --submission {submission}\n",
            quoted(&run.display().to_string())
        );
        text
    }
}

/// Quotes a word for the shell.
fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', "'\\''"))
}

/// A submission.
pub(super) struct Submitter<'a> {
    pub(super) scheduler: &'a SchedulerClient,
    pub(super) program: &'a Program,
    pub(super) run: &'a Path,
    pub(super) attempts: &'a Attempts,
    pub(super) trial: u32,
    pub(super) part: Part,
    pub(super) submission: u32,
    pub(super) excluded: Vec<String>,
}

impl Submitter<'_> {
    /// Records the submission before the job is submitted.
    pub(super) fn begin(&self) -> Result<Submission, TaskError> {
        let submission = Submission {
            name: self.program.name(self.trial, self.part, self.submission),
            at: Timestamp::now(),
        };
        let script = self.program.script(self.run, self.trial, self.part, self.submission);
        self.attempts.begin(self.submission, &submission, &script)?;
        Ok(submission)
    }

    /// Submits the job, or finds that it was submitted; returns its id, or what the caller asked for meanwhile.
    /// `is_new` if this process has just recorded the submission, so that the job cannot exist yet.
    pub(super) fn submit(
        &self,
        name: &str,
        is_new: bool,
        on_update: &mut OnUpdate,
    ) -> Result<Result<String, Control>, TaskError> {
        let job = Job {
            name: name.into(),
            script: self.attempts.script(self.submission),
            output: self.attempts.output(self.submission),
            excluded: self.excluded.clone(),
        };
        let (mut may_be_there, mut wait, mut refusals) = (!is_new, PAUSE, 0);
        loop {
            let tried = match may_be_there {
                true => during(on_update, || self.scheduler.find(name))?
                    .map(|jobs| jobs.into_iter().next_back()),
                false => Ok(None),
            };
            let failed = match tried {
                Ok(Some(found)) => return self.submitted(name, &found.id),
                Ok(None) => match during(on_update, || self.scheduler.submit(&job))? {
                    Ok(id) => return self.submitted(name, &id),
                    Err(error) => error,
                },
                Err(error) => error,
            };
            may_be_there = true;
            refusals += u32::from(!failed.is_passing());
            if refusals >= REFUSALS_MAX || matches!(failed, SchedulerError::Missing { .. }) {
                return Err(failed.into());
            }
            match pause(on_update, wait)? {
                Control::Continue => {}
                ask => return Ok(Err(ask)),
            }
            wait = (wait * 2).min(PAUSE_MAX);
        }
    }

    fn submitted(&self, name: &str, id: &str) -> Result<Result<String, Control>, TaskError> {
        self.attempts.write_job(self.submission, id)?;
        self.scheduler.watch(JobRef { name: name.into(), id: Some(id.into()) });
        Ok(Ok(id.into()))
    }
}

#[cfg(test)]
mod tests;
