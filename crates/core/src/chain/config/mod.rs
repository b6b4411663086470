//! `server.toml`: what the service builds, for whom, and how.

mod network;
mod problem;
mod program;
mod repository;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use serde::Deserialize;

pub use self::network::Network;
pub(super) use self::problem::is_inside;
use self::problem::{Problem, check_notify};
pub use self::program::{ProgramRule, Runner, Score};
pub use self::repository::{Forge, Repository, StatusSpec};
use crate::detect::{DetectError, Rule, Rules};
use crate::spec::NotifySpec;

/// Longer files are refused.
const BYTES_MAX: u64 = 1 << 20;
const REPOSITORIES_MAX: usize = 1000;

/// The configuration of the service; all paths are absolute.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Config {
    /// The address to listen on.
    #[serde(default = "default_listen")]
    pub listen: SocketAddr,
    /// The public URL of the service, for links in mail and statuses.
    pub public_url: Option<String>,
    /// Trusted proxies in front of the service, by address or network: only their `X-Forwarded-For` headers are
    /// believed.
    #[serde(default)]
    pub trusted_proxies: Vec<Network>,
    /// The folder that the service keeps everything in: its database, checkouts, runs, logs and models.
    #[serde(default = "default_folder")]
    pub folder: PathBuf,
    /// How many builds may run at the same time.
    #[serde(default = "default_running")]
    pub max: usize,
    /// The socket of the container engine. Default: the one that `DOCKER_HOST` names, or the first found in the usual
    /// places.
    pub engine: Option<PathBuf>,
    /// Who may see and change what.
    #[serde(default)]
    pub access: Access,
    /// Certificate and key for TLS connections.
    pub tls: Option<Tls>,
    /// How long files of ended builds are kept.
    #[serde(default)]
    pub keep: Keep,
    /// Who is notified of every build, unless its repository says otherwise.
    #[serde(default)]
    pub notify: NotifySpec,
    /// The repositories that are built.
    #[serde(default, rename = "repository")]
    pub repositories: Vec<Repository>,
    /// How each kind of program is trained; studies need no rule.
    #[serde(default, rename = "rule")]
    pub rules: Vec<ProgramRule>,
    /// Registries whose model in production is retrained according to their own settings.
    #[serde(default)]
    pub retrain: Vec<Retrain>,
}

/// A registry that `burgeon retrain` watches.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Retrain {
    /// Its folder.
    pub registry: PathBuf,
    /// Seconds between two checks.
    #[serde(default = "default_watch")]
    pub watch_seconds: u32,
    /// The folder of MNIST on this machine, as with `--data`.
    pub data: Option<PathBuf>,
}

fn default_watch() -> u32 {
    60
}

/// Who may use the service. Without token files, everybody on this machine may do everything, and nobody else
/// may do anything.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Access {
    /// The file whose first line is the token that allows seeing everything and changing nothing.
    pub read_token_file: Option<PathBuf>,
    /// The file whose first line is the token that also allows starting, stopping and retrying builds.
    pub change_token_file: Option<PathBuf>,
}

/// Files for TLS, in PEM.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Tls {
    /// The certificate, followed by intermediate certificates.
    pub certificate_file: PathBuf,
    /// Its private key.
    pub key_file: PathBuf,
}

/// What the service keeps of ended builds. A published model and the newest build of a repository are always kept.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Keep {
    /// Days after which the files of a build are removed.
    pub days: u32,
    /// Total size of the builds of a repository above which the oldest are removed.
    pub gigabytes: u32,
    /// Largest log of a build; the middle of a longer one is cut out.
    pub log_megabytes: u32,
}

impl Default for Keep {
    fn default() -> Self {
        Self { days: 30, gigabytes: 20, log_megabytes: 8 }
    }
}

fn default_listen() -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8437)
}

fn default_folder() -> PathBuf {
    "state".into()
}

fn default_running() -> usize {
    1
}

