//! `[run]`: where the trials of a study train, and how long their failures are borne with. It decides nothing that a
//! network learns, so it may change when a run is resumed.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::check::Check;

/// `[run]` of a study file: where its trials train.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct RunSpec {
    /// "local" for this process, "slurm" for a job each, or commands of your own that submit, watch and cancel jobs.
    /// The run folder, the data and the program must have the same paths on every machine.
    pub on: On,
    /// Slurm's partition. Default: the cluster's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub partition: Option<String>,
    /// The account that is charged. Default: the user's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// Time limit of a job in seconds. A trial that needs longer continues in another job. Default: the partition's.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 60, max = 31_536_000))]
    pub time_limit: Option<usize>,
    /// Seconds before the time limit at which a job is asked to save its state and end.
    #[schemars(range(min = 5, max = 3600))]
    pub warning: usize,
    /// CPUs of a job, and threads of its trial.
    #[schemars(range(min = 1, max = 1024))]
    pub cpus: usize,
    /// Memory of a job, such as "8G". Default: the partition's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory: Option<String>,
    /// GPUs of a job.
    #[schemars(range(max = 64))]
    pub gpus: usize,
    /// Features that a node must have, as `sbatch --constraint` takes them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub constraint: Option<String>,
    /// Further options for `sbatch`, such as "--qos=long".
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub sbatch: Vec<String>,
    /// How often a trial may be retried because of a node: one that went down, a job that was cancelled, that never
    /// began, or whose heartbeat stopped.
    #[schemars(range(max = 1000))]
    pub node_failures: usize,
    /// How often a trial that fails by itself may be retried.
    #[schemars(range(max = 1000))]
    pub trial_failures: usize,
    /// How often a trial may be interrupted by preemptions and time limits; three in a row without progress end the
    /// study in any case.
    #[schemars(range(max = 100_000))]
    pub interruptions: usize,
    /// Seconds without a change of its heartbeat after which a job counts as dead.
    #[schemars(range(min = 10, max = 86_400))]
    pub silence: usize,
    /// Seconds for which a file that another machine has written may stay invisible, because of the caches of a network
    /// folder.
    #[schemars(range(min = 1, max = 3600))]
    pub visibility: usize,
}

impl Default for RunSpec {
    fn default() -> Self {
        Self {
            on: On::Local,
            partition: None,
            account: None,
            time_limit: None,
            warning: 60,
            cpus: 1,
            memory: None,
            gpus: 0,
            constraint: None,
            sbatch: Vec::new(),
            node_failures: 5,
            trial_failures: 0,
            interruptions: 100,
            silence: 300,
            visibility: 75,
        }
    }
}

/// Where trials train.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum On {
    /// In the process of the study.
    #[default]
    Local,
    /// In jobs of a Slurm cluster.
    Slurm,
    /// In jobs that these commands submit, watch and cancel.
    Command(JobCommands),
}

/// Commands for jobs elsewhere, each a line for `sh -c`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct JobCommands {
    /// Submits a job: `BURGEON_JOB_NAME` is its name, unique for ever, and `BURGEON_JOB_SCRIPT` a shell script to run.
    /// Prints the job's id. Called again with the same name after a failure, if `state` does not know that name.
    pub submit: String,
    /// Tells the states of jobs: reads a line `NAME ID` for each, with `-` for an id that is not known, and prints a
    /// line `NAME STATE ID NODE` for each job that there is; the node may be missing. States are pending, running,
    /// completed, failed, timeout, preempted, node-failed, cancelled.
    pub state: String,
    /// Cancels jobs: reads lines `NAME ID`. Those that have ended are no error.
    pub cancel: String,
}

/// Options of `sbatch` that are burgeon's own.
const OURS: [&str; 12] = [
    "--parsable",
    "--job-name",
    "--output",
    "--error",
    "--open-mode",
    "--signal",
    "--wrap",
    "--array",
    "--exclude",
    "--nodes",
    "--ntasks",
    "--wait",
];
const TEXT_BYTES_MAX: usize = 4096;
const OPTIONS_MAX: usize = 64;

impl RunSpec {
    /// Whether it has all defaults, so that a study without the section need not show it.
    pub(super) fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// What cannot be, in sentences that name the keys.
    #[cfg(feature = "serve")]
    pub(crate) fn problems(&self) -> Vec<String> {
        let mut check = Check::default();
        self.check(&mut check);
        check.problems.iter().map(ToString::to_string).collect()
    }

    pub(super) fn check(&self, check: &mut Check) {
        for (key, value) in [
            ("run.partition", &self.partition),
            ("run.account", &self.account),
            ("run.constraint", &self.constraint),
        ] {
            if let Some(value) = value {
                check_text(check, key, value);
            }
        }
        if let Some(memory) = &self.memory
            && !is_amount(memory)
        {
            let problem = format!("{memory:?} is not an amount of memory");
            check.problem("run.memory", problem, "use a whole number and K, M, G or T: \"8G\"");
        }
        if let Some(limit) = self.time_limit {
            check.integer("run.time-limit", limit, 60, 31_536_000);
            if self.warning >= limit {
                let problem = format!("{} s are not less than the time limit", self.warning);
                check.problem("run.warning", problem, "use less than `time-limit`");
            }
        }
        check.integer("run.warning", self.warning, 5, 3600);
        check.integer("run.cpus", self.cpus, 1, 1024);
        check.integer("run.gpus", self.gpus, 0, 64);
        check.integer("run.node-failures", self.node_failures, 0, 1000);
        check.integer("run.trial-failures", self.trial_failures, 0, 1000);
        check.integer("run.interruptions", self.interruptions, 0, 100_000);
        check.integer("run.silence", self.silence, 10, 86_400);
        check.integer("run.visibility", self.visibility, 1, 3600);
        check.at_most("run.sbatch", self.sbatch.len(), "options", OPTIONS_MAX);
        for (index, option) in self.sbatch.iter().enumerate() {
            let key = format!("run.sbatch[{index}]");
            check_text(check, &key, option);
            let name = option.split('=').next().unwrap_or_default();
            if !option.starts_with("--") {
                let problem = format!("{option:?} is not a long option");
                check.problem(&key, problem, "use one such as \"--qos=long\"");
            } else if OURS.contains(&name) {
                let problem = format!("burgeon itself sets {name}");
                check.problem(&key, problem, "remove it");
            }
        }
        if let On::Command(commands) = &self.on {
            for (key, line) in [
                ("submit", &commands.submit),
                ("state", &commands.state),
                ("cancel", &commands.cancel),
            ] {
                if line.trim().is_empty() || line.contains('\0') || line.len() > TEXT_BYTES_MAX {
                    let problem = "is not a line for the shell".to_owned();
                    check.problem(&format!("run.on.command.{key}"), problem, "name a program");
                }
            }
        }
    }
}

/// Reports text that cannot be an argument of `sbatch`.
fn check_text(check: &mut Check, key: &str, text: &str) {
    let fits = !text.is_empty() && text.len() <= TEXT_BYTES_MAX && !text.contains(char::is_control);
    if !fits {
        let problem = format!("{text:?} is not a value for sbatch");
        check.problem(key, problem, "use text without line breaks");
    }
}

fn is_amount(text: &str) -> bool {
    let digits = text.strip_suffix(['K', 'M', 'G', 'T']).unwrap_or(text);
    (1..=15).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests;
