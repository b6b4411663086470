//! Text → [`StudyFile`], with the line of every problem.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Deserialize;
use toml::Value;
use toml::de::{DeTable, DeValue};

use super::error::{Location, Problem, SpecError};
use super::shape::InputShape;
use super::study::{Spec, StudyFile};
use super::validate::check_ranges;

/// Longer files are refused, so that a wrong file is not parsed for minutes.
const TEXT_BYTES_MAX: usize = 1 << 20;

/// The text of a study file, with the name it has in messages and the overrides of `--set`.
#[derive(Debug, Clone)]
pub struct StudyDocument {
    origin: String,
    folder: Option<PathBuf>,
    text: Arc<str>,
    overrides: Vec<Override>,
}

/// `key=value` from the command line, such as `train.epochs=3` or
/// `model.layers[0].conv.filters=4`.
#[derive(Debug, Clone, PartialEq)]
pub struct Override {
    key: String,
    path: Vec<Step>,
    value: Value,
    /// The option or variable that it comes from, for messages.
    origin: &'static str,
}

#[derive(Debug, Clone, PartialEq)]
enum Step {
    Key(String),
    Index(usize),
}

impl StudyDocument {
    /// `origin` names the text in error messages: the file's path, or any other name.
    pub fn new(origin: impl Into<String>, text: impl Into<Arc<str>>) -> Self {
        Self { origin: origin.into(), folder: None, text: text.into(), overrides: Vec::new() }
    }

    /// Sets the folder that the study's relative paths start from.
    #[must_use]
    pub fn in_folder(mut self, folder: impl Into<PathBuf>) -> Self {
        self.folder = Some(folder.into());
        self
    }

    /// The name of the text in error messages.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// The folder that relative paths start from, if one was set.
    pub fn folder(&self) -> Option<&Path> {
        self.folder.as_deref()
    }

    /// Whether an override sets this key, such as `data.path`.
    pub fn overrides(&self, key: &str) -> bool {
        self.overrides.iter().any(|set| {
            key.strip_prefix(set.key.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
        })
    }

    /// Adds overrides, applied in order.
    #[must_use]
    pub fn with_overrides(mut self, overrides: Vec<Override>) -> Self {
        self.overrides.extend(overrides);
        self
    }

    /// Reads the raw study; ranges and shapes are checked by [`validate`](Self::validate).
    ///
    /// # Errors
    ///
    /// Text that is not TOML, unknown keys, missing keys and wrong types, with their place.
    pub fn parse(&self) -> Result<StudyFile, SpecError> {
        if self.text.len() > TEXT_BYTES_MAX {
            let problem = Problem::new("", "the file is too long for a study", "use at most 1 MiB");
            return Err(SpecError::new(&self.origin, vec![problem]));
        }
        let file: StudyFile =
            toml::from_str(&self.text).map_err(|error| self.toml_error(&error))?;
        if self.overrides.is_empty() {
            return Ok(file);
        }
        self.parse_overridden()
    }

    /// Checks everything that can be checked without knowing the images.
    ///
    /// # Errors
    ///
    /// Those of [`parse`](Self::parse), and numbers out of range, with their place.
    pub fn check(&self) -> Result<(), SpecError> {
        let problems = check_ranges(&self.parse()?);
        problems.map_err(|problems| self.locate(SpecError::new("", problems)))
    }

    /// Reads the study and checks it against the shape of its data.
    ///
    /// # Errors
    ///
    /// Those of [`parse`](Self::parse) and of [`Spec::new`], with their place.
    pub fn validate(&self, input: InputShape) -> Result<Spec, SpecError> {
        Spec::new(self.parse()?, input).map_err(|error| self.locate(error))
    }

    /// Points the problems of a study that came from this document at their lines.
    pub fn locate(&self, mut error: SpecError) -> SpecError {
        let document = DeTable::parse(&self.text).ok();
        error.origin.clone_from(&self.origin);
        error.text = Some(self.text.clone());
        for problem in &mut error.problems {
            let overridden = self.overrides.iter().rfind(|set| problem.key.starts_with(&set.key));
            if let Some(set) = overridden {
                problem.message =
                    format!("{} (from {} {}=…)", problem.message, set.origin, set.key);
            } else if problem.key.starts_with("notify.webhook") {
                // Its line is not shown, as the address may be a secret.
            } else if let (Some(document), Ok(path)) = (&document, parse_path(&problem.key)) {
                let span = find_span(document.get_ref(), &path);
                problem.location = span.map(|span| Location::of(&self.text, span));
            }
        }
        error
    }

    fn parse_overridden(&self) -> Result<StudyFile, SpecError> {
        let mut table: Value = toml::from_str::<toml::Table>(&self.text)
            .map(Value::Table)
            .map_err(|error| self.toml_error(&error))?;
        let mut file = None;
        for set in &self.overrides {
            // A password is not shown, wherever it was written by mistake.
            let is_secret = set.to_string().contains("password");
            let origin = match is_secret {
                true => format!("{} {}=…", set.origin, set.key),
                false => format!("{} {set}", set.origin),
            };
            let refuse = |message: String| {
                if let Some(problem) = password_problem(&message) {
                    return SpecError::new(&origin, vec![problem]);
                }
                let problem =
                    Problem::new("", in_study_terms(message.trim()).replace('\n', " "), "");
                SpecError::new(&origin, vec![problem])
            };
            set_at(&mut table, &set.path, set.value.clone()).map_err(refuse)?;
            let parsed = StudyFile::deserialize(table.clone());
            file = Some(parsed.map_err(|error| refuse(error.to_string()))?);
        }
        file.map_or_else(|| self.parse(), Ok)
    }

    fn toml_error(&self, error: &toml::de::Error) -> SpecError {
        if let Some(problem) = password_problem(error.message()) {
            // Without the text, whose line would be shown with the password.
            return SpecError::new(&self.origin, vec![problem]);
        }
        let mut problem =
            Problem::new("", in_study_terms(error.message()), suggestion(error.message()));
        problem.location = error.span().map(|span| Location::of(&self.text, span));
        let mut error = SpecError::new(&self.origin, vec![problem]);
        error.text = Some(self.text.clone());
        error
    }
}

impl Override {
    /// The key that it sets.
    #[cfg(feature = "train")]
    pub(crate) fn key(&self) -> &str {
        &self.key
    }

