//! What a shell may complete an argument to: runs, studies, folders.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use clap_complete::engine::{
    ArgValueCompleter, CompletionCandidate, PathCompleter, ValueCompleter,
};

use crate::report::runs::find;

/// Most runs that are offered; nobody looks through more.
const CANDIDATES_MAX: usize = 500;

/// Run folders, wherever one looks for them, and those in the folder of runs even before its name is typed.
pub fn runs() -> ArgValueCompleter {
    ArgValueCompleter::new(|typed: &OsStr| {
        let mut found = in_runs_folder(typed);
        if found.is_empty() {
            found = PathCompleter::dir().complete(typed);
        }
        plain(found)
    })
}

/// Names of runs and of their studies.
pub fn run_names() -> ArgValueCompleter {
    ArgValueCompleter::new(|typed: &OsStr| {
        let folders = find(&runs_folder()).unwrap_or_default().runs;
        let names = folders.iter().rev().filter_map(|run| run.file_name()).map(OsStr::to_owned);
        let found = names.filter(|name| starts_with(name, typed)).take(CANDIDATES_MAX);
        plain(found.map(CompletionCandidate::new).collect())
    })
}

/// Study files, and what can take their place: folders of images and files that hold images.
pub fn studies() -> ArgValueCompleter {
    ArgValueCompleter::new(|typed: &OsStr| {
        let is_study = |path: &Path| {
            let extension = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
            ["toml", "npz", "csv"].contains(&extension.as_str())
        };
        plain(PathCompleter::any().filter(is_study).complete(typed))
    })
}

/// Folders.
pub fn folders() -> ArgValueCompleter {
    ArgValueCompleter::new(|typed: &OsStr| plain(PathCompleter::dir().complete(typed)))
}

/// Files and folders.
pub fn files() -> ArgValueCompleter {
    ArgValueCompleter::new(|typed: &OsStr| plain(PathCompleter::any().complete(typed)))
}

/// The folder of runs, as the environment says: what stands on the command line is not known here.
fn runs_folder() -> PathBuf {
    let named = std::env::var_os("BURGEON_RUNS").filter(|folder| !folder.is_empty());
    named.map_or("runs".into(), PathBuf::from)
}

/// Runs in the folder of runs whose path, or whose name, starts with what was typed; the newest first.
fn in_runs_folder(typed: &OsStr) -> Vec<CompletionCandidate> {
    let mut runs = find(&runs_folder()).unwrap_or_default().runs;
    let begun =
        |run: &PathBuf| run.join("study.toml").metadata().and_then(|found| found.modified()).ok();
    runs.sort_by_cached_key(|run| std::cmp::Reverse(begun(run)));
    let is_meant = |run: &PathBuf| {
        starts_with(run.as_os_str(), typed)
            || run.file_name().is_some_and(|name| starts_with(name, typed))
    };
    let found = runs.into_iter().filter(is_meant).take(CANDIDATES_MAX);
    found
        .enumerate()
        .map(|(place, run)| CompletionCandidate::new(run).display_order(Some(place)))
        .collect()
}

fn starts_with(text: &OsStr, start: &OsStr) -> bool {
    text.as_encoded_bytes().starts_with(start.as_encoded_bytes())
}

/// Without names that hold control characters, which nobody types and a terminal would obey.
fn plain(found: Vec<CompletionCandidate>) -> Vec<CompletionCandidate> {
    let is_plain = |candidate: &CompletionCandidate| {
        candidate.get_value().to_str().is_some_and(|name| !name.chars().any(is_unseen))
    };
    found.into_iter().filter(is_plain).collect()
}

/// Whether a character would be escaped where it is shown, apart from quotes and backslashes.
fn is_unseen(character: char) -> bool {
    !matches!(character, '\'' | '"' | '\\') && character.escape_debug().count() > 1
}
