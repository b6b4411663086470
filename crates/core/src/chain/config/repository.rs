//! `[[repository]]`: what is built, from where, and with which gate.

use std::path::PathBuf;

use serde::Deserialize;

use super::problem::{Problem, check_notify, check_run, is_inside};
use crate::chain::branch::is_branch;
use crate::chain::url::GitUrl;
use crate::spec::{NotifySpec, RunSpec, check_url};

/// A repository and the branch of it that is built.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Repository {
    /// Its name in URLs, folders and messages: letters, digits, `-`, `_` and `.`.
    pub name: String,
    /// The URL or path for `git fetch`: `https://…`, `ssh://…`, `git@host:path`, or an absolute path on this machine.
    pub url: GitUrl,
    /// The branch.
    #[serde(default = "default_branch")]
    pub branch: String,
    /// Files whose first lines are the secrets of its webhooks; two while a secret is being replaced.
    #[serde(default)]
    pub secret_files: Vec<PathBuf>,
    /// The path of the study file in the repository. Default: what `burgeon detect` finds.
    pub study: Option<PathBuf>,
    /// The accuracy that a model must reach, instead of the study's own; programs that are not studies need one.
    pub gate: Option<f64>,
    /// The folder on this machine with the data of its studies, as with `--data`.
    pub data: Option<PathBuf>,
    /// Seconds between polls of the branch, for pushes that no webhook announced; 0 for never.
    #[serde(default = "default_poll")]
    pub poll_seconds: u32,
    /// Whether submodules are fetched too.
    #[serde(default)]
    pub submodules: bool,
    /// Largest checkout.
    #[serde(default = "default_checkout")]
    pub checkout_megabytes: u32,
    /// Longest training, in seconds.
    pub train_seconds: Option<f64>,
    /// Whether a Keras or PyTorch program that misses the gate is grown: it is converted into a study, which burgeon
    /// grows until it passes, and the grown network is exported as a program.
    #[serde(default)]
    pub grow: bool,
    /// Where the trials of its studies train, as in `[run]` of a study; the `[run]` tables of the repository's studies
    /// are ignored.
    pub run: Option<RunSpec>,
    /// Where commit statuses are posted.
    pub status: Option<StatusSpec>,
    /// Who is notified, instead of the recipients for the whole service.
    pub notify: Option<NotifySpec>,
}

/// A service that hosts repositories and shows commit statuses.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct StatusSpec {
    /// Its software.
    pub kind: Forge,
    /// Its API for the repository, such as `https://api.github.com/repos/ann/digits`.
    pub api: String,
    /// The file whose first line is the token.
    pub token_file: PathBuf,
}

/// Software that hosts repositories and sends webhooks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Forge {
    /// GitHub.
    Github,
    /// Gitea or Forgejo.
    Gitea,
    /// GitLab.
    Gitlab,
}

fn default_branch() -> String {
    "main".into()
}

fn default_poll() -> u32 {
    300
}

fn default_checkout() -> u32 {
    1000
}

impl Repository {
    pub(super) fn check(&self, key: &str) -> Result<(), Problem> {
        if !is_name(&self.name) {
            return Err(Problem::new(
                &format!("{key}.name"),
                format!("{:?} is not a valid name", self.name),
                "use 1 to 64 of letters, digits, `-`, `_` and `.`, beginning with a letter or digit",
            ));
        }
        if !is_branch(&self.branch) {
            let problem = format!("{:?} is not a valid branch name", self.branch);
            return Err(Problem::new(
                &format!("{key}.branch"),
                problem,
                "use a name such as \"main\"",
            ));
        }
        if self.secret_files.len() > 2 {
            let problem = format!("has {} files", self.secret_files.len());
            return Err(Problem::new(
                &format!("{key}.secret-files"),
                problem,
                "list one, or two while a secret is being replaced",
            ));
        }
        if let Some(study) = &self.study
            && !is_inside(study)
        {
            let problem = format!("{} is not in the repository", study.display());
            return Err(Problem::new(
                &format!("{key}.study"),
                problem,
                "use a path such as study.toml",
            ));
        }
        if let Some(gate) = self.gate
            && !(gate > 0.0 && gate <= 1.0)
        {
            return Err(Problem::new(
                &format!("{key}.gate"),
                format!("is {gate}"),
                "use a fraction from 0 to 1, such as 0.8",
            ));
        }
        if let Some(seconds) = self.train_seconds
            && !(seconds > 0.0 && seconds <= 1e9)
        {
            let problem = format!("is {seconds}");
            return Err(Problem::new(
                &format!("{key}.train-seconds"),
                problem,
                "use a number of seconds",
            ));
        }
        if let Some(status) = &self.status
            && let Err(why) = check_url(&status.api)
        {
            let problem = format!("{:?} {why}", status.api);
            return Err(Problem::new(
                &format!("{key}.status.api"),
                problem,
                "use a URL such as https://api.github.com/repos/ann/digits",
            ));
        }
        if let Some(run) = &self.run {
            check_run(key, run)?;
        }
        match &self.notify {
            Some(notify) => check_notify(&format!("{key}.notify"), notify),
            None => Ok(()),
        }
    }
}

/// Whether text can be the name of a repository: it becomes part of paths and URLs.
fn is_name(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes.next().is_some_and(|byte| byte.is_ascii_alphanumeric())
        && name.len() <= 64
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
}
