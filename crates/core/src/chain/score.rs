//! The accuracy that a program of another library reports.

use std::path::Path;

use serde_json::Value;

use super::config::Score;
use super::output::{is_absent, without_links};

/// Longer files are not read.
const BYTES_MAX: u64 = 1 << 20;

/// Reads the accuracy that a program reported. `folder` is the one that it wrote to, `output` the end of what it printed.
///
/// # Errors
///
/// What is missing or wrong, in words.
pub fn read(score: &Score, folder: &Path, output: &str) -> Result<f64, String> {
    match score {
        Score::File(file) => accuracy(text(folder, file)?.trim(), &file.display().to_string()),
        Score::Json { file, key } => {
            let shown = file.display();
            let value: Value = serde_json::from_str(&text(folder, file)?)
                .map_err(|error| format!("{shown} is not JSON: {error}"))?;
            let found = key.split('.').try_fold(&value, |value, key| value.get(key));
            match found {
                Some(Value::Number(number)) => {
                    accuracy(&number.to_string(), &format!("{key} of {shown}"))
                }
                Some(_) => Err(format!("{key} of {shown} is not a number")),
                None => Err(format!("{shown} has no {key}")),
            }
        }
        Score::Output { after } => {
            let (_, rest) = output
                .rsplit_once(after)
                .ok_or_else(|| format!("the program did not print {after:?}"))?;
            let number = rest.split_whitespace().next().unwrap_or_default();
            accuracy(number.trim_end_matches([',', ';', ')']), &format!("what follows {after:?}"))
        }
    }
}

/// The path of the file with the accuracy, if it is read from a file. The file is removed before the program starts, so
/// that an old one does not count.
pub fn file(score: &Score) -> Option<&Path> {
    match score {
        Score::File(file) | Score::Json { file, .. } => Some(file),
        Score::Output { .. } => None,
    }
}

fn text(folder: &Path, file: &Path) -> Result<String, String> {
    let shown = file.display();
    let path = without_links(folder, file).map_err(|error| match is_absent(&error) {
        true => format!("the program did not write {shown}, which should contain its accuracy"),
        false => format!("{shown} cannot be read: {error}"),
    })?;
    let metadata = std::fs::symlink_metadata(&path)
        .map_err(|error| format!("{shown} cannot be read: {error}"))?;
    if !metadata.is_file() || metadata.len() > BYTES_MAX {
        return Err(format!("{shown} is not a file of at most 1 MiB"));
    }
    std::fs::read_to_string(&path).map_err(|error| format!("{shown} cannot be read: {error}"))
}

/// A number as a fraction: `0.97`, `97 %` and `97` are the same, and `1` is 100 %.
fn accuracy(text: &str, what: &str) -> Result<f64, String> {
    let refuse = || {
        let text: String = text.chars().take(40).collect();
        format!("{what} is {text:?}, which is not an accuracy; use a number such as 0.97, or 97 %")
    };
    let (number, percent) = match text.strip_suffix('%') {
        Some(number) => (number.trim(), true),
        None => (text, false),
    };
    let value: f64 = number.parse().map_err(|_| refuse())?;
    let share = if percent || value > 1.0 { value / 100.0 } else { value };
    if (0.0..=1.0).contains(&share) { Ok(share) } else { Err(refuse()) }
}

#[cfg(test)]
mod tests;
