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
pub(super) struct Secret(String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl Secret {
    pub(super) fn new(text: &str) -> Self {
        Self(text.to_owned())
    }

    pub(super) fn expose(&self) -> &str {
        &self.0
    }

    /// The first line of a file; `what` names it in the error.
    pub(super) fn read(path: &Path, what: &str) -> Result<Self, String> {
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
mod tests {
    use super::*;

    #[test]
    fn a_password_is_found_in_every_form_it_is_sent_in() {
        let redaction = Redaction::of_login("ann", &Secret("canary-7".into()));
        let answer = format!(
            "535 {} {} no canary-7 here\r\n",
            STANDARD.encode("\0ann\0canary-7"),
            STANDARD.encode("canary-7")
        );
        assert_eq!(redaction.apply(&answer), "535 … … no … here  ");
        assert_eq!(format!("{redaction:?}").matches("canary").count(), 0);
    }

    #[test]
    fn a_secret_is_the_first_line_of_its_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        for (content, secret) in [("a b\n", Some("a b")), ("a\r\nb", Some("a")), ("\nb", None)] {
            std::fs::write(&path, content).unwrap();
            let read = Secret::read(&path, "the password").ok();
            assert_eq!(read.as_ref().map(Secret::expose), secret, "{content:?}");
        }
        std::fs::write(&path, "x".repeat(5000)).unwrap();
        let why = Secret::read(&path, "the password").unwrap_err();
        assert!(why.contains("the password") && why.contains("4096"), "{why}");
    }
}
