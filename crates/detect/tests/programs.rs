//! Programs of Keras and PyTorch as people write them → studies. `expected.txt` says what each comes to: its layers with
//! their parameters, lines of the study, and parts of what is said not to be carried over.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};

use burgeon_detect::{Limits, ProgramStudy, program_study};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/programs")
}

/// The programs, each with the folder that it is read in.
fn programs() -> Vec<(String, PathBuf, PathBuf)> {
    let mut found = Vec::new();
    for library in ["keras", "pytorch"] {
        let mut entries: Vec<PathBuf> = std::fs::read_dir(folder().join(library))
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        entries.sort();
        for path in entries {
            let name = format!("{library}/{}", path.file_name().unwrap().to_string_lossy());
            if path.is_dir() {
                let entry = ["train.py", "main.py"]
                    .into_iter()
                    .find(|file| path.join(file).exists())
                    .unwrap();
                found.push((name, path, entry.into()));
            } else {
                let file = path.file_name().unwrap().into();
                found.push((name, path.parent().unwrap().into(), file));
            }
        }
    }
    found
}

/// What a program came to, as `expected.txt` writes it.
fn told(study: &ProgramStudy) -> String {
    let mut text = String::new();
    let [channels, height, width] = study.input;
    let _ = writeln!(text, "input {channels}x{height}x{width}, {} classes", study.classes);
    for layer in &study.layers {
        let fixed =
            if layer.fixed > 0 { format!(" + {} kept", layer.fixed) } else { String::new() };
        let row = layer.study_layer.map_or(String::new(), |row| format!(" -> {row}"));
        let _ = writeln!(
            text,
            "{}:{} {} {}{fixed}, {}{row}",
            layer.file, layer.line, layer.name, layer.parameters, layer.output
        );
    }
    for line in study.toml.lines().filter(|line| !line.is_empty()) {
        let _ = writeln!(text, "| {line}");
    }
    for lost in &study.lost {
        let _ = writeln!(text, "! {lost}");
    }
    text
}

#[test]
fn every_program_comes_to_the_study_that_is_expected() {
    let mut whole = String::new();
    let mut told_of = BTreeMap::new();
    for (name, root, entry) in programs() {
        let text = match program_study(&root, &entry, &Limits::default()) {
            Ok(study) => told(&study),
            Err(error) => format!("refused: {error}\n"),
        };
        let _ = write!(whole, "=== {name}\n{text}");
        told_of.insert(name, text);
    }
    let path = folder().join("expected.txt");
    if std::env::var_os("BURGEON_WRITE_EXPECTED").is_some() {
        std::fs::write(&path, &whole).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap();
    let programs = expected.split("=== ").filter(|part| !part.is_empty());
    let programs: Vec<(&str, &str)> = programs.map(|part| part.split_once('\n').unwrap()).collect();
    assert_eq!(programs.len(), told_of.len(), "a program is not in expected.txt");
    for (name, expected) in programs {
        assert_eq!(told_of[name], expected, "{name}");
    }
}
