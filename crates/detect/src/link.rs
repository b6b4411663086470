//! Which files of a checkout a program is made of, and which of their functions and classes it reaches.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::finding::Language;
use super::source::facts::Import;
use super::sources::Source;

/// Which file imports which.
pub struct Links {
    imports: Vec<BTreeSet<usize>>,
}

impl Links {
    /// Finds the file of every import of the checkout's own modules.
    pub fn of(sources: &[Source]) -> Self {
        let paths =
            sources.iter().enumerate().map(|(index, source)| (source.path.as_path(), index));
        let by_path: BTreeMap<&Path, usize> = paths.collect();
        let of = |source: &Source| {
            let folder = source.path.parent().unwrap_or(Path::new(""));
            let mut found = BTreeSet::new();
            for import in &source.facts.imports {
                match source.language {
                    Language::R => found.extend(sourced(import, folder, &by_path)),
                    _ => modules(import, folder, &by_path, &mut found),
                }
            }
            found
        };
        let mut imports: Vec<BTreeSet<usize>> = sources.iter().map(of).collect();
        for (index, found) in imports.iter_mut().enumerate() {
            found.remove(&index);
        }
        // A crate is one program.
        let rust: Vec<usize> =
            (0..sources.len()).filter(|&at| sources[at].language == Language::Rust).collect();
        for &at in rust.iter().filter(|&&at| sources[at].facts.main_guard.is_some()) {
            let root = crate_root(&sources[at].path);
            imports[at].extend(
                rust.iter()
                    .filter(|&&other| other != at && crate_root(&sources[other].path) == root),
            );
        }
        Self { imports }
    }

    /// Whether another file imports this one.
    pub fn is_imported(&self, file: usize) -> bool {
        self.imports
            .iter()
            .enumerate()
            .any(|(other, imports)| other != file && imports.contains(&file))
    }

    /// Whether the files that import this one are imported by it in turn, so that none of them comes first.
    pub fn is_circular(&self, file: usize) -> bool {
        let reached = self.reach(file);
        let importers =
            self.imports.iter().enumerate().filter(|(_, imports)| imports.contains(&file));
        importers.map(|(other, _)| other).all(|other| reached.contains(&other))
    }

    /// The file with all that it imports, directly or not.
    pub fn reach(&self, file: usize) -> BTreeSet<usize> {
        let mut reached = BTreeSet::from([file]);
        let mut open = vec![file];
        while let Some(at) = open.pop() {
            for &next in &self.imports[at] {
                if reached.insert(next) {
                    open.push(next);
                }
            }
        }
        reached
    }
}

/// The folder of a crate: what stands above `src`, `examples`, `benches` or `tests`.
fn crate_root(path: &Path) -> PathBuf {
    let above = path.ancestors().skip(1).find(|folder| {
        folder.file_name().is_some_and(|name| {
            ["src", "examples", "benches", "tests"].iter().any(|known| *known == name)
        })
    });
    above.and_then(Path::parent).or(path.parent()).unwrap_or(Path::new("")).to_owned()
}

/// `source("helpers.R")`.
fn sourced(import: &Import, folder: &Path, files: &BTreeMap<&Path, usize>) -> Option<usize> {
    let beside = folder.join(&import.module);
    files.get(beside.as_path()).or_else(|| files.get(Path::new(&import.module))).copied()
}

fn modules(
    import: &Import,
    folder: &Path,
    files: &BTreeMap<&Path, usize>,
    found: &mut BTreeSet<usize>,
) {
    let inner: PathBuf = import.module.split('.').filter(|part| !part.is_empty()).collect();
    let bases: Vec<PathBuf> = if import.level > 0 {
        folder.ancestors().nth(import.level - 1).map(Path::to_owned).into_iter().collect()
    } else {
        // A script finds what stands beside it first, then what stands where it was started.
        let mut bases: Vec<PathBuf> = folder.ancestors().map(Path::to_owned).collect();
        bases.push(PathBuf::from("src"));
        bases
    };
    for base in bases {
        let at = base.join(&inner);
        let before = found.len();
        let mut add = |path: &Path| {
            let known = [path.with_extension("py"), path.join("__init__.py")];
            found.extend(known.iter().filter_map(|path| files.get(path.as_path()).copied()));
        };
        if !inner.as_os_str().is_empty() {
            add(&at);
        }
        for name in &import.names {
            add(&at.join(name));
        }
        if found.len() > before {
            return;
        }
    }
}

/// Functions and classes that a program reaches from its entry, by their file and place in it.
pub type Live = BTreeSet<(usize, usize)>;

/// Follows names from the entry's module level. Names are matched by their text alone, which reaches too much
/// rather than too little; where a program looks something up by a computed name, it may reach everything.
pub fn live(sources: &[Source], reach: &BTreeSet<usize>) -> Live {
    let is_dynamic = reach.iter().any(|&file| sources[file].facts.is_dynamic);
    let mut by_name: BTreeMap<&str, Vec<(usize, usize)>> = BTreeMap::new();
    let mut live = Live::new();
    let mut open = Vec::new();
    for &file in reach {
        for (index, scope) in sources[file].facts.scopes.iter().enumerate() {
            by_name.entry(&scope.name).or_default().push((file, index));
            if index == 0 || is_dynamic || scope.is_decorated {
                live.insert((file, index));
                open.push((file, index));
            }
        }
    }
    let mut followed: BTreeSet<&str> = BTreeSet::new();
    while let Some((file, scope)) = open.pop() {
        for name in &sources[file].facts.scopes[scope].mentions {
            if !followed.insert(name) {
                continue;
            }
            for &found in by_name.get(name.as_str()).into_iter().flatten() {
                if live.insert(found) {
                    open.push(found);
                }
            }
        }
    }
    live
}
