//! `[notify] webhook`: HTTP requests to make, each to an encrypted address.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::host::{is_host, is_loopback};
use crate::spec::check::Check;

/// One of `[notify] webhook`: an HTTP request to make.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct WebhookSpec {
    /// The address to POST to: `https`, or `http` on this machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// The file whose first line is the address, for services whose address is a secret, as Slack's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url_file: Option<PathBuf>,
    /// The file whose first line is the secret that requests are signed with. Default: no signature.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_file: Option<PathBuf>,
    /// What the body holds.
    #[serde(default)]
    pub template: WebhookTemplate,
}

/// The body of a webhook's request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum WebhookTemplate {
    /// An object with the verdict and the figures.
    #[default]
    Json,
    /// An object with a `text`, as Slack, Mattermost and others take.
    Slack,
}

impl WebhookSpec {
    pub(super) fn check(&self, check: &mut Check, key: &str) {
        match (&self.url, &self.url_file) {
            (None, None) => {
                check.problem(key, "has no address".into(), "add `url` or `url-file`");
            }
            (Some(_), Some(_)) => check.problem(
                &format!("{key}.url-file"),
                "is a second address".into(),
                "use either `url` or `url-file`",
            ),
            (Some(url), None) => {
                if let Err(problem) = check_url(url) {
                    check.problem(&format!("{key}.url"), problem.into(), URL_RULE);
                }
            }
            (None, Some(_)) => {}
        }
    }
}

const URL_RULE: &str = "use one such as \"https://example.org/hook\"";

/// What is wrong with the address of a webhook; never part of it, as it may be a secret.
pub(crate) fn check_url(url: &str) -> Result<(), &'static str> {
    let (encrypted, rest) = match (url.strip_prefix("https://"), url.strip_prefix("http://")) {
        (Some(rest), _) => (true, rest),
        (_, Some(rest)) => (false, rest),
        _ => return Err("is not an address that starts with https://"),
    };
    if url.len() > 2048 || !url.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err("is longer than 2048 bytes, or has spaces or other characters than ASCII");
    }
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if authority.contains('@') {
        return Err("holds a user or a password");
    }
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if port.parse::<u16>().is_ok() => host,
        _ => authority,
    };
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    if !is_host(host) {
        return Err("names no server");
    }
    if !encrypted && !is_loopback(host) {
        return Err("is not encrypted, which is only possible on this machine");
    }
    Ok(())
}
