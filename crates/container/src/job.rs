//! What to run in a container.

use std::collections::HashSet;
use std::path::{Component, Path, PathBuf};

use super::error::ContainerError;
use crate::hang::HangLimits;

/// Where [`Job::checkout`] is in the container.
pub(super) const CHECKOUT: &str = "/checkout";

/// Where [`Job::output`] is in the container.
pub(super) const OUTPUT: &str = "/output";

/// A program to run in a container, and what it may use.
#[derive(Debug, Clone, PartialEq)]
pub struct Job {
    /// Identifies the job: its container carries this as the value of [`LABEL`](super::LABEL). Letters, digits
    /// and `-_.:/`, 200 at most.
    pub label: String,
    /// The image's name; the engine has to have it.
    pub image: String,
    /// The program and its arguments, which follow the image's entry point, if it has one; empty for the image's own.
    pub command: Vec<String>,
    /// Names and values. Whoever may use the engine can read them: secrets belong into a mounted file.
    pub environment: Vec<(String, String)>,
    /// A folder that the program finds at `/checkout`, and cannot write to.
    pub checkout: PathBuf,
    /// A folder that the program finds at `/output`, where it starts, and may write to.
    pub output: PathBuf,
    /// Further files and folders.
    pub more_mounts: Vec<Mount>,
    /// User and group that the program runs as.
    pub user: (u32, u32),
    /// How much it may use.
    pub limits: Limits,
    /// Whether it has the engine's usual network; without it, none at all.
    pub network: bool,
    /// GPUs that it has.
    pub gpus: Gpus,
}

/// GPUs of NVIDIA that a program has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Gpus {
    /// None.
    #[default]
    None,
    /// This many, the first ones of the machine.
    First(u32),
    /// All of the machine.
    All,
}

/// A file or folder of this machine in a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mount {
    /// Its absolute path on this machine.
    pub source: PathBuf,
    /// Its absolute path in the container.
    pub target: String,
    /// Whether the program cannot write to it.
    pub read_only: bool,
}

/// How much the program in a container may use.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limits {
    /// Processors, of which parts may be used: 0.01 or more.
    pub cpus: f64,
    /// Memory in bytes, with the files in `/tmp`; 16 MiB or more. There is no swap beyond it.
    pub memory_bytes: u64,
    /// Processes and threads, the engine's own first process among them.
    pub processes: u32,
    /// Seconds from its start to its end.
    pub seconds: Option<u64>,
    /// How long it may give no sign of life.
    pub hang: HangLimits,
}

impl Job {
    /// Refuses what the engine would misunderstand.
    pub(super) fn check(&self) -> Result<(), ContainerError> {
        self.wrong().map_or(Ok(()), |wrong| {
            Err(ContainerError::BadJob { label: self.label.escape_debug().to_string(), wrong })
        })
    }

    fn wrong(&self) -> Option<String> {
        if !is_label(&self.label) {
            return Some("a label has 1 to 200 letters, digits and `-_.:/`".into());
        }
        if !is_image(&self.image) {
            return Some(format!("`{}` is not the name of an image", self.image.escape_debug()));
        }
        if self.command.iter().any(|word| word.contains('\0')) {
            return Some("a word of the command has a NUL".into());
        }
        let bad = |(name, value): &&(String, String)| {
            name.is_empty() || name.contains(['=', '\0']) || value.contains('\0')
        };
        if let Some((name, _)) = self.environment.iter().find(bad) {
            return Some(format!(
                "the environment variable `{}` has an empty name, a `=` in its name, or a NUL",
                name.escape_debug()
            ));
        }
        self.limits.wrong().or_else(|| self.wrong_mount())
    }

    fn wrong_mount(&self) -> Option<String> {
        let mut targets = HashSet::from([CHECKOUT.to_owned(), OUTPUT.to_owned()]);
        for path in [&self.checkout, &self.output] {
            if let Some(wrong) = wrong_source(path) {
                return Some(wrong);
            }
            if !path.is_dir() {
                return Some(format!("{} is not a folder", path.display()));
            }
        }
        for Mount { source, target, .. } in &self.more_mounts {
            if let Some(wrong) = wrong_source(source) {
                return Some(wrong);
            }
            if !is_target(target) {
                return Some(format!(
                    "`{}` is not a place for a mount: give an absolute path without `..` that is not `/`, `/tmp`, or in `/proc`, `/sys` or `/dev`",
                    target.escape_debug()
                ));
            }
            if !targets.insert(target.clone()) {
                return Some(format!("two mounts are at `{target}`"));
            }
        }
        None
    }
}

impl Limits {
    fn wrong(&self) -> Option<String> {
        // Written so that NaN is refused, too.
        if !(0.01..=100_000.0).contains(&self.cpus) {
            return Some(format!("{} processors; give 0.01 or more", self.cpus));
        }
        if !(16 << 20..=1 << 60).contains(&self.memory_bytes) {
            return Some(format!("{} bytes of memory; give 16 MiB or more", self.memory_bytes));
        }
        // The engine's own first process is one of them.
        if self.processes < 2 {
            return Some(format!("{} processes; give 2 or more", self.processes));
        }
        (self.seconds == Some(0)).then(|| "0 seconds; give 1 or more".into())
    }
}

pub(super) fn is_label(label: &str) -> bool {
    let known = |c: char| c.is_ascii_alphanumeric() || "-_.:/".contains(c);
    !label.is_empty() && label.len() <= 200 && label.chars().all(known)
}

/// Whether it can be an image's name, and stands in the path of a request as it is.
pub(super) fn is_image(image: &str) -> bool {
    let known = |c: char| c.is_ascii_alphanumeric() || "-_.:/@".contains(c);
    image.len() <= 255
        && image.starts_with(|c: char| c.is_ascii_alphanumeric())
        && image.chars().all(known)
        && !image.contains("..")
        && !image.contains("//")
}

fn wrong_source(path: &Path) -> Option<String> {
    if !path.is_absolute() || path.to_str().is_none() {
        return Some(format!("{} is not an absolute path in UTF-8", path.display()));
    }
    path.symlink_metadata().err().map(|error| format!("{}: {error}", path.display()))
}

fn is_target(target: &str) -> bool {
    let path = Path::new(target);
    let plain =
        path.components().all(|part| matches!(part, Component::RootDir | Component::Normal(_)));
    let kernel = ["/proc", "/sys", "/dev"].iter().any(|folder| path.starts_with(folder));
    let taken = ["/", "/tmp", CHECKOUT, OUTPUT].iter().any(|folder| path == Path::new(folder));
    path.is_absolute() && plain && !kernel && !taken && !target.contains('\0')
}

#[cfg(test)]
pub(super) mod tests;
