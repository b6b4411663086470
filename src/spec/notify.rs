//! `[notify]`: who is told how a study ended, and how.

use std::net::IpAddr;
#[cfg(feature = "train")]
use std::path::Path;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::check::Check;

/// `[notify]`: who is told when a study is over, could not go on, or was given up by its supervisor.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct NotifySpec {
    /// A program and its arguments, run once when the study is over. Its environment holds
    /// `BURGEON_OUTCOME` (`accepted` or `rejected`), `BURGEON_ACCURACY`, `BURGEON_RUN_DIR` and
    /// `BURGEON_STUDY`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub command: Option<Vec<String>>,
    /// Mail with the verdict, the figures, the accuracy curve and the report.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mail: Option<MailSpec>,
    /// HTTP requests with the verdict and the figures.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub webhook: Vec<WebhookSpec>,
}

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

/// An address of mail: a name to show, and the address itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MailAddress<'a> {
    /// Empty if none is given.
    pub(crate) name: &'a str,
    pub(crate) local: &'a str,
    pub(crate) domain: &'a str,
}

const ADDRESSES_MAX: usize = 32;
const WEBHOOKS_MAX: usize = 16;
const ADDRESS_RULE: &str = "use one such as \"ann@example.org\" or \"Ann Lee <ann@example.org>\"";

