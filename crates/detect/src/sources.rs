//! The source files of a checkout, read and parsed within the limits.

use std::path::{Path, PathBuf};

use super::environment;
use super::finding::{Environment, Finding, Language, LookedAt, Note};
use super::folder::Folder;
use super::limits::Limits;
use super::notebook;
use super::source::facts::Facts;
use super::source::{python, r, rust};
use super::study::{StudyReader, Toml};
use super::text::decode;
use super::walk::shown;

/// A parsed source file.
pub struct Source {
    /// Path within the checkout.
    pub path: PathBuf,
    /// The path as text.
    pub name: String,
    /// Its language.
    pub language: Language,
    /// Whether it is a notebook, or R Markdown.
    pub is_notebook: bool,
    /// Of a notebook: cell and line of each line.
    pub places: Vec<(u32, u32)>,
    /// What it does.
    pub facts: Facts,
    /// Whether it is a test, or somebody else's code that was copied in.
    pub is_aside: bool,
}

/// All that was read.
#[derive(Default)]
pub struct Sources {
    /// Source files.
    pub sources: Vec<Source>,
    /// Studies.
    pub studies: Vec<Finding>,
    /// What programs need.
    pub environment: Vec<Environment>,
    /// What was noticed.
    pub notes: Vec<Note>,
}

/// What a file is read as.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reader {
    Python,
    Notebook,
    R,
    RMarkdown,
    Rust,
    Toml,
    Environment(&'static str),
}

impl Reader {
    fn of(path: &Path) -> Option<Self> {
        let name = path.file_name()?.to_string_lossy().into_owned();
        if let Some(kind) = environment::kind(&name) {
            return Some(Self::Environment(kind));
        }
        let ending = path.extension()?.to_string_lossy().to_lowercase();
        Some(match ending.as_str() {
            "py" | "pyw" => Self::Python,
            "ipynb" => Self::Notebook,
            "r" => Self::R,
            "rmd" | "qmd" => Self::RMarkdown,
            "rs" => Self::Rust,
            "toml" => Self::Toml,
            _ => return None,
        })
    }
}

/// Reads every file that may tell something.
pub fn read(
    top: &Folder,
    files: &[PathBuf],
    limits: &Limits,
    study: StudyReader<'_>,
    looked: &mut LookedAt,
) -> Sources {
    let mut found = Sources::default();
    let (mut count, mut total, mut facts) = (0, 0, 0);
    for path in files {
        let Some(reader) = Reader::of(path) else { continue };
        let name = shown(path);
        if count >= limits.files_read || total >= limits.total_bytes {
            let why = format!(
                "only {} files, and {} MiB, are read",
                limits.files_read,
                limits.total_bytes >> 20
            );
            looked.skip(name, why.clone());
            looked.limit(why);
            continue;
        }
        let most =
            if reader == Reader::Notebook { limits.notebook_bytes } else { limits.source_bytes };
        let bytes = match top.read(path, most) {
            Ok(Some(bytes)) => bytes,
            Ok(None) => {
                looked.skip(name, format!("longer than {} KiB", most >> 10));
                continue;
            }
            Err(error) => {
                looked.skip(name, format!("it cannot be read: {error}"));
                continue;
            }
        };
        count += 1;
        total += bytes.len();
        if facts > limits.facts {
            let why = format!("only {} names and calls are noted", limits.facts);
            looked.skip(name, why.clone());
            looked.limit(why);
            continue;
        }
        let known = found.sources.len();
        let read = decode(&bytes).map_err(str::to_owned);
        match read.and_then(|text| match reader {
            Reader::Toml => {
                let is_exact = path.to_str().is_some_and(|path| path == name);
                match study(&name, is_exact, &text) {
                    Toml::Study(study) => found.studies.push(*study),
                    Toml::Broken(note) => found.notes.push(note),
                    Toml::Other => {}
                }
                Ok(())
            }
            _ => found.add(reader, path, &name, &text, limits),
        }) {
            Ok(()) => {
                looked.read += 1;
                facts += found.sources[known..]
                    .iter()
                    .map(|source| source.facts.weight())
                    .sum::<usize>();
            }
            Err(why) => looked.skip(name, why),
        }
    }
    found
}

impl Sources {
    fn add(
        &mut self,
        reader: Reader,
        path: &Path,
        name: &str,
        text: &str,
        limits: &Limits,
    ) -> Result<(), String> {
        let mut places = Vec::new();
        let (language, facts) = match reader {
            Reader::Environment(kind) => {
                self.environment.push(environment::read(kind, name, text));
                return Ok(());
            }
            // The caller reads them.
            Reader::Toml => return Ok(()),
            Reader::Python => (Language::Python, python::read(text, limits)?),
            Reader::R => (Language::R, r::read(text, limits)?),
            Reader::RMarkdown => (Language::R, r::read(&r::chunks(text), limits)?),
            Reader::Rust => (Language::Rust, rust::read(text, limits)?),
            Reader::Notebook => {
                let code =
                    notebook::read(text).map_err(|why| format!("it is not a notebook: {why}"))?;
                places = code.places;
                if code.text.len() > limits.source_bytes {
                    return Err(format!(
                        "its code is longer than {} KiB",
                        limits.source_bytes >> 10
                    ));
                }
                for (command, _, _) in
                    code.shell.iter().filter(|(command, ..)| command.contains("install"))
                {
                    let read = environment::read("requirements", name, command);
                    if read.gpu.is_some() {
                        self.environment.push(read);
                    }
                }
                match code.language.as_str() {
                    "python" => (Language::Python, python::read(&code.text, limits)?),
                    "r" => (Language::R, r::read(&code.text, limits)?),
                    other => {
                        return Err(format!("a notebook in {}", super::text::one_line(other, 30)));
                    }
                }
            }
        };
        if let Some(line) = facts.broken_at {
            let place = match places.get(line as usize - 1) {
                Some((cell, line)) => format!("line {line} of cell {cell}"),
                None => format!("line {line}"),
            };
            let text = format!("{place} is not valid Python; calls from there on may be missed");
            self.notes.push(Note { file: name.to_owned(), text });
        }
        if let Some(cut) = &facts.cut {
            self.notes.push(Note { file: name.to_owned(), text: format!("{cut} were left out") });
        }
        self.sources.push(Source {
            path: path.to_owned(),
            name: name.to_owned(),
            language,
            is_notebook: matches!(reader, Reader::Notebook | Reader::RMarkdown),
            places,
            is_aside: is_aside(path, &facts),
            facts,
        });
        Ok(())
    }
}

/// Tests and copies of somebody else's code, by their folders; a file named as tests are, if it uses a library
/// for tests.
fn is_aside(path: &Path, facts: &Facts) -> bool {
    const FOLDERS: [&str; 9] = [
        "tests",
        "test",
        "testing",
        "vendor",
        "vendored",
        "third_party",
        "thirdparty",
        "external",
        "extern",
    ];
    let folders = path.parent().into_iter().flat_map(Path::iter);
    if folders
        .into_iter()
        .any(|folder| FOLDERS.iter().any(|aside| folder.eq_ignore_ascii_case(aside)))
    {
        return true;
    }
    let name = path.file_stem().unwrap_or_default().to_string_lossy();
    let is_named = name.starts_with("test_") || name.ends_with("_test") || name == "conftest";
    let has_tests = facts
        .scopes
        .iter()
        .any(|scope| scope.name.starts_with("test_") || scope.name.starts_with("Test"));
    let tests = ["pytest", "unittest"];
    is_named
        && (has_tests || facts.imports.iter().any(|import| tests.contains(&import.module.as_str())))
}
