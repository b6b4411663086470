//! `[notify]`: who is told how a study ended, and how.

mod address;
mod host;
mod mail;
mod webhook;

#[cfg(feature = "train")]
use std::path::Path;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

#[cfg(feature = "mail")]
pub(crate) use self::address::{is_separator, mail_address};
pub use self::mail::{MailSecurity, MailSpec};
#[cfg(feature = "mail")]
pub(crate) use self::webhook::check_url;
pub use self::webhook::{WebhookSpec, WebhookTemplate};
use super::check::Check;

/// `[notify]`: who is told when a study is over, could not go on, or was given up by its supervisor.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct NotifySpec {
    /// A program and its arguments, run once when the study is over. Its environment holds
    /// `BURGEON_OUTCOME` (`accepted` or `rejected`), `BURGEON_ACCURACY`, `BURGEON_RUN_DIR` and
    /// `BURGEON_STUDY`. It is killed if it runs for more than ten minutes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub command: Option<Vec<String>>,
    /// Mail with the verdict, the figures, the accuracy curve and the report.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mail: Option<MailSpec>,
    /// HTTP requests with the verdict and the figures.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub webhook: Vec<WebhookSpec>,
}

const WEBHOOKS_MAX: usize = 16;

impl NotifySpec {
    /// Replaces each path by what `resolve` makes of it; `resolve` is also given its key.
    #[cfg(feature = "train")]
    pub(crate) fn resolve_paths<E>(
        &mut self,
        mut resolve: impl FnMut(&str, &Path) -> Result<PathBuf, E>,
    ) -> Result<(), E> {
        for (key, path) in self.paths() {
            *path = resolve(&key, path)?;
        }
        Ok(())
    }

    /// All files that it names, by their keys.
    #[cfg(any(feature = "train", feature = "serve"))]
    pub(crate) fn paths(&mut self) -> Vec<(String, &mut PathBuf)> {
        let mut paths: Vec<(String, &mut PathBuf)> = Vec::new();
        if let Some(mail) = &mut self.mail {
            let files =
                [("password-file", &mut mail.password_file), ("ca-file", &mut mail.ca_file)];
            for (key, path) in files {
                paths.extend(path.as_mut().map(|path| (format!("notify.mail.{key}"), path)));
            }
        }
        for (index, webhook) in self.webhook.iter_mut().enumerate() {
            let files =
                [("url-file", &mut webhook.url_file), ("secret-file", &mut webhook.secret_file)];
            for (key, path) in files {
                let key = format!("notify.webhook[{index}].{key}");
                paths.extend(path.as_mut().map(|path| (key, path)));
            }
        }
        paths
    }

    /// What is wrong with it, in words, for configurations that are no studies.
    #[cfg(any(feature = "cli", feature = "serve"))]
    pub(crate) fn problems(&self) -> Vec<String> {
        let mut check = Check::default();
        self.check(&mut check);
        check.problems.iter().map(ToString::to_string).collect()
    }

    pub(super) fn check(&self, check: &mut Check) {
        if let Some(command) = &self.command
            && command.first().is_none_or(String::is_empty)
        {
            check.problem(
                "notify.command",
                "names no program to run".into(),
                "use a list such as [\"notify-send\", \"burgeon\"]",
            );
        }
        if let Some(mail) = &self.mail {
            mail.check(check);
        }
        check.at_most("notify.webhook", self.webhook.len(), "webhooks", WEBHOOKS_MAX);
        for (index, webhook) in self.webhook.iter().enumerate() {
            webhook.check(check, &format!("notify.webhook[{index}]"));
        }
    }
}

#[cfg(test)]
mod tests;