impl NotifySpec {
    /// Makes each relative path absolute; `base` gives the folder that one starts from, by its key.
    #[cfg(feature = "train")]
    pub(crate) fn resolve_paths<E>(
        &mut self,
        mut resolve: impl FnMut(&str, &Path) -> Result<PathBuf, E>,
    ) -> Result<(), E> {
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
        for (key, path) in paths {
            *path = resolve(&key, path)?;
        }
        Ok(())
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

impl MailSpec {
    /// The port to connect to.
    pub fn port(&self) -> u16 {
        self.port.unwrap_or(match self.security {
            MailSecurity::Starttls => 587,
            MailSecurity::Tls => 465,
            MailSecurity::None => 25,
        })
    }

    fn check(&self, check: &mut Check) {
        if !(1..=ADDRESSES_MAX).contains(&self.to.len()) {
            let problem = format!("has {} addresses", self.to.len());
            check.problem("notify.mail.to", problem, format!("list 1 to {ADDRESSES_MAX} of them"));
        }
        for (index, address) in self.to.iter().enumerate() {
            check_address(check, &format!("notify.mail.to[{index}]"), address);
        }
        check_address(check, "notify.mail.from", &self.from);
        if !is_host(&self.server) {
            let problem = format!("{:?} is no name of a server", self.server);
            check.problem("notify.mail.server", problem, "use one such as \"smtp.example.org\"");
        } else if self.security == MailSecurity::None && !is_loopback(&self.server) {
            check.problem(
                "notify.mail.security",
                "mail is sent without encryption only to a server on this machine".into(),
                "use \"starttls\" or \"tls\", or the server \"localhost\"",
            );
        }
        if self.port == Some(0) {
            check.problem("notify.mail.port", "0 is no port".into(), "use one such as 587");
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
                "is one password too many".into(),
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
                "is no name of an environment variable".into(),
                "use one such as \"SMTP_PASSWORD\"",
            );
        }
    }
}

impl WebhookSpec {
    fn check(&self, check: &mut Check, key: &str) {
        match (&self.url, &self.url_file) {
            (None, None) => {
                check.problem(key, "has no address".into(), "add `url` or `url-file`");
            }
            (Some(_), Some(_)) => check.problem(
                &format!("{key}.url-file"),
                "is one address too many".into(),
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
        _ => return Err("is no address that starts with https://"),
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

fn check_address(check: &mut Check, key: &str, address: &str) {
    if mail_address(address).is_none() {
        check.problem(key, format!("{address:?} is no mail address"), ADDRESS_RULE);
    }
}

/// Reads an address. What is read has neither control characters nor anything that would need quoting in
/// the address itself.
pub(crate) fn mail_address(text: &str) -> Option<MailAddress<'_>> {
    if text.len() > 512 || text.contains(|c: char| c.is_control() || is_separator(c)) {
        return None;
    }
    let (name, address) = match text.strip_suffix('>') {
        Some(rest) => rest.rsplit_once('<').map(|(name, address)| (name.trim(), address))?,
        None => ("", text),
    };
    let (local, domain) = address.split_once('@')?;
    let is_atom = |atom: &str| {
        !atom.is_empty()
            && atom
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&byte))
    };
    let fits = local.len() <= 64 && local.split('.').all(is_atom) && is_domain(domain);
    fits.then_some(MailAddress { name, local, domain })
}

/// Unicode's line and paragraph separators, which some programs take for the end of a line.
pub(crate) fn is_separator(c: char) -> bool {
    matches!(c, '\u{2028}' | '\u{2029}')
}

fn is_host(host: &str) -> bool {
    host.parse::<IpAddr>().is_ok() || is_domain(host)
}

fn is_domain(domain: &str) -> bool {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    domain.len() <= 253 && domain.split('.').all(is_label)
}

/// Whether a server of this name is this machine.
fn is_loopback(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost")
        || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use crate::spec::{SpecError, StudyDocument, StudyFile};

    fn study(notify: &str) -> StudyDocument {
        StudyDocument::new("s.toml", format!("[model]\nlayers = []\n[notify]\n{notify}\n"))
    }

    fn problems(notify: &str) -> String {
        study(notify).check().unwrap_err().to_string()
    }

    fn mail(more: &str) -> String {
        format!(
            "mail = {{ to = [\"ann@example.org\"], from = \"Bö <b@example.org>\", \
             server = \"smtp.example.org\", {more} }}"
        )
    }

    #[test]
    fn what_is_told_to_whom_is_read_and_written_back() {
        let text = mail("user = \"ann\", password-variable = \"SMTP_PASSWORD\", port = 2525")
            + "\nwebhook = [{ url = \"https://example.org/h\", template = \"slack\" }, \
               { url-file = \"u\", secret-file = \"s\" }]";
        study(&text).check().unwrap();
        let file = study(&text).parse().unwrap();
        assert_eq!(file.notify.mail.as_ref().unwrap().port(), 2525);
        let again = StudyDocument::new("s.toml", file.to_toml()).parse().unwrap();
        assert_eq!(again, file);
        let plain = StudyFile::new("study", Vec::new());
        assert!(!plain.to_toml().contains("notify"), "{}", plain.to_toml());
    }

    #[test]
    fn what_is_wrong_is_named_with_its_key() {
        for (notify, key, why) in [
            (mail("security = \"none\""), "security", "without encryption"),
            (mail("user = \"ann\""), "user", "no password"),
            (mail("password-file = \"p\""), "password-file", "without `user`"),
            (mail("port = 0"), "port", "0 is no port"),
            (
                mail("user = \"a\", password-file = \"p\", password-variable = \"V\""),
                "pass",
                "many",
            ),
            ("webhook = [{}]".into(), "webhook[0]", "no address"),
            ("webhook = [{ url = \"http://example.org/\" }]".into(), "url", "not encrypted"),
            ("webhook = [{ url = \"ftp://example.org/\" }]".into(), "url", "https://"),
            ("webhook = [{ url = \"https://exa mple.org/\" }]".into(), "url", "spaces"),
        ] {
            let said = problems(&notify);
            assert!(said.contains(key) && said.contains(why), "{notify}: {said}");
        }
        for address in [
            "ann",
            "a@b@c",
            "ann@",
            "a b@c.org",
            "a@c.org\\r\\nBcc: x@y.z",
            "<a@b",
            "\\\"a\\\"@b.c",
        ] {
            let said = problems(&mail("").replace("ann@example.org", address));
            assert!(
                said.contains("notify.mail.to[0]") && said.contains("no mail address"),
                "{said}"
            );
        }
        for server in ["", "smtp.example.org:25", "a b", "smtp.example.org\\r\\nQUIT", "-a.org"] {
            let said = problems(&mail("").replace("smtp.example.org", server));
            assert!(said.contains("notify.mail.server"), "{server}: {said}");
        }
    }

    #[test]
    fn on_this_machine_encryption_is_not_needed() {
        for server in ["localhost", "127.0.0.1", "127.8.9.1", "::1"] {
            let text = mail("security = \"none\"").replace("smtp.example.org", server);
            study(&text).check().unwrap();
        }
        for url in ["http://127.0.0.1:8437/h", "http://[::1]:80/", "http://localhost/"] {
            study(&format!("webhook = [{{ url = \"{url}\" }}]")).check().unwrap();
        }
    }

    fn silent_about(canary: &str, error: &SpecError) {
        let shown = format!("{error} {error:?}");
        assert!(!shown.contains(canary), "{shown}");
    }

    #[test]
    fn a_password_in_a_study_file_is_refused_without_being_shown() {
        let error = study(&mail("password = \"canary-7\"")).parse().unwrap_err();
        assert!(error.to_string().contains("password-file"), "{error}");
        silent_about("canary-7", &error);
        let set = "notify.mail.password=canary-7".parse().unwrap();
        let error = study(&mail("")).with_overrides(vec![set]).parse().unwrap_err();
        assert!(error.to_string().contains("password-file"), "{error}");
        silent_about("canary-7", &error);
        let said = problems("webhook = [{ url = \"https://u:canary-7@example.org/\" }]");
        assert!(said.contains("a password") && !said.contains("canary-7"), "{said}");
    }
}
