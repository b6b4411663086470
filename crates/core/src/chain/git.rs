//! Fetching a commit and checking it out, through the `git` program, with hostile repositories in mind.
//!
//! The content of a repository affects nothing but its own checkout: no hooks, no submodules, no filters, no symbolic
//! links (they become files that contain their target), no transport but that of the configured URL. Size, number and
//! depth are checked before anything is written.

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::branch::is_commit;
use super::process::{Finished, Run};
use super::submodules;
use super::tree::{self, SUBMODULES_MAX, Submodule, Tree, TreeError, TreeLimits};
use super::url::GitUrl;
use burgeon_container::HangLimits;

/// Longest time of one call.
const FETCH: Duration = Duration::from_secs(600);
const LOOK_UP: Duration = Duration::from_secs(60);
/// Most output that is kept of a call.
const OUTPUT_MAX: usize = 64 << 10;

/// Why a commit cannot be fetched or checked out.
#[derive(Debug, thiserror::Error)]
pub enum GitError {
    /// The `git` program is missing, or a folder cannot be written.
    #[error("cannot run {what}")]
    Io {
        /// The command.
        what: &'static str,
        /// Why.
        source: io::Error,
    },
    /// Git reported an error.
    #[error("git {what} failed: {said}")]
    Failed {
        /// The command.
        what: &'static str,
        /// Its last lines of output.
        said: String,
    },
    /// It took too long.
    #[error("git {what} took longer than {} s", limit.as_secs())]
    OutOfTime {
        /// The command.
        what: &'static str,
        /// The limit.
        limit: Duration,
    },
    /// The service is stopping, or a user cancelled the build.
    #[error("stopped")]
    Stopped,
    /// The branch does not exist.
    #[error("the repository has no branch {branch}")]
    NoBranch {
        /// Its name.
        branch: String,
    },
    /// The repository is too large.
    #[error("the repository is larger than {megabytes} MB, the limit of `checkout-megabytes`")]
    TooLarge {
        /// The limit.
        megabytes: u32,
    },
    /// A submodule cannot be fetched.
    #[error("the submodule {path} {why}")]
    Submodule {
        /// Its path.
        path: String,
        /// Why.
        why: String,
    },
    /// It has too many submodules, or some that cannot be fetched.
    #[error(
        "only {read} of the {all} submodules can be fetched: at most {SUBMODULES_MAX} are allowed, with paths in UTF-8"
    )]
    Submodules {
        /// The number that can be fetched.
        read: usize,
        /// The number of all.
        all: u64,
    },
    /// Its content cannot be checked out.
    #[error(transparent)]
    Tree(#[from] TreeError),
}

/// What was checked out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkout {
    /// The full name of the commit.
    pub commit: String,
    /// The author of the commit.
    pub author: String,
    /// The first line of its message.
    pub message: String,
    /// Its content.
    pub tree: Tree,
}

/// A repository that can be fetched.
pub struct Git<'a> {
    /// Its URL.
    pub url: &'a GitUrl,
    /// The branch, checked.
    pub branch: &'a str,
    /// The local bare repository that it is fetched into.
    pub kept: &'a Path,
    /// Largest fetch and checkout.
    pub megabytes: u32,
    /// Whether submodules are fetched too.
    pub submodules: bool,
    /// Whether the build should stop.
    pub stop: &'a dyn Fn() -> bool,
}

