//! The files of a program: the one that is run, and those of its own that it imports.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};

use tree_sitter::Tree;

use crate::error::DetectError;
use crate::folder::Folder;
use crate::limits::Limits;
use crate::source::tree::{self, text, walk};
use crate::text::decode;
use crate::{notebook, walk as paths};

/// Own modules beyond these are not read.
const FILES_MOST: usize = 60;

/// A file with its tree.
pub struct Parsed {
    /// Path within the folder.
    pub path: PathBuf,
    /// The path as text.
    pub name: String,
    /// Its text; of a notebook that of its code cells.
    pub source: String,
    /// Its tree.
    pub tree: Tree,
    /// Of a notebook: cell and line of each line.
    pub places: Vec<(u32, u32)>,
}

/// Reads the file to follow and what it imports from beside it. `top` is the folder that nothing outside of is read.
///
/// # Errors
///
/// The file to follow cannot be read.
pub fn read(top: &Folder, entry: &Path, limits: &Limits) -> Result<Vec<Parsed>, DetectError> {
    let first = one(top, entry, limits)
        .map_err(|why| DetectError::Program { file: entry.into(), message: why })?;
    let mut found = vec![first];
    let mut open = VecDeque::from([0]);
    while let Some(at) = open.pop_front() {
        for path in imported(&found[at]) {
            if found.len() < FILES_MOST
                && !found.iter().any(|file| file.path == path)
                && let Ok(file) = one(top, &path, limits)
            {
                open.push_back(found.len());
                found.push(file);
            }
        }
    }
    Ok(found)
}

/// A text alone, for fuzzing and tests.
pub fn of_text(name: &str, source: &str, limits: &Limits) -> Result<Vec<Parsed>, String> {
    Ok(vec![parsed(Path::new(name), source.to_owned(), Vec::new(), limits)?])
}

fn one(top: &Folder, path: &Path, limits: &Limits) -> Result<Parsed, String> {
    let is_notebook = path.extension().is_some_and(|ending| ending == "ipynb");
    let most = if is_notebook { limits.notebook_bytes } else { limits.source_bytes };
    let bytes = top.read(path, most).map_err(|error| error.to_string())?;
    let bytes = bytes.ok_or_else(|| format!("it is longer than {} KiB", most >> 10))?;
    let text = decode(&bytes).map_err(str::to_owned)?;
    if !is_notebook {
        return parsed(path, text, Vec::new(), limits);
    }
    let code = notebook::read(&text).map_err(|why| format!("it is no notebook: {why}"))?;
    if code.language != "python" {
        return Err(format!("its code is {}, not Python", code.language));
    }
    parsed(path, code.text, code.places, limits)
}

fn parsed(
    path: &Path,
    source: String,
    places: Vec<(u32, u32)>,
    limits: &Limits,
) -> Result<Parsed, String> {
    let language = tree_sitter_python::LANGUAGE.into();
    let tree = tree::parse(&source, &language, limits)
        .ok_or("parsing it takes too many steps, as text does that is nested strangely")?;
    Ok(Parsed { path: path.to_owned(), name: paths::shown(path), source, tree, places })
}

/// Where the modules that a file imports would lie. Most are libraries, and are not there.
fn imported(file: &Parsed) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut note = |module: &str| found.extend(candidates(&file.path, module));
    walk(file.tree.root_node(), (), |node, ()| {
        match node.kind() {
            "import_statement" => {
                for name in tree::role(node, "name") {
                    let name = name.child_by_field_name("name").unwrap_or(name);
                    note(text(name, &file.source));
                }
            }
            "import_from_statement" => {
                let module = node.child_by_field_name("module_name");
                let module = module.map_or("", |module| text(module, &file.source));
                note(module);
                for name in tree::role(node, "name") {
                    let name = name.child_by_field_name("name").unwrap_or(name);
                    let dot = if module.ends_with('.') { "" } else { "." };
                    note(&format!("{module}{dot}{}", text(name, &file.source)));
                }
            }
            _ => {}
        }
        Some(())
    });
    found
}

/// The files that a module's name may stand for, seen from the file that imports it.
pub fn candidates(from: &Path, module: &str) -> Vec<PathBuf> {
    let written: String = module.chars().filter(|c| !c.is_whitespace()).collect();
    let rest = written.trim_start_matches('.');
    let level = written.len() - rest.len();
    let parts: Vec<&str> = rest.split('.').filter(|part| !part.is_empty()).collect();
    let is_plain = parts.iter().all(|part| part.chars().all(|c| c.is_alphanumeric() || c == '_'));
    if !is_plain || parts.len() > 8 || (parts.is_empty() && level == 0) {
        return Vec::new();
    }
    let beside = from.parent().unwrap_or(Path::new(""));
    let mut bases = Vec::new();
    if level > 0 {
        bases.extend(beside.ancestors().nth(level - 1).map(Path::to_owned));
    } else {
        // Beside the file, as Python looks, and at the top, where programs are often started.
        bases.push(beside.to_owned());
        bases.push(PathBuf::new());
    }
    let mut found = Vec::new();
    for base in bases {
        let path = parts.iter().fold(base, |path, part| path.join(part));
        if !parts.is_empty() {
            found.push(path.with_extension("py"));
        }
        found.push(path.join("__init__.py"));
    }
    found
}
