//! What a checkout holds: studies of burgeon, programs of other libraries, their models and data, and the file
//! that is most probably to be run. Nothing is executed, and nothing outside the folder is read. What is a study is for
//! the caller to say, who reads them ([`StudyReader`]).
//!
//! Source files are parsed (`source`) into the calls that they make, by full name, whatever the alias.
//! `meaning` says what a call means: a layer, a model, a training, a data set. `link` follows imports and
//! names from each file that could be run; `tally` counts what is reached; `rank` makes findings of it.
//!
//! Invariant: a comment, a string, or an import that is not used is no evidence.
//!
//! Invariant: what is left out by a limit is told in [`LookedAt`].

mod entry;
mod environment;
mod error;
mod finding;
mod folder;
mod limits;
mod link;
mod meaning;
mod network;
mod notebook;
mod rank;
mod rules;
mod source;
mod sources;
mod study;
mod tally;
mod text;
mod walk;

use std::path::Path;

pub use error::DetectError;
pub use finding::{
    Confidence, DataNamed, Detection, Entry, Environment, Evidence, Finding, Gpu, Kind, Language,
    LookedAt, Note, StudyFound,
};
pub use limits::Limits;
pub use meaning::{Datum, Family, Framework};
pub use network::{Lost, ProgramLayer, ProgramStudy, program_study, text_study};
pub use rules::{Matched, Rule, Rules};
pub use study::{StudyReader, Toml};
pub use text::one_line;

/// Looks at a checkout; `study` says which TOML files are studies.
///
/// # Errors
///
/// The folder cannot be opened. What is wrong with single files is told in the answer.
pub fn detect(
    root: &Path,
    limits: &Limits,
    study: StudyReader<'_>,
) -> Result<Detection, DetectError> {
    let mut looked_at = LookedAt::default();
    let (top, files) = walk::files(root, limits, &mut looked_at)?;
    let read = sources::read(&top, &files, limits, study, &mut looked_at);
    let sources::Sources { sources, studies, environment, mut notes } = read;
    let mut findings = rank::findings(&sources, &environment, limits, &mut looked_at);
    findings.extend(studies);
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.score));
    notes.truncate(finding::SKIPPED_LISTED);
    Ok(Detection { findings, environment, notes, looked_at })
}

/// Reads Python source as far as the names of what it calls, for fuzzing.
#[doc(hidden)]
pub fn fuzz_python(text: &str) -> usize {
    source::python::read(text, &Limits::default())
        .map_or(0, |facts| facts.calls.iter().map(|call| meaning::meanings(call).len()).sum())
}

/// Reads a notebook and its code, for fuzzing.
#[doc(hidden)]
pub fn fuzz_notebook(bytes: &[u8]) -> usize {
    let Ok(text) = text::decode(bytes) else { return 0 };
    notebook::read(&text).map_or(0, |code| {
        assert_eq!(code.text.lines().count(), code.places.len(), "every line has its place");
        fuzz_python(&code.text)
    })
}
