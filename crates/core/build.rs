//! Tells the program how it was built: from which commit, for which machine, by which compiler.

use std::path::{Path, PathBuf};
use std::process::Command;

/// For whoever builds from sources without git: the commit that they are of.
const COMMIT_VARIABLE: &str = "BURGEON_COMMIT";
/// Written by `cargo package`; beside the sources of every package that a registry has.
const PACKAGED: &str = ".cargo_vcs_info.json";
/// `git archive`, and with it the archives that hosts offer, replaces the text of this file by the commit.
const ARCHIVED: &str = ".git-archive-commit";

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-env-changed={COMMIT_VARIABLE}");
    let package = PathBuf::from(variable("CARGO_MANIFEST_DIR"));
    let source = Source::of(&package);
    println!("cargo:rustc-env=BURGEON_BUILD_COMMIT={}", source.commit);
    println!("cargo:rustc-env=BURGEON_BUILD_DIRTY={}", source.dirty);
    println!("cargo:rustc-env=BURGEON_BUILD_TARGET={}", variable("TARGET"));
    println!("cargo:rustc-env=BURGEON_BUILD_PROFILE={}", variable("PROFILE"));
    let rustc = output(Command::new(variable("RUSTC")).arg("--version"));
    println!("cargo:rustc-env=BURGEON_BUILD_RUSTC={}", rustc.unwrap_or_default());
}

/// Of what the program is built. Both are empty where they are not known.
#[derive(Default)]
struct Source {
    commit: String,
    /// Whether files differ from the commit: `true` or `false`.
    dirty: &'static str,
}

impl Source {
    fn of(package: &Path) -> Self {
        let known = |commit: String| Self { commit, dirty: "" };
        let given = given().map(known).or_else(|| packaged(package));
        // Anywhere else, as below `vendor`, what is around the package is another project.
        let workspace = package.ends_with("crates/core").then(|| package.join("../.."));
        given
            .or_else(|| checked_out(workspace.as_deref()?))
            .or_else(|| archived(workspace.as_deref()?).map(known))
            .unwrap_or_default()
    }
}

fn given() -> Option<String> {
    Some(variable(COMMIT_VARIABLE)).filter(|commit| is_commit(commit))
}

/// As in a package: `{"git":{"sha1":"…","dirty":true},…}`.
fn packaged(folder: &Path) -> Option<Source> {
    let text = read(&folder.join(PACKAGED))?;
    let (_, rest) = text.split_once("\"sha1\"")?;
    let commit = rest.split('"').nth(1).filter(|commit| is_commit(commit))?;
    let is_dirty = text.split_once("\"dirty\"").is_some_and(|(_, rest)| {
        rest.trim_start_matches([':', ' ', '\t', '\n', '\r']).starts_with("true")
    });
    Some(Source { commit: commit.into(), dirty: if is_dirty { "true" } else { "false" } })
}

/// As in a repository of its own: sources that were unpacked inside of another one are none of its commit.
fn checked_out(folder: &Path) -> Option<Source> {
    // Builds for trying something do not compile the crate again for every commit.
    if variable("PROFILE") != "release" {
        return None;
    }
    let top = PathBuf::from(git(folder, &["rev-parse", "--show-toplevel"])?);
    if top.canonicalize().ok()? != folder.canonicalize().ok()? {
        return None;
    }
    for watched in ["HEAD", "index"] {
        // In a linked worktree `.git` is a file, and these lie elsewhere.
        if let Some(path) = git(folder, &["rev-parse", "--git-path", watched]) {
            println!("cargo:rerun-if-changed={}", folder.join(path).display());
        }
    }
    let commit = git(folder, &["rev-parse", "HEAD"]).filter(|commit| is_commit(commit))?;
    let changes = git(folder, &["status", "--porcelain", "--untracked-files=no"]);
    let dirty = changes.map_or("", |changes| if changes.is_empty() { "false" } else { "true" });
    Some(Source { commit, dirty })
}

fn archived(folder: &Path) -> Option<String> {
    read(&folder.join(ARCHIVED)).map(|text| text.trim().to_owned()).filter(|text| is_commit(text))
}

/// The text of a file, which is watched if it is there: a missing one would count as changed each time.
fn read(path: &Path) -> Option<String> {
    let text = std::fs::read_to_string(path).ok()?;
    println!("cargo:rerun-if-changed={}", path.display());
    Some(text)
}

fn git(folder: &Path, arguments: &[&str]) -> Option<String> {
    let mut command = Command::new("git");
    // Set within hooks, for another repository perhaps.
    command.env_remove("GIT_DIR").env_remove("GIT_WORK_TREE").env_remove("GIT_INDEX_FILE");
    output(command.arg("-C").arg(folder).args(arguments))
}

fn output(command: &mut Command) -> Option<String> {
    let output = command.output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}

fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_default()
}

/// Whether a text is a hash of git's, of SHA-1 or SHA-256.
fn is_commit(text: &str) -> bool {
    [40, 64].contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}
