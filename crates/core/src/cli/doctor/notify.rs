//! Whether the program of `[notify]` can be started, and whether its mail server would take a message.

use std::ffi::OsStr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::check::Check;
use crate::spec::NotifySpec;

const AREA: &str = "notify";

/// Checks the command of `[notify]`, which is not run, and the mail server, to which nothing is sent.
pub fn notify(spec: &NotifySpec) -> Vec<Check> {
    let mut checks: Vec<Check> = command(spec).into_iter().collect();
    #[cfg(feature = "mail")]
    checks.extend(spec.mail.as_ref().map(mail::server));
    checks
}

fn command(spec: &NotifySpec) -> Option<Check> {
    let program = spec.command.as_ref()?.first()?;
    let path = std::env::var_os("PATH").unwrap_or_default();
    Some(match find(program, &path) {
        Some(found) => Check::ok(AREA, format!("the command of [notify] is {}", found.display())),
        None => Check::fault(
            AREA,
            format!("the command of [notify], `{program}`, is not a program that can be started"),
            "give its path, make it executable, or add its folder to PATH",
        ),
    })
}

#[cfg(feature = "mail")]
mod mail {
    use std::time::Duration;

    use super::{AREA, Check};
    use crate::notify::try_mail_server;
    use crate::spec::{MailSecurity, MailSpec};

    /// A server that is slower will often be too slow at the end of a study, too.
    const LIMIT: Duration = Duration::from_secs(10);

    pub fn server(mail: &MailSpec) -> Check {
        let server = format!("the mail server {}, port {},", mail.server, mail.port());
        match try_mail_server(mail, LIMIT) {
            Ok(()) => {
                let how = match mail.security {
                    MailSecurity::Starttls => "over TLS (STARTTLS)",
                    MailSecurity::Tls => "over TLS",
                    MailSecurity::None => "without TLS",
                };
                let login = match &mail.user {
                    Some(user) => format!(" and takes the login of {user}"),
                    None => String::new(),
                };
                Check::ok(AREA, format!("{server} answers {how}{login}; nothing was sent"))
            }
            Err(why) => Check::fault(
                AREA,
                format!("{server} would take no message: {why}"),
                "correct `mail` of [notify], or see to the server; messages wait in the run folder meanwhile",
            ),
        }
    }
}

/// As the system looks for a program.
fn find(program: &str, path: &OsStr) -> Option<PathBuf> {
    if program.contains('/') {
        return Some(PathBuf::from(program)).filter(|path| is_executable(path));
    }
    std::env::split_paths(path).map(|folder| folder.join(program)).find(|path| is_executable(path))
}

fn is_executable(path: &Path) -> bool {
    path.metadata().is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests;
