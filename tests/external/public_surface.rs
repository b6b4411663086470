//! The public items of the library are those of a committed listing, and few enough to learn.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::skipping::{Group, tests};

pub fn group() -> Group {
    Group {
        name: "public_surface",
        missing: why_no_json(),
        tests: tests![public_items_are_those_of_the_listing],
    }
}

/// Items that a user may have to learn. The prelude only repeats some of them.
const ITEMS_MAX: usize = 150;

fn public_items_are_those_of_the_listing() {
    let surface = Surface::read();
    let found = surface.listing();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/public-surface.txt");
    if std::env::var_os("BURGEON_WRITE_SURFACE").is_some() {
        std::fs::write(&path, &found).unwrap();
    }
    let items: BTreeSet<&str> = surface.items.values().map(String::as_str).collect();
    assert!(items.len() <= ITEMS_MAX, "{} public items, at most {ITEMS_MAX}", items.len());
    let listed = std::fs::read_to_string(&path).unwrap_or_default();
    let only = |a: &str, b: &str| {
        let b: BTreeSet<&str> = b.lines().collect();
        a.lines().filter(|line| !b.contains(line)).map(str::to_owned).collect::<Vec<_>>()
    };
    assert!(
        found == listed,
        "public but not listed: {:#?}\nlisted but not public: {:#?}\nif that is meant: \
         BURGEON_WRITE_SURFACE=1 cargo test --test external public_surface",
        only(&found, &listed),
        only(&listed, &found)
    );
}

/// Has rustdoc write JSON.
const JSON: [&str; 4] = ["-Z", "unstable-options", "--output-format", "json"];

/// A rustdoc that has unstable options, JSON among them. A wrapper allows them to it alone, so that
/// nothing else is compiled anew.
fn rustdoc(folder: &Path) -> PathBuf {
    let wrapper = folder.join("rustdoc");
    std::fs::write(&wrapper, "#!/bin/sh\nRUSTC_BOOTSTRAP=1 exec rustdoc \"$@\"\n").unwrap();
    std::fs::set_permissions(&wrapper, PermissionsExt::from_mode(0o755)).unwrap();
    wrapper
}

/// Tries it on an empty crate; answers what went wrong.
fn why_no_json() -> Option<String> {
    let folder = tempfile::tempdir().unwrap();
    let empty = folder.path().join("empty.rs");
    std::fs::write(&empty, "").unwrap();
    let mut command = Command::new(rustdoc(folder.path()));
    let output = command.args(JSON).arg("--out-dir").arg(folder.path()).arg(&empty).output();
    let why = match output {
        Ok(output) if output.status.success() => return None,
        Ok(output) => String::from_utf8_lossy(&output.stderr).trim().to_owned(),
        Err(error) => error.to_string(),
    };
    Some(format!("rustdoc writes no JSON here: {why}"))
}

/// Every public path outside `unstable`, with the item that it leads to.
struct Surface {
    kinds: BTreeMap<String, String>,
    items: BTreeMap<String, String>,
    index: Value,
    /// What items of other crates are.
    paths: Value,
}

impl Surface {
    fn read() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let wrapper = rustdoc(folder.path());
        let status = Command::new(env!("CARGO"))
            // All that `burgeon` exports is in there.
            .args(["rustdoc", "-p", "burgeon-core", "--lib", "--"])
            .args(JSON)
            .args(["-A", "warnings"])
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .env("RUSTDOC", &wrapper)
            .status()
            .unwrap();
        assert!(status.success(), "cargo rustdoc failed: {status}");
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
        let json = std::fs::read_to_string(target.join("doc/burgeon_core.json")).unwrap();
        let mut document: Value = serde_json::from_str(&json).unwrap();
        let root = document["root"].to_string();
        let index = document["index"].take();
        let paths = document["paths"].take();
        let (kinds, items) = (BTreeMap::new(), BTreeMap::new());
        let mut surface = Self { kinds, items, index, paths };
        surface.walk(&root, "burgeon", 0);
        surface
    }

    fn walk(&mut self, module: &str, path: &str, depth: usize) {
        assert!(depth < 8, "modules in a circle at {path}");
        let children = self.index[module]["inner"]["module"]["items"].as_array().cloned();
        for child in children.unwrap_or_default() {
            let id = child.to_string();
            let item = &self.index[&id];
            if item["visibility"] != "public" || item["name"] == "unstable" {
                continue;
            }
            let (kind, inner) = item["inner"].as_object().unwrap().iter().next().unwrap();
            let (target, name, is_glob) = match kind.as_str() {
                "use" => (inner["id"].to_string(), &inner["name"], inner["is_glob"] == true),
                _ => (id.clone(), &item["name"], false),
            };
            let name = name.as_str().unwrap_or_default();
            let below = if is_glob { path.to_owned() } else { format!("{path}::{name}") };
            match self.index[&target]["inner"].as_object().and_then(|inner| inner.keys().next()) {
                Some(kind) if kind == "module" => self.walk(&target, &below, depth + 1),
                Some(kind) if kind == "impl" => {}
                Some(kind) => {
                    self.kinds.insert(below.clone(), kind.replace('_', " "));
                    self.items.insert(below, target);
                }
                None => {
                    let kind = self.paths[&target]["kind"].as_str().unwrap_or("module");
                    let kind = if kind == "module" { "crate" } else { kind };
                    self.kinds.insert(below.clone(), kind.replace('_', " "));
                    self.items.insert(below, target);
                }
            }
        }
    }

    fn listing(&self) -> String {
        self.kinds.iter().map(|(path, kind)| format!("{path} {kind}\n")).collect()
    }
}
