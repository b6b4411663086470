//! Checks the content of a commit before it is written: size, depth, and whether every path stays inside.

use std::path::{Component, Path};

use super::branch::is_commit;

/// Limits on the content of a commit.
#[derive(Debug, Clone, Copy)]
pub struct TreeLimits {
    /// Total bytes of all files.
    pub bytes: u64,
    /// Number of files.
    pub files: u64,
    /// Depth of nested folders.
    pub depth: usize,
    /// Bytes of each path.
    pub path: usize,
}

impl Default for TreeLimits {
    fn default() -> Self {
        Self { bytes: 1 << 30, files: 200_000, depth: 60, path: 1000 }
    }
}

/// The content of a commit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tree {
    /// Number of files, including symbolic links.
    pub files: u64,
    /// Total bytes of the files.
    pub bytes: u64,
    /// Number of symbolic links, which are written as files.
    pub links: u64,
    /// Number of submodules.
    pub submodules: u64,
}

/// A submodule: a folder whose content is a commit of another repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Submodule {
    /// Its path, inside the checkout.
    pub path: String,
    /// The commit.
    pub commit: String,
}

/// Submodules that can be fetched.
pub const SUBMODULES_MAX: usize = 50;

/// Why a commit is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TreeError {
    /// Too many bytes.
    #[error("the commit contains more than {bytes} bytes, the limit of `checkout-megabytes`")]
    Bytes {
        /// The limit.
        bytes: u64,
    },
    /// Too many files.
    #[error("the commit contains more than {files} files")]
    Files {
        /// The limit.
        files: u64,
    },
    /// A path is too long or too deep.
    #[error("the path {path:?} is longer than {bytes} bytes or deeper than {depth} folders")]
    Path {
        /// Its beginning.
        path: String,
        /// The limit.
        bytes: usize,
        /// The limit.
        depth: usize,
    },
    /// A path would leave the checkout, or reach into Git's own folder.
    #[error("the path {path:?} is not allowed in a checkout")]
    Outside {
        /// Its beginning.
        path: String,
    },
    /// The output of Git has an unexpected form.
    #[error("the list of the commit's files has an unexpected form")]
    Unreadable,
}

/// Reads the output of `git ls-tree -r -l -z`, piece by piece.
#[derive(Debug)]
pub struct Reader {
    limits: TreeLimits,
    entry: Vec<u8>,
    tree: Result<Tree, TreeError>,
    submodules: Vec<Submodule>,
}

impl Reader {
    /// Creates a reader with these limits.
    pub fn new(limits: TreeLimits) -> Self {
        Self { limits, entry: Vec::new(), tree: Ok(Tree::default()), submodules: Vec::new() }
    }

    /// Reads a piece; after an error, the rest need not be read.
    pub fn read(&mut self, bytes: &[u8]) -> Result<(), TreeError> {
        for byte in bytes {
            match byte {
                0 => {
                    let entry = std::mem::take(&mut self.entry);
                    self.add(&entry);
                }
                byte if self.entry.len() < self.limits.path + 200 => self.entry.push(*byte),
                // Longer than any that is allowed: its length is found too long at its end.
                _ => {}
            }
        }
        self.tree.clone().map(drop)
    }

    /// The content that was read.
    pub fn finish(self) -> Result<(Tree, Vec<Submodule>), TreeError> {
        match (self.tree, self.entry.is_empty()) {
            (Ok(_), false) => Err(TreeError::Unreadable),
            (tree, _) => tree.map(|tree| (tree, self.submodules)),
        }
    }

    fn add(&mut self, entry: &[u8]) {
        if let Ok(tree) = &self.tree {
            self.tree = added(*tree, entry, &self.limits);
            let submodule = entry.strip_prefix(b"160000 commit ").and_then(submodule);
            if self.tree.is_ok() && self.submodules.len() < SUBMODULES_MAX {
                self.submodules.extend(submodule);
            }
        }
    }
}

fn submodule(rest: &[u8]) -> Option<Submodule> {
    let (commit, path) = str::from_utf8(rest).ok()?.split_once('\t')?;
    let commit = commit.split_whitespace().next()?.to_owned();
    Some(Submodule { path: path.to_owned(), commit }).filter(|module| is_commit(&module.commit))
}

fn added(mut tree: Tree, entry: &[u8], limits: &TreeLimits) -> Result<Tree, TreeError> {
    let tab = entry.iter().position(|byte| *byte == b'\t').ok_or(TreeError::Unreadable)?;
    let (facts, path) = (&entry[..tab], &entry[tab + 1..]);
    let facts = str::from_utf8(facts).map_err(|_| TreeError::Unreadable)?;
    let facts: Vec<&str> = facts.split_whitespace().collect();
    let [mode, _, _, size] = facts[..] else { return Err(TreeError::Unreadable) };
    let shown = || String::from_utf8_lossy(path).chars().take(100).collect::<String>();
    let parts = path.split(|byte| *byte == b'/').count();
    if path.len() > limits.path || parts > limits.depth {
        return Err(TreeError::Path { path: shown(), bytes: limits.path, depth: limits.depth });
    }
    if !is_allowed(path) {
        return Err(TreeError::Outside { path: shown() });
    }
    match mode {
        "160000" => tree.submodules += 1,
        _ => {
            tree.files += 1;
            tree.bytes =
                tree.bytes.saturating_add(size.parse().map_err(|_| TreeError::Unreadable)?);
            tree.links += u64::from(mode == "120000");
        }
    }
    if tree.files + tree.submodules > limits.files {
        return Err(TreeError::Files { files: limits.files });
    }
    if tree.bytes > limits.bytes {
        return Err(TreeError::Bytes { bytes: limits.bytes });
    }
    Ok(tree)
}

/// Whether a path stays in the checkout and outside `.git`, by the same rules as Git.
fn is_allowed(path: &[u8]) -> bool {
    use std::os::unix::ffi::OsStrExt;
    let path = Path::new(std::ffi::OsStr::from_bytes(path));
    path.components().next().is_some()
        && path.components().all(|part| match part {
            Component::Normal(name) => !name.eq_ignore_ascii_case(".git"),
            _ => false,
        })
}

#[cfg(test)]
mod tests;