/// Why a configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// It cannot be read.
    #[error("cannot read the configuration {}", file.display())]
    Read {
        /// The file.
        file: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It is not TOML, or has unknown keys.
    #[error("{}: {message}", file.display())]
    Syntax {
        /// The file.
        file: PathBuf,
        /// What is wrong, with its line.
        message: String,
    },
    /// A value is invalid.
    #[error("{}: {key} {problem}; {help}", file.display())]
    Value {
        /// The file.
        file: PathBuf,
        /// The key of the value.
        key: String,
        /// What is wrong.
        problem: String,
        /// What would be valid.
        help: String,
    },
    /// A rule cannot be used.
    #[error(transparent)]
    Rule(#[from] DetectError),
}

impl Config {
    /// Reads a file. Relative paths in it start at its folder.
    ///
    /// # Errors
    ///
    /// If it cannot be read, or a value is invalid.
    pub fn read(file: &Path) -> Result<Self, ConfigError> {
        let refuse = |source| ConfigError::Read { file: file.into(), source };
        let length = std::fs::metadata(file).map_err(refuse)?.len();
        if length > BYTES_MAX {
            return Err(refuse(std::io::Error::other("longer than 1 MiB")));
        }
        let text = std::fs::read_to_string(file).map_err(refuse)?;
        let absolute = std::path::absolute(file).map_err(refuse)?;
        let folder = absolute.parent().unwrap_or(Path::new("/"));
        Self::parse(file, folder, &text)
    }

    /// Parses the text of a file; `file` names it in errors, and relative paths in it start at `folder`.
    ///
    /// # Errors
    ///
    /// As [`Config::read`].
    pub fn parse(file: &Path, folder: &Path, text: &str) -> Result<Self, ConfigError> {
        let mut config: Self = toml::from_str(text).map_err(|error| {
            let place = error.span().map_or(String::new(), |span| place(text, span.start));
            let message = format!("{place}{}", error.message().trim());
            ConfigError::Syntax { file: file.into(), message }
        })?;
        config.make_absolute(folder);
        config.check().map_err(|Problem { key, problem, help }| ConfigError::Value {
            file: file.into(),
            key,
            problem,
            help: help.into(),
        })?;
        let rules: Vec<Rule> = config.rules.iter().map(|rule| rule.rule.clone()).collect();
        Rules::checked(&file.display().to_string(), rules)?;
        Ok(config)
    }

    /// Changes the address to listen on, if access to the service is restricted enough for it.
    ///
    /// # Errors
    ///
    /// If other machines could connect and would have all rights.
    pub fn listen_on(&mut self, address: SocketAddr) -> Result<(), ConfigError> {
        self.listen = address;
        self.check().map_err(|Problem { key, problem, help }| ConfigError::Value {
            file: "--listen".into(),
            key,
            problem,
            help: help.into(),
        })
    }

    /// The repository with a name.
    pub fn repository(&self, name: &str) -> Option<&Repository> {
        self.repositories.iter().find(|repository| repository.name == name)
    }

    /// Who is notified of the builds of a repository.
    pub fn notify_of(&self, repository: &Repository) -> NotifySpec {
        repository.notify.clone().unwrap_or_else(|| self.notify.clone())
    }

    fn make_absolute(&mut self, folder: &Path) {
        let absolute = |path: &mut PathBuf| *path = folder.join(&*path);
        absolute(&mut self.folder);
        self.engine.iter_mut().for_each(absolute);
        let access = &mut self.access;
        access.read_token_file.iter_mut().for_each(absolute);
        access.change_token_file.iter_mut().for_each(absolute);
        if let Some(tls) = &mut self.tls {
            absolute(&mut tls.certificate_file);
            absolute(&mut tls.key_file);
        }
        let notify = &mut self.notify;
        notify.paths().into_iter().for_each(|(_, path)| absolute(path));
        for retrain in &mut self.retrain {
            absolute(&mut retrain.registry);
            retrain.data.iter_mut().for_each(absolute);
        }
        for repository in &mut self.repositories {
            repository.secret_files.iter_mut().for_each(absolute);
            repository.data.iter_mut().for_each(absolute);
            if let Some(status) = &mut repository.status {
                absolute(&mut status.token_file);
            }
            if let Some(notify) = &mut repository.notify {
                notify.paths().into_iter().for_each(|(_, path)| absolute(path));
            }
        }
    }

    fn check(&self) -> Result<(), Problem> {
        if !self.listen.ip().is_loopback() && self.access.change_token_file.is_none() {
            return Err(Problem::new(
                "listen",
                format!(
                    "lets other machines connect to {}, and everybody would be allowed to do everything",
                    self.listen
                ),
                "add `change-token-file` to [access], or listen on 127.0.0.1",
            ));
        }
        if !self.trusted_proxies.is_empty() && self.access.change_token_file.is_none() {
            return Err(Problem::new(
                "trusted-proxies",
                "lets other machines connect through a proxy, and everybody would be allowed to do everything".into(),
                "add `change-token-file` to [access]",
            ));
        }
        if let Some(network) = self.trusted_proxies.iter().find(|network| network.bits() == 0) {
            return Err(Problem::new(
                "trusted-proxies",
                format!("contains {network}, which is every address"),
                "list the addresses of the proxies",
            ));
        }
        if self.access.read_token_file.is_some() && self.access.change_token_file.is_none() {
            return Err(Problem::new(
                "access.read-token-file",
                "restricts reading, although everybody may change everything".into(),
                "add `change-token-file`",
            ));
        }
        if !(1..=256).contains(&self.max) {
            return Err(Problem::new("max", format!("is {}", self.max), "use 1 to 256"));
        }
        if let Some(url) = &self.public_url
            && !(url.starts_with("https://") || url.starts_with("http://"))
        {
            let problem = format!("{url:?} is not an http or https URL");
            return Err(Problem::new(
                "public-url",
                problem,
                "use a URL such as https://burgeon.example.org",
            ));
        }
        check_keep(&self.keep)?;
        check_notify("notify", &self.notify)?;
        for (place, retrain) in self.retrain.iter().enumerate() {
            let (key, seconds) = (format!("retrain[{place}].watch-seconds"), retrain.watch_seconds);
            if !(1..=86_400).contains(&seconds) {
                let problem = format!("is {seconds}");
                return Err(Problem::new(&key, problem, "use 1 to 86400 seconds"));
            }
        }
        if self.repositories.len() > REPOSITORIES_MAX {
            let problem = format!("has {} entries", self.repositories.len());
            return Err(Problem::new("repository", problem, "list at most 1000"));
        }
        for (place, repository) in self.repositories.iter().enumerate() {
            repository.check(&format!("repository[{place}]"))?;
            let same = self.repositories[..place].iter().any(|other| other.name == repository.name);
            if same {
                let problem = format!("{:?} is used twice", repository.name);
                return Err(Problem::new(
                    &format!("repository[{place}].name"),
                    problem,
                    "give each repository its own name",
                ));
            }
        }
        for (place, rule) in self.rules.iter().enumerate() {
            rule.score.check(&format!("rule[{place}].score"))?;
            rule.check(&format!("rule[{place}]"))?;
        }
        Ok(())
    }
}

/// The line at this byte and its key, without its value, which may be a password that has no place there.
fn place(text: &str, at: usize) -> String {
    let number = text.bytes().take(at).filter(|byte| *byte == b'\n').count();
    let line = text.lines().nth(number).unwrap_or_default();
    let key =
        if line.starts_with('[') { line } else { line.split_once('=').map_or("", |(key, _)| key) };
    let is_key = key.trim().chars().all(|c| c.is_ascii_alphanumeric() || "-_.[]".contains(c));
    match key.trim() {
        key if is_key && !key.is_empty() => format!("line {}, {key}: ", number + 1),
        _ => format!("line {}: ", number + 1),
    }
}

fn check_keep(keep: &Keep) -> Result<(), Problem> {
    for (key, value, most) in [
        ("keep.days", keep.days, 36_500),
        ("keep.gigabytes", keep.gigabytes, 1_000_000),
        ("keep.log-megabytes", keep.log_megabytes, 1000),
    ] {
        if !(1..=most).contains(&value) {
            let problem = format!("is {value}, which is not in the range 1 to {most}");
            return Err(Problem::new(key, problem, "use a number in that range"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