    /// Sets `train.seed`.
    pub fn seed(seed: u64) -> Self {
        // A larger seed does not fit a TOML integer; -1 makes parsing refuse it.
        Self::integer("train", "seed", i64::try_from(seed).unwrap_or(-1))
    }

    /// Sets `tune.jobs`.
    pub fn jobs(jobs: u16) -> Self {
        Self::integer("tune", "jobs", jobs.into())
    }

    /// Sets `run.on` to a name.
    #[cfg(feature = "cli")]
    pub(crate) fn on(name: &str) -> Self {
        Self {
            key: "run.on".into(),
            path: vec![Step::Key("run".into()), Step::Key("on".into())],
            value: Value::String(name.into()),
            origin: SET,
        }
    }

    /// Sets `data.skip-unreadable`.
    #[cfg(feature = "cli")]
    pub(crate) fn skip_unreadable() -> Self {
        Self {
            key: "data.skip-unreadable".into(),
            path: vec![Step::Key("data".into()), Step::Key("skip-unreadable".into())],
            value: Value::Boolean(true),
            origin: SET,
        }
    }

    fn integer(table: &str, key: &str, value: i64) -> Self {
        Self {
            key: format!("{table}.{key}"),
            path: vec![Step::Key(table.into()), Step::Key(key.into())],
            value: Value::Integer(value),
            origin: SET,
        }
    }

    /// The same, from this environment variable.
    #[cfg(feature = "cli")]
    pub(crate) fn set_by(self, name: &'static str) -> Self {
        Self { origin: name, ..self }
    }

    /// The option or variable that it comes from.
    #[cfg(feature = "train")]
    pub(crate) fn origin(&self) -> &'static str {
        self.origin
    }
}

/// The option that sets a key.
const SET: &str = "--set";

impl std::fmt::Display for Override {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        write!(f, "{}={}", self.key, self.value)
    }
}

impl std::str::FromStr for Override {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (key, value) = text.split_once('=').ok_or_else(|| {
            format!("{text:?} has no `=`: write key=value, such as train.epochs=3")
        })?;
        let key = key.trim();
        let path = parse_path(key)?;
        // A value that is not TOML is a string, so that names need no quotes.
        let value = toml::from_str::<toml::Table>(&format!("value = {value}"))
            .ok()
            .and_then(|mut table| table.remove("value"))
            .unwrap_or_else(|| Value::String(value.trim().into()));
        Ok(Self { key: key.into(), path, value, origin: SET })
    }
}

