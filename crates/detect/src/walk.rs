//! The files of a checkout, from its top downwards, so that limits leave out what lies deepest.

use std::collections::VecDeque;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use super::error::DetectError;
use super::finding::LookedAt;
use super::folder::{Entry, Folder};
use super::limits::Limits;
use super::text::one_line;

/// Folders of tools and of installed packages.
const TOOLS: [&str; 22] = [
    ".git",
    ".hg",
    ".svn",
    "node_modules",
    "site-packages",
    "dist-packages",
    "venv",
    ".venv",
    "virtualenv",
    ".tox",
    ".nox",
    "__pycache__",
    ".ipynb_checkpoints",
    ".mypy_cache",
    ".pytest_cache",
    ".eggs",
    ".idea",
    ".vscode",
    "renv",
    "packrat",
    "target",
    ".conda",
];
/// Longer names of files are not told whole.
const NAME_SHOWN: usize = 300;
/// Endings that are counted one by one.
const ENDINGS: usize = 40;

/// Lists the files of a checkout that may tell something, by their paths within it.
///
/// # Errors
///
/// The folder itself cannot be opened.
pub fn files(
    root: &Path,
    limits: &Limits,
    looked: &mut LookedAt,
) -> Result<(Folder, Vec<PathBuf>), DetectError> {
    let refuse = |source| DetectError::Folder { folder: root.into(), source };
    let top = Folder::open(root).map_err(refuse)?;
    let (first, cut) = top.entries(limits.entries).map_err(refuse)?;
    let mut walk =
        Walk { limits, looked, left: limits.entries, found: Vec::new(), open: VecDeque::new() };
    walk.entries(Path::new(""), 0, first, cut);
    while let Some((path, depth)) = walk.open.pop_front() {
        walk.folder(&top, &path, depth);
    }
    let found = walk.found;
    Ok((top, found))
}

struct Walk<'a> {
    limits: &'a Limits,
    looked: &'a mut LookedAt,
    left: usize,
    found: Vec<PathBuf>,
    open: VecDeque<(PathBuf, usize)>,
}

impl Walk<'_> {
    fn folder(&mut self, top: &Folder, path: &Path, depth: usize) {
        if self.left == 0 {
            self.looked.skip(shown(path), "too many files came before it");
            return;
        }
        let read = open_below(top, path).and_then(|folder| folder.entries(self.left));
        match read {
            Ok((entries, _)) if entries.iter().any(|(name, _)| name == "pyvenv.cfg") => {
                self.looked.skip(shown(path), "a Python environment (it holds pyvenv.cfg)");
            }
            Ok((entries, cut)) => self.entries(path, depth, entries, cut),
            Err(error) => self.looked.skip(shown(path), format!("it cannot be opened: {error}")),
        }
    }

    fn entries(
        &mut self,
        path: &Path,
        depth: usize,
        entries: Vec<(std::ffi::OsString, Entry)>,
        cut: bool,
    ) {
        self.left = self.left.saturating_sub(entries.len());
        if cut {
            let limit = format!("at most {} files and folders are looked at", self.limits.entries);
            self.looked.limit(limit);
            self.left = 0;
        }
        for (name, kind) in entries {
            let below = path.join(&name);
            match kind {
                Entry::File => {
                    self.looked.files += 1;
                    self.count(&name);
                    self.found.push(below);
                }
                Entry::Folder if TOOLS.iter().any(|tool| *tool == name) => {
                    self.looked.skip(shown(&below), "a folder of tools or of installed packages");
                }
                Entry::Folder if depth + 1 > self.limits.depth => {
                    self.looked.skip(
                        shown(&below),
                        format!("more than {} folders deep", self.limits.depth),
                    );
                    self.looked.limit(format!("folders are followed {} deep", self.limits.depth));
                }
                Entry::Folder => self.open.push_back((below, depth + 1)),
                Entry::Link => {
                    self.looked.skip(shown(&below), "a symbolic link; links are not followed")
                }
                Entry::Other => self.looked.skip(shown(&below), "not a regular file"),
            }
        }
    }

    fn count(&mut self, name: &OsStr) {
        let ending = Path::new(name).extension().map_or_else(String::new, |ending| {
            one_line(&format!(".{}", ending.to_string_lossy().to_lowercase()), 20)
        });
        let endings = &mut self.looked.endings;
        let ending = if endings.len() >= ENDINGS && !endings.contains_key(&ending) {
            "…".into()
        } else {
            ending
        };
        *endings.entry(ending).or_default() += 1;
    }
}

fn open_below(top: &Folder, path: &Path) -> std::io::Result<Folder> {
    let mut at: Option<Folder> = None;
    for name in path {
        at = Some(at.as_ref().unwrap_or(top).folder(name)?);
    }
    at.ok_or_else(|| std::io::Error::other("the path is empty"))
}

/// A path within the checkout, as text of bounded length without control characters.
pub fn shown(path: &Path) -> String {
    one_line(&path.to_string_lossy(), NAME_SHOWN)
}
