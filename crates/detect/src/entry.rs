//! How probable it is that somebody runs a file: by its name, its place, and what it does when it is run.

use std::path::Path;

use super::finding::Environment;
use super::sources::Source;

/// Names of programs that do something with a trained model, or around one.
const BESIDE: [&str; 20] = [
    "test",
    "eval",
    "predict",
    "infer",
    "demo",
    "serve",
    "app",
    "server",
    "plot",
    "util",
    "helper",
    "convert",
    "export",
    "visual",
    "preprocess",
    "download",
    "config",
    "sample",
    "generate",
    "setup",
];
/// Folders of what is shown rather than used.
const SHOWN: [&str; 12] = [
    "examples",
    "example",
    "tutorials",
    "tutorial",
    "docs",
    "doc",
    "benchmarks",
    "legacy",
    "old",
    "deprecated",
    "archive",
    "backup",
];

/// Points for a file, and why in words.
pub fn points(source: &Source, is_imported: bool, environment: &[Environment]) -> (i64, String) {
    let mut points = 0;
    let mut why = Vec::new();
    let mut add = |value: i64, reason: &str| {
        points += value;
        if value > 0 {
            why.push(reason.to_owned());
        }
    };
    let name = stem(&source.path);
    let started = environment.iter().find(|file| file.starts.contains(&source.name));
    if let Some(docker) = started {
        add(25, &format!("{} starts it", docker.file));
    }
    if source.facts.main_guard.is_some() {
        add(8, "it has a main function");
    }
    let words: Vec<&str> = name.split(['_', '-', '.', ' ']).collect();
    if ["train", "main", "run", "training"].contains(&name.as_str()) {
        add(12, "its name says that it is run");
    } else if name.contains("train") {
        add(8, "its name says that it trains");
    } else if BESIDE.iter().any(|word| words.iter().any(|part| part.starts_with(word))) {
        add(-12, "");
    }
    let folders = source.path.parent().map(|folder| folder.iter().count()).unwrap_or(0);
    if folders == 0 {
        add(2, "it stands at the top");
    }
    add(-2 * i64::try_from(folders.min(20)).unwrap_or(20), "");
    let shown = source.path.parent().into_iter().flat_map(|folder| folder.iter());
    if shown.into_iter().any(|folder| SHOWN.iter().any(|known| folder.eq_ignore_ascii_case(known)))
    {
        add(-8, "");
    }
    if is_imported {
        add(-12, "");
    }
    if source.is_notebook {
        add(-5, "");
    }
    let why = if why.is_empty() {
        "it is the only place where this was seen".to_owned()
    } else {
        why.join("; ")
    };
    (points, why)
}

/// The name of a file without its ending, in small letters.
fn stem(path: &Path) -> String {
    path.file_stem().unwrap_or_default().to_string_lossy().to_lowercase()
}
