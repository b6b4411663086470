//! Addresses of repositories: only those kinds that Git reaches without running anything that an address names.

use std::fmt;
use std::path::Path;

use serde::de::{Deserialize, Deserializer, Error as _};

/// Where a repository is fetched from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GitUrl {
    text: String,
    transport: &'static str,
}

/// An address that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the URL {shown:?} {problem}; use https://…, ssh://…, git@host:path, or an absolute path on this machine"
)]
pub struct UrlError {
    shown: String,
    problem: &'static str,
}

impl GitUrl {
    /// As Git takes it.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The one kind of transport that Git may use for it, as `GIT_ALLOW_PROTOCOL` names it.
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
        return Err("is longer than 2000 bytes, or has spaces or control characters");
    }
    if Path::new(text).is_absolute() {
        return Ok("file");
    }
    if text.starts_with('-') {
        return Err("would be taken for an option");
    }
    if let Some(rest) = text.strip_prefix("https://") {
        let host = rest.split('/').next().unwrap_or_default();
        if host.contains('@') {
            return Err("holds a user or a password; let Git's credential helper keep them");
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
        _ => return Err("is not an address of a kind that is allowed"),
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