impl Git<'_> {
    /// The newest commit of the branch.
    ///
    /// # Errors
    ///
    /// If the repository cannot be reached, or has no such branch.
    pub fn newest(&self) -> Result<String, GitError> {
        let reference = format!("refs/heads/{}", self.branch);
        let mut command = self.git(Trust::Operator);
        command.args(["ls-remote", "--", self.url.as_str(), &reference]);
        let said = self.call(command, "ls-remote", LOOK_UP, &mut |_| false)?;
        let commit = said
            .lines()
            .filter_map(|line| line.split_once('\t'))
            .find(|(_, name)| *name == reference)
            .map(|(commit, _)| commit.to_owned())
            .filter(|commit| is_commit(commit));
        commit.ok_or_else(|| GitError::NoBranch { branch: self.branch.into() })
    }

    /// Fetches a commit and checks it out into a new folder.
    ///
    /// # Errors
    ///
    /// If it cannot be fetched within the limits. The folder then does not exist.
    pub fn check_out(&self, commit: &str, folder: &Path) -> Result<Checkout, GitError> {
        self.prepare()?;
        if !self.has(commit)? {
            let had_objects = bytes_below(&self.kept.join("objects")) > 0;
            match self.fetch(commit) {
                // What earlier builds fetched counts too: try again without it.
                Err(GitError::TooLarge { .. }) if had_objects => {
                    self.prepare()?;
                    self.fetch(commit)?;
                }
                fetched => fetched?,
            }
        }
        let (tree, modules) = self.look(commit)?;
        if self.submodules && modules.len() as u64 != tree.submodules {
            return Err(GitError::Submodules { read: modules.len(), all: tree.submodules });
        }
        let (author, message) = self.author_and_message(commit)?;
        self.write(commit, folder, &tree, if self.submodules { &modules } else { &[] })?;
        Ok(Checkout { commit: commit.into(), author, message, tree })
    }

    /// Creates the bare repository, and removes locks that a killed call left in it: only one build at a time uses it.
    fn prepare(&self) -> Result<(), GitError> {
        let io = |source| GitError::Io { what: "git init", source };
        if !self.kept.join("HEAD").exists() {
            std::fs::create_dir_all(self.kept).map_err(io)?;
            let mut command = self.git(Trust::Nobody);
            command.args(["init", "--quiet", "--bare", "--template="]);
            self.call(command, "init", LOOK_UP, &mut |_| false)?;
        }
        for lock in ["shallow.lock", "config.lock", "packed-refs.lock", "HEAD.lock"] {
            match std::fs::remove_file(self.kept.join(lock)) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(io(error)),
            }
        }
        Ok(())
    }

    fn has(&self, commit: &str) -> Result<bool, GitError> {
        let mut command = self.git(Trust::Nobody);
        command.args(["cat-file", "-e", &format!("{commit}^{{tree}}")]);
        match self.call(command, "cat-file", LOOK_UP, &mut |_| false) {
            Ok(_) => Ok(true),
            Err(GitError::Failed { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Fetches one commit or, from servers that refuse to send single commits, its branch.
    fn fetch(&self, commit: &str) -> Result<(), GitError> {
        match self.fetch_with(&["--depth=1"], commit) {
            Err(GitError::Failed { .. }) => {}
            other => return other,
        }
        let branch = format!("+refs/heads/{0}:refs/heads/{0}", self.branch);
        self.fetch_with(&[], &branch)?;
        match self.has(commit)? {
            true => Ok(()),
            false => Err(GitError::Failed {
                what: "fetch",
                said: format!("the branch {} does not contain the commit {commit}", self.branch),
            }),
        }
    }

    fn fetch_with(&self, options: &[&str], what: &str) -> Result<(), GitError> {
        let mut command = self.git(Trust::Operator);
        command
            .args([
                "fetch",
                "--quiet",
                "--no-tags",
                "--no-recurse-submodules",
                "--no-write-fetch-head",
            ])
            .args(["--no-auto-maintenance", "--update-shallow"])
            .args(options)
            .args(["--", self.url.as_str(), what]);
        let limit = u64::from(self.megabytes) << 20;
        let mut is_too_large = false;
        let fetched = self.call(command, "fetch", FETCH, &mut |_| {
            is_too_large = bytes_below(self.kept) > limit;
            is_too_large
        });
        // It may have been fetched entirely between two checks.
        if is_too_large || bytes_below(self.kept) > limit {
            // Nothing of it is kept, as every later fetch would be too large from the start.
            let _ = std::fs::remove_dir_all(self.kept);
            return Err(GitError::TooLarge { megabytes: self.megabytes });
        }
        fetched.map(drop)
    }

    /// Checks the content of a commit before any of it is written.
    fn look(&self, commit: &str) -> Result<(Tree, Vec<Submodule>), GitError> {
        let limits = TreeLimits { bytes: u64::from(self.megabytes) << 20, ..TreeLimits::default() };
        let mut reader = tree::Reader::new(limits);
        let mut command = self.git(Trust::Nobody);
        command.args(["ls-tree", "-r", "-l", "-z", "--full-tree", commit]);
        // First that Git was stopped or failed: its list then ends anywhere.
        self.read(command, "ls-tree", LOOK_UP, &mut |bytes| reader.read(bytes).is_err())?;
        Ok(reader.finish()?)
    }

    fn author_and_message(&self, commit: &str) -> Result<(String, String), GitError> {
        let mut command = self.git(Trust::Nobody);
        command.args([
            "show",
            "--no-patch",
            "--no-show-signature",
            "--encoding=UTF-8",
            "--format=%an%x00%s",
            commit,
        ]);
        let said = self.call(command, "show", LOOK_UP, &mut |_| false)?;
        let (author, message) = said.trim_end_matches('\n').split_once('\0').unwrap_or((&said, ""));
        Ok((one_line(author, 100), one_line(message, 200)))
    }

    /// Checks a commit out into a folder that is created as a whole or not at all.
    fn write(
        &self,
        commit: &str,
        folder: &Path,
        tree: &Tree,
        modules: &[Submodule],
    ) -> Result<(), GitError> {
        let io = |source| GitError::Io { what: "git checkout-index", source };
        let aside = folder.with_extension("new");
        for old in [&aside, folder] {
            match std::fs::remove_dir_all(old) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(io(error)),
            }
        }
        std::fs::create_dir_all(&aside).map_err(io)?;
        let index = aside.with_extension("index");
        let mut command = self.git(Trust::Nobody);
        command.env("GIT_INDEX_FILE", &index).args(["read-tree", commit]);
        self.call(command, "read-tree", LOOK_UP, &mut |_| false)?;
        let mut command = self.git(Trust::Nobody);
        command.env("GIT_INDEX_FILE", &index).env("GIT_WORK_TREE", &aside).args([
            "checkout-index",
            "--all",
            "--force",
        ]);
        let written = self.call(command, "checkout-index", FETCH, &mut |_| false);
        let _ = std::fs::remove_file(&index);
        written?;
        if !modules.is_empty() {
            self.write_submodules(commit, &aside, tree, modules)?;
        }
        std::fs::rename(&aside, folder).map_err(io)
    }

    /// Checks out the submodules of a commit, fetched with the same care; nested submodules are left out. The size limit
    /// applies to all of them together.
    fn write_submodules(
        &self,
        commit: &str,
        folder: &Path,
        tree: &Tree,
        modules: &[Submodule],
    ) -> Result<(), GitError> {
        let io = |source| GitError::Io { what: "git checkout-index", source };
        let limit = u64::from(self.megabytes) << 20;
        let mut bytes = tree.bytes;
        // Beside the checkout: within it, the repository may have a folder of any name.
        let apart = folder.with_file_name("submodule");
        let mut command = self.git(Trust::Nobody);
        command.args(["config", "--blob", &format!("{commit}:.gitmodules"), "--null", "--list"]);
        let urls = submodules::urls(&self.call(command, "config", LOOK_UP, &mut |_| false)?);
        for module in modules {
            let refused = |why: String| GitError::Submodule { path: module.path.clone(), why };
            let url = urls
                .get(&module.path)
                .ok_or_else(|| refused("has no URL in .gitmodules".into()))?;
            let url = submodules::resolved(self.url, url).map_err(refused)?;
            let kept = self.kept.with_extension(submodules::folder(&url));
            let git =
                Git { url: &url, branch: self.branch, kept: &kept, submodules: false, ..*self };
            let checkout = git
                .check_out(&module.commit, &apart)
                .map_err(|error| refused(crate::sys::error_chain(&error)))?;
            bytes = bytes.saturating_add(checkout.tree.bytes);
            if bytes > limit {
                std::fs::remove_dir_all(&apart).map_err(io)?;
                return Err(TreeError::Bytes { bytes: limit }.into());
            }
            // Replaces the empty folder that Git made.
            let to = folder.join(&module.path);
            std::fs::create_dir_all(&to).map_err(io)?;
            std::fs::rename(&apart, &to).map_err(io)?;
        }
        Ok(())
    }

    /// The `git` command without its arguments.
    fn git(&self, trust: Trust) -> Command {
        let mut command = Command::new("git");
        let inherited = [
            "PATH",
            "HOME",
            "XDG_CONFIG_HOME",
            "SSH_AUTH_SOCK",
            "TMPDIR",
            "SSL_CERT_FILE",
            "SSL_CERT_DIR",
        ];
        let kept: Vec<_> = inherited
            .iter()
            .filter_map(|name| std::env::var_os(name).map(|value| (name, value)))
            .collect();
        command.env_clear().envs(kept);
        command
            .env("GIT_DIR", self.kept)
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_ATTR_NOSYSTEM", "1")
            .env("GIT_TERMINAL_PROMPT", "0")
            .env("GIT_ALLOW_PROTOCOL", self.url.transport())
            .env("GIT_LFS_SKIP_SMUDGE", "1")
            .env("GIT_SSH_COMMAND", "ssh -o BatchMode=yes -o ConnectTimeout=20")
            .env("GIT_NO_LAZY_FETCH", "1")
            .env("LC_ALL", "C");
        if trust == Trust::Nobody {
            // Filters in the operator's own settings must not run on the content of a repository.
            command.env("GIT_CONFIG_GLOBAL", "/dev/null");
        }
        for setting in [
            "core.hooksPath=/dev/null",
            "core.fsmonitor=false",
            "core.symlinks=false",
            "core.protectHFS=true",
            "core.protectNTFS=true",
            "core.attributesFile=/dev/null",
            "core.bigFileThreshold=4m",
            "pack.threads=1",
            "fetch.fsckObjects=true",
            // Errors that old programs left in the history of many repositories, which are harmless here.
            "fetch.fsck.zeroPaddedFilemode=ignore",
            "fetch.fsck.badTimezone=ignore",
            "fetch.fsck.missingSpaceBeforeDate=ignore",
            "fetch.fsck.missingEmail=ignore",
            "gc.auto=0",
            "advice.detachedHead=false",
        ] {
            command.arg("-c").arg(setting);
        }
        command
    }

    /// Runs Git and returns its output; `ends` is asked at intervals whether to stop it.
    fn call(
        &self,
        command: Command,
        what: &'static str,
        limit: Duration,
        ends: &mut dyn FnMut(&[u8]) -> bool,
    ) -> Result<String, GitError> {
        let mut said = Vec::new();
        let mut full = false;
        let finished = self.run(command, what, limit, ends, &mut |bytes| {
            full |= said.len() + bytes.len() > OUTPUT_MAX;
            if !full {
                said.extend_from_slice(bytes);
            }
        })?;
        let said = String::from_utf8_lossy(&said).into_owned();
        match finished {
            Finished::Exited(0) if !full => Ok(said),
            Finished::Exited(0) => {
                Err(GitError::Failed { what, said: "its output is too long".into() })
            }
            Finished::Exited(_) | Finished::Killed(_) | Finished::Hung(_) => {
                Err(GitError::Failed { what, said: last_words(&said) })
            }
            Finished::OutOfTime => Err(GitError::OutOfTime { what, limit }),
            Finished::Stopped => Err(GitError::Stopped),
        }
    }

    /// Runs Git and passes its output on, until `ends` says that it is enough.
    fn read(
        &self,
        command: Command,
        what: &'static str,
        limit: Duration,
        ends: &mut dyn FnMut(&[u8]) -> bool,
    ) -> Result<(), GitError> {
        let is_enough = std::cell::Cell::new(false);
        let finished = self.run(command, what, limit, &mut |_| is_enough.get(), &mut |bytes| {
            is_enough.set(is_enough.get() || ends(bytes));
        })?;
        match finished {
            Finished::Exited(0) => Ok(()),
            _ if is_enough.get() => Ok(()),
            Finished::Exited(_) | Finished::Killed(_) | Finished::Hung(_) => {
                Err(GitError::Failed { what, said: "it cannot be read".into() })
            }
            Finished::OutOfTime => Err(GitError::OutOfTime { what, limit }),
            Finished::Stopped => Err(GitError::Stopped),
        }
    }

    fn run(
        &self,
        command: Command,
        what: &'static str,
        limit: Duration,
        ends: &mut dyn FnMut(&[u8]) -> bool,
        output: &mut dyn FnMut(&[u8]),
    ) -> Result<Finished, GitError> {
        let ends = std::cell::RefCell::new(ends);
        let run = Run {
            limit: Some(limit),
            hang: HangLimits::default(),
            grace: Duration::from_secs(2),
            stop: &|| (self.stop)() || (ends.borrow_mut())(&[]),
            output,
            process_file: None,
        };
        run.program(command).map_err(|source| GitError::Io { what: git_name(what), source })
    }
}

/// Whose settings Git reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trust {
    /// Those of the user who runs the service, for keys and passwords of repositories.
    Operator,
    /// Only those that are set here.
    Nobody,
}

fn git_name(what: &'static str) -> &'static str {
    match what {
        "fetch" => "git fetch",
        "ls-remote" => "git ls-remote",
        _ => "git",
    }
}

/// The last lines of what Git printed, as one line, without its general advice.
fn last_words(said: &str) -> String {
    let mut words = String::new();
    let advice =
        ["Please make sure you have the correct access rights", "and the repository exists."];
    let lines: Vec<&str> = said
        .lines()
        .filter(|line| !line.trim().is_empty() && !advice.contains(&line.trim()))
        .collect();
    for line in &lines[lines.len().saturating_sub(3)..] {
        let _ = write!(words, "{}{}", if words.is_empty() { "" } else { "; " }, line.trim());
    }
    match words.is_empty() {
        true => "no message".into(),
        false => one_line(&words, 600),
    }
}

/// Text as one line without control characters.
pub(super) fn one_line(text: &str, chars_max: usize) -> String {
    let clean = |c: char| if c.is_control() { ' ' } else { c };
    text.trim().chars().take(chars_max).map(clean).collect()
}

/// Bytes of all files below a folder; links are not followed.
pub(super) fn bytes_below(folder: &Path) -> u64 {
    let mut open: Vec<PathBuf> = vec![folder.into()];
    let mut bytes = 0;
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            match entry.metadata() {
                Ok(metadata) if metadata.is_dir() => open.push(entry.path()),
                Ok(metadata) => bytes += metadata.len(),
                Err(_) => {}
            }
        }
    }
    bytes
}

/// The version of Git, if it is installed.
pub fn version() -> Option<String> {
    let output = Command::new(OsStr::new("git")).arg("--version").output().ok()?;
    output.status.success().then(|| one_line(&String::from_utf8_lossy(&output.stdout), 100))
}
