//! Passwords and secrets: read for one try, and taken out of whatever a server answers.

use std::fmt;
use std::path::Path;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD as STANDARD;

use super::announcement::one_line;
use crate::sys::error_chain;
use crate::sys::files::{Files, RealFiles};

/// Longer files hold no password.
const SECRET_BYTES_MAX: u64 = 4096;
/// Longer answers of servers are cut.
const ANSWER_CHARS_MAX: usize = 300;

/// A secret, which is never printed.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Secret(String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl Secret {
    /// A secret that was read elsewhere.
    pub(crate) fn new(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// The secret, for the one use that it has.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }

    /// The first line of a file; `what` names it in the error.
    pub(crate) fn read(path: &Path, what: &str) -> Result<Self, String> {
        let bytes = RealFiles
            .read(path, SECRET_BYTES_MAX)
            .map_err(|error| format!("{what} cannot be read: {}", error_chain(&error)))?;
        let text = String::from_utf8(bytes)
            .map_err(|_| format!("{what}, {}, is not UTF-8", path.display()))?;
        let first = text.lines().next().unwrap_or_default();
        if first.is_empty() {
            return Err(format!("{what}, {}, has an empty first line", path.display()));
        }
        Ok(Self(first.to_owned()))
    }

    /// The value of an environment variable.
    pub(super) fn from_variable(name: &str, what: &str) -> Result<Self, String> {
        match std::env::var(name) {
            Ok(value) if !value.is_empty() => Ok(Self(value)),
            Ok(_) | Err(std::env::VarError::NotPresent) => {
                Err(format!("{what} is missing: the environment variable {name} is not set"))
            }
            Err(std::env::VarError::NotUnicode(_)) => {
                Err(format!("{what}, in the environment variable {name}, is not UTF-8"))
            }
        }
    }
}

/// Takes secrets out of texts of others, which may repeat what they were sent.
#[derive(Debug, Default)]
pub(super) struct Redaction {
    forms: Vec<Secret>,
}

impl Redaction {
    /// A redaction of a login in all forms in which it is sent.
    pub(super) fn of_login(user: &str, password: &Secret) -> Self {
        let password = password.expose();
        let forms = [
            password.to_owned(),
            STANDARD.encode(password),
            STANDARD.encode(format!("\0{user}\0{password}")),
        ];
        Self { forms: forms.map(Secret).to_vec() }
    }

    /// A redaction of a secret as it is.
    pub(super) fn of(secrets: impl IntoIterator<Item = Secret>) -> Self {
        Self { forms: secrets.into_iter().collect() }
    }

    /// The text without secrets, as a short line without control characters.
    pub(super) fn apply(&self, text: &str) -> String {
        // Before it is cut, lest a part of a secret be left at the end.
        let text = self.forms.iter().fold(text.to_owned(), |text, Secret(form)| {
            if form.is_empty() { text } else { text.replace(form.as_str(), "…") }
        });
        one_line(&text, ANSWER_CHARS_MAX)
    }
}

#[cfg(test)]
mod tests;
