//! URLs of repositories: only kinds for which Git runs no program that the URL names.

use std::fmt;
use std::path::Path;

use serde::de::{Deserialize, Deserializer, Error as _};

/// The URL or path that a repository is fetched from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GitUrl {
    text: String,
    transport: &'static str,
}

/// The error of a URL that is not allowed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the URL {shown:?} {problem}; use https://…, ssh://…, git@host:path, or an absolute path on this machine"
)]
pub struct UrlError {
    shown: String,
    problem: &'static str,
}

impl GitUrl {
    /// The URL for Git.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The only transport that Git may use for it, for `GIT_ALLOW_PROTOCOL`.
    pub fn transport(&self) -> &'static str {
        self.transport
    }
}

impl fmt::Display for GitUrl {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for GitUrl {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::try_from(String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

impl TryFrom<String> for GitUrl {
    type Error = UrlError;

    fn try_from(text: String) -> Result<Self, UrlError> {
        match transport(&text) {
            Ok(transport) => Ok(Self { text, transport }),
            // A password in it is not repeated.
            Err(problem) => {
                let shown = match text.rsplit_once('@') {
                    Some((_, rest)) => format!("…@{rest}"),
                    None => text,
                };
                Err(UrlError { shown: shown.chars().take(200).collect(), problem })
            }
        }
    }
}

fn transport(text: &str) -> Result<&'static str, &'static str> {
    if text.len() > 2000 || text.chars().any(|c| c.is_control() || c == ' ') {
        return Err("is longer than 2000 bytes, or contains spaces or control characters");
    }
    if Path::new(text).is_absolute() {
        return Ok("file");
    }
    if text.starts_with('-') {
        return Err("begins with a dash, so that Git would take it for an option");
    }
    if let Some(rest) = text.strip_prefix("https://") {
        let host = rest.split('/').next().unwrap_or_default();
        if host.contains('@') {
            return Err("contains a user or a password; store them with Git's credential helper");
        }
        return if is_host(host) { Ok("https") } else { Err("names no server") };
    }
    // ssh takes a host that begins with a dash for an option.
    let host = match (text.strip_prefix("ssh://"), text.split_once("::"), text.split_once(':')) {
        (Some(rest), _, _) => rest.split('/').next().unwrap_or_default(),
        (None, Some(_), _) => return Err("asks Git to run a helper program"),
        (None, None, Some((host, path)))
            if !path.is_empty() && !path.starts_with('/') && !path.starts_with('-') =>
        {
            host
        }
        _ => return Err("is not of an allowed kind"),
    };
    let (user, host) = host.split_once('@').unwrap_or(("git", host));
    let is_user = !user.is_empty()
        && !user.starts_with('-')
        && user.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
    if is_user && is_host(host) { Ok("ssh") } else { Err("names no user or server") }
}

fn is_host(host: &str) -> bool {
    let (name, port) = host.split_once(':').unwrap_or((host, "1"));
    !name.is_empty()
        && !name.starts_with(['-', '.'])
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-.".contains(&byte))
        && port.parse::<u16>().is_ok_and(|port| port != 0)
}

#[cfg(test)]
mod tests;