fn parse_path(key: &str) -> Result<Vec<Step>, String> {
    let mut path = Vec::new();
    for part in key.split('.') {
        let (name, indices) =
            part.split_once('[').map_or((part, None), |(name, rest)| (name, Some(rest)));
        if name.is_empty() {
            return Err(format!("{key:?} is not a key: write one such as train.epochs"));
        }
        path.push(Step::Key(name.into()));
        for index in indices.into_iter().flat_map(|indices| indices.split('[')) {
            let number = index.strip_suffix(']').and_then(|digits| digits.parse().ok());
            let number = number.ok_or_else(|| {
                format!("{key:?} has an invalid index: write one such as model.layers[0]")
            })?;
            path.push(Step::Index(number));
        }
    }
    Ok(path)
}

fn set_at(target: &mut Value, path: &[Step], value: Value) -> Result<(), String> {
    let Some((step, rest)) = path.split_first() else {
        *target = value;
        return Ok(());
    };
    match step {
        Step::Index(index) => {
            let items = target
                .as_array_mut()
                .ok_or("the index is applied to something that is not a list")?;
            let count = items.len();
            let item = items
                .get_mut(*index)
                .ok_or_else(|| format!("index {index} is past the end of a list of {count}"))?;
            set_at(item, rest, value)
        }
        Step::Key(name) => {
            // `--set train.optimizer.sgd.momentum=0` replaces `optimizer = "adam"`.
            if !target.is_table() {
                *target = Value::Table(toml::Table::new());
            }
            let Some(table) = target.as_table_mut() else {
                return Err("the key is applied to something that is not a table".into());
            };
            let slot =
                table.entry(name.clone()).or_insert_with(|| Value::Table(toml::Table::new()));
            set_at(slot, rest, value)
        }
    }
}

/// The span of the key's value, or of the deepest part of the path that the text has.
fn find_span(table: &DeTable, path: &[Step]) -> Option<Range<usize>> {
    let Some((Step::Key(name), rest)) = path.split_first() else {
        return None;
    };
    let (key, value) = table.iter().find(|(key, _)| key.get_ref() == name.as_str())?;
    let mut span = match value.get_ref() {
        // A header's span covers the whole section; its name alone points better.
        DeValue::Table(_) if rest.is_empty() => key.span(),
        _ => value.span(),
    };
    let mut current = value;
    let mut rest = rest;
    while let Some((step, after)) = rest.split_first() {
        let next = match (step, current.get_ref()) {
            (Step::Key(name), DeValue::Table(table)) => {
                table.iter().find(|(key, _)| key.get_ref() == name.as_str()).map(|(_, value)| value)
            }
            (Step::Index(index), DeValue::Array(items)) => items.get(*index),
            _ => None,
        };
        let Some(next) = next else {
            if matches!(current.get_ref(), DeValue::Table(_)) && span == value.span() {
                span = key.span();
            }
            break;
        };
        span = next.span();
        current = next;
        rest = after;
    }
    Some(span)
}

/// serde's message in the terms of a study file instead of Rust's.
fn in_study_terms(message: &str) -> String {
    const WORDS: [(&str, &str); 8] = [
        ("unknown variant", "unknown name"),
        ("unknown field", "unknown key"),
        ("missing field", "missing key"),
        ("duplicate field", "repeated key"),
        ("expected usize", "expected a whole number of at least 0"),
        ("expected u64", "expected a whole number of at least 0"),
        ("expected u32", "expected a whole number of at least 0"),
        ("expected f64", "expected a number"),
    ];
    WORDS.iter().fold(message.to_owned(), |text, (rust, study)| text.replace(rust, study))
}

/// The problem of a password in the study itself.
fn password_problem(message: &str) -> Option<Problem> {
    let is_there = message.trim_start().starts_with("unknown field `password`");
    is_there.then(|| {
        Problem::new(
            "notify.mail.password",
            "a password has no place in a study, which is copied into run folders",
            "name the file that holds it with `password-file`, or the environment variable with \
             `password-variable`",
        )
    })
}

/// "did you mean …" for serde's `unknown field` and `unknown variant` messages.
fn suggestion(message: &str) -> String {
    if !message.starts_with("unknown ") {
        return String::new();
    }
    let mut quoted = message.split('`').skip(1).step_by(2);
    let Some(wrong) = quoted.next() else {
        return String::new();
    };
    quoted
        .map(|right| (strsim::levenshtein(wrong, right), right))
        .min()
        .filter(|&(distance, right)| distance <= 2.max(right.len() / 3))
        .map_or(String::new(), |(_, right)| format!("did you mean `{right}`?"))
}
