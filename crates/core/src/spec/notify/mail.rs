//! `[notify] mail`: whom to write to, through which server, and with which login.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::address::check_address;
use super::host::{is_host, is_loopback};
use crate::spec::check::Check;

/// `[notify] mail`: whom to write to, and through which server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct MailSpec {
    /// Addresses, such as "ann@example.org" or "Ann Lee <ann@example.org>"; each gets a message of its
    /// own.
    #[schemars(length(min = 1, max = 32))]
    pub to: Vec<String>,
    /// The sender's address.
    pub from: String,
    /// Name or IP address of the SMTP server.
    pub server: String,
    /// Its port. Default: 587 for "starttls", 465 for "tls", 25 for "none".
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub port: Option<u16>,
    /// How the connection is encrypted.
    #[serde(default)]
    pub security: MailSecurity,
    /// The name to log in with. Default: no login.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The file whose first line is the password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password_file: Option<PathBuf>,
    /// The environment variable that holds the password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password_variable: Option<String>,
    /// A PEM file with the certificate of the authority that signed the server's. Default: the public
    /// authorities.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<PathBuf>,
}

/// How the connection to an SMTP server is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum MailSecurity {
    /// By STARTTLS before anything else is sent; a server without it is not used.
    #[default]
    Starttls,
    /// From the first byte on.
    Tls,
    /// Not at all; only to a server on this machine.
    None,
}

const ADDRESSES_MAX: usize = 32;

impl MailSpec {
    /// The port to connect to.
    pub fn port(&self) -> u16 {
        self.port.unwrap_or(match self.security {
            MailSecurity::Starttls => 587,
            MailSecurity::Tls => 465,
            MailSecurity::None => 25,
        })
    }

    pub(super) fn check(&self, check: &mut Check) {
        if !(1..=ADDRESSES_MAX).contains(&self.to.len()) {
            let problem = format!("has {} addresses", self.to.len());
            check.problem("notify.mail.to", problem, format!("list 1 to {ADDRESSES_MAX} of them"));
        }
        for (index, address) in self.to.iter().enumerate() {
            check_address(check, &format!("notify.mail.to[{index}]"), address);
        }
        check_address(check, "notify.mail.from", &self.from);
        if !is_host(&self.server) {
            let problem = format!("{:?} is not the name of a server", self.server);
            check.problem("notify.mail.server", problem, "use one such as \"smtp.example.org\"");
        } else if self.security == MailSecurity::None && !is_loopback(&self.server) {
            check.problem(
                "notify.mail.security",
                "mail is sent without encryption only to a server on this machine".into(),
                "use \"starttls\" or \"tls\", or the server \"localhost\"",
            );
        }
        if self.port == Some(0) {
            check.problem("notify.mail.port", "0 is not a port".into(), "use one such as 587");
        }
        let user = self.user.as_deref();
        if user.is_some_and(|user| user.is_empty() || user.contains(char::is_control)) {
            let problem = "is empty or has control characters";
            check.problem("notify.mail.user", problem.into(), "use the name to log in with");
        }
        let passwords = [
            ("notify.mail.password-file", self.password_file.is_some()),
            ("notify.mail.password-variable", self.password_variable.is_some()),
        ];
        let given: Vec<&str> =
            passwords.iter().filter(|(_, given)| *given).map(|(key, _)| *key).collect();
        match (user, given[..].first(), given.len()) {
            (Some(_), _, 0) => check.problem(
                "notify.mail.user",
                "has no password to log in with".into(),
                "add `password-file` or `password-variable`",
            ),
            (Some(_), Some(key), 2) => check.problem(
                key,
                "is a second password".into(),
                "use either `password-file` or `password-variable`",
            ),
            (None, Some(key), _) => {
                check.problem(key, "has no effect without `user`".into(), "add `user`");
            }
            _ => {}
        }
        let is_variable =
            |name: &str| !name.is_empty() && !name.contains(['=', '\0', '\r', '\n', ' ']);
        if let Some(name) = &self.password_variable
            && !is_variable(name)
        {
            check.problem(
                "notify.mail.password-variable",
                // Not the value, which may be the password itself.
                "is not the name of an environment variable".into(),
                "use one such as \"SMTP_PASSWORD\"",
            );
        }
    }
}
