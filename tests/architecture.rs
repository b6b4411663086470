//! What may use what: modules point down one list, and files within them run in no circle.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use syn::visit::Visit;
use syn::{Item, ItemUse, UseTree, Visibility};

/// The crate's modules from the top to the bottom; each may use those below it.
const ORDER: [&str; 23] = [
    "cli",
    "serve",
    "chain",
    "supervise",
    "registry",
    "retrain",
    "track",
    "study",
    "cluster",
    "notify",
    "detect",
    "report",
    "ledger",
    "tune",
    "gate",
    "drift",
    "checkpoint",
    "train",
    "model",
    "data",
    "record",
    "spec",
    "sys",
];

/// Modules that a build without the feature `train` has; they may use none of the others.
const WITHOUT_BURN: [&str; 15] = [
    "serve",
    "chain",
    "supervise",
    "cluster",
    "registry",
    "retrain",
    "detect",
    "notify",
    "report",
    "ledger",
    "tune",
    "gate",
    "record",
    "spec",
    "sys",
];

/// Path of a module below the crate, or of an item within one.
type ModulePath = Vec<String>;

#[test]
fn modules_use_only_those_below_them() {
    let sources = Sources::read();
    let place = |module: &str| {
        let place = ORDER.iter().position(|name| *name == module);
        place.unwrap_or_else(|| panic!("{module} is not in the list of this test: put it there"))
    };
    let mut wrong = BTreeSet::new();
    for (file, used) in sources.dependencies() {
        let (Some(from), Some(to)) = (file.first(), used.first()) else { continue };
        if from != to && place(from) >= place(to) {
            wrong.insert(format!("{} uses {to}", file.join("::")));
        }
        if WITHOUT_BURN.contains(&from.as_str()) && !WITHOUT_BURN.contains(&to.as_str()) {
            wrong.insert(format!("{} uses {to}, which needs burn", file.join("::")));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn files_run_in_no_circle_but_where_a_comment_says_why() {
    let sources = Sources::read();
    let edges: BTreeSet<(ModulePath, ModulePath)> = sources
        .dependencies()
        .into_iter()
        .filter(|(from, to)| !sources.explains(from, to) && !sources.explains(to, from))
        .collect();
    let mut left: BTreeSet<&ModulePath> = edges.iter().flat_map(|(a, b)| [a, b]).collect();
    // What uses nothing that is left is in no circle; what is never taken away is.
    loop {
        let free = |file: &&ModulePath| {
            !edges.iter().any(|(from, to)| *from == **file && left.contains(to))
        };
        let done: Vec<&ModulePath> = left.iter().copied().filter(free).collect();
        if done.is_empty() {
            break;
        }
        for file in done {
            left.remove(file);
        }
    }
    // Files above a circle use it without being part of it.
    let in_circle: Vec<String> = edges
        .iter()
        .filter(|(from, to)| left.contains(from) && reaches(&edges, to, from))
        .map(|(from, to)| format!("{} -> {}", from.join("::"), to.join("::")))
        .collect();
    assert!(
        in_circle.is_empty(),
        "files in a circle; break it, or say in one of them `// In a circle with NAME: why`:\n{}",
        in_circle.join("\n")
    );
}

fn reaches(edges: &BTreeSet<(ModulePath, ModulePath)>, from: &ModulePath, to: &ModulePath) -> bool {
    let mut seen = BTreeSet::new();
    let mut open = vec![from];
    while let Some(at) = open.pop() {
        if at == to {
            return true;
        }
        if seen.insert(at) {
            open.extend(edges.iter().filter(|(source, _)| source == at).map(|(_, target)| target));
        }
    }
    false
}

/// All source files of the crate.
struct Sources {
    files: BTreeMap<ModulePath, Source>,
}

struct Source {
    text: String,
    /// What the file uses, as absolute paths; re-exports left out.
    uses: Vec<ModulePath>,
    /// What it exports of others: name and absolute path.
    exports: BTreeMap<String, ModulePath>,
}

impl Sources {
    fn read() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("crates/core/src");
        let mut paths = Vec::new();
        rust_files(&root, &mut paths);
        let module = |path: &Path| {
            let relative = path.strip_prefix(&root).unwrap().with_extension("");
            let mut names: ModulePath =
                relative.iter().map(|name| name.to_string_lossy().into_owned()).collect();
            if ["mod", "lib", "main"].contains(&names.last().unwrap().as_str()) {
                names.pop();
            }
            names
        };
        let is_main = |path: &PathBuf| path.ends_with("main.rs");
        let paths: Vec<PathBuf> = paths.into_iter().filter(|path| !is_main(path)).collect();
        let modules: BTreeSet<ModulePath> = paths.iter().map(|path| module(path)).collect();
        let source = |path: &PathBuf| (module(path), Source::read(path, &module(path), &modules));
        Self { files: paths.iter().map(source).collect() }
    }

    /// Every file with every other file that it uses, re-exports followed to where they come from.
    fn dependencies(&self) -> Vec<(ModulePath, ModulePath)> {
        let mut found = Vec::new();
        for (file, source) in &self.files {
            let used = source.uses.iter().filter_map(|path| self.file_of(path, 0));
            found.extend(used.filter(|used| used != file).map(|used| (file.clone(), used)));
        }
        found
    }

    fn file_of(&self, path: &[String], depth: usize) -> Option<ModulePath> {
        let longest = (0..=path.len()).rev().find(|&end| self.files.contains_key(&path[..end]))?;
        let source = &self.files[&path[..longest]];
        match path.get(longest).and_then(|name| source.exports.get(name)) {
            Some(origin) if depth < 8 && origin.as_slice() != path => {
                self.file_of(origin, depth + 1)
            }
            _ => Some(path[..longest].to_vec()),
        }
    }

    /// Whether `file` says why it and `other` use each other.
    fn explains(&self, file: &ModulePath, other: &ModulePath) -> bool {
        let name = other.last().map(String::as_str).unwrap_or_default();
        self.files[file].text.contains(&format!("// In a circle with {name}: "))
    }
}

impl Source {
    fn read(path: &Path, module: &[String], modules: &BTreeSet<ModulePath>) -> Self {
        let text = std::fs::read_to_string(path).unwrap();
        let file = syn::parse_file(&text).unwrap();
        let mut visitor = Uses { uses: Vec::new(), exports: BTreeMap::new(), module, modules };
        visitor.visit_file(&file);
        let Uses { uses, exports, .. } = visitor;
        Self { text, uses, exports }
    }
}

struct Uses<'a> {
    uses: Vec<ModulePath>,
    exports: BTreeMap<String, ModulePath>,
    module: &'a [String],
    modules: &'a BTreeSet<ModulePath>,
}

impl Uses<'_> {
    /// The absolute path within the crate; `None` for what comes from elsewhere.
    fn absolute(&self, path: &[String]) -> Option<ModulePath> {
        let (first, rest) = path.split_first()?;
        let ups = path.iter().take_while(|name| *name == "super").count();
        match first.as_str() {
            "crate" => Some(rest.to_vec()),
            "self" => Some([self.module, rest].concat()),
            "super" => {
                let above = self.module.len().checked_sub(ups)?;
                Some([&self.module[..above], &path[ups..]].concat())
            }
            _ => {
                let child = [self.module, &path[..1]].concat();
                self.modules.contains(&child).then(|| [self.module, path].concat())
            }
        }
    }

    fn leaves(tree: &UseTree, above: &[String], found: &mut Vec<(ModulePath, String)>) {
        let join = |name: &syn::Ident| [above, &[name.to_string()]].concat();
        match tree {
            UseTree::Path(path) => Self::leaves(&path.tree, &join(&path.ident), found),
            UseTree::Name(name) => found.push((join(&name.ident), name.ident.to_string())),
            UseTree::Rename(name) => found.push((join(&name.ident), name.rename.to_string())),
            UseTree::Glob(_) => found.push((above.to_vec(), String::new())),
            UseTree::Group(group) => {
                for tree in &group.items {
                    Self::leaves(tree, above, found);
                }
            }
        }
    }
}

impl<'ast> Visit<'ast> for Uses<'_> {
    fn visit_item(&mut self, item: &'ast Item) {
        // What tests use binds nobody.
        let is_test = matches!(item, Item::Mod(module) if module.ident == "tests"
            || module.attrs.iter().any(|attribute| attribute.path().is_ident("cfg")));
        if !is_test {
            syn::visit::visit_item(self, item);
        }
    }

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        let mut leaves = Vec::new();
        Self::leaves(&item.tree, &[], &mut leaves);
        for (path, name) in leaves {
            let Some(path) = self.absolute(&path) else { continue };
            if matches!(item.vis, Visibility::Inherited) {
                self.uses.push(path);
            } else {
                self.exports.insert(name, path);
            }
        }
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let names: Vec<String> =
            path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        if names.len() > 1
            && ["crate", "super"].contains(&names[0].as_str())
            && let Some(path) = self.absolute(&names)
            && !path.is_empty()
        {
            self.uses.push(path);
        }
        syn::visit::visit_path(self, path);
    }
}

fn rust_files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            rust_files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}
