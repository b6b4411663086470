//! A program of Keras or PyTorch as a validated study, by [`burgeon_detect::program_study`].

// In a circle with detect: of a folder, the program is taken that is detected first.

use std::path::{Path, PathBuf};

use burgeon_detect::{DetectError, Framework, Limits, ProgramStudy, program_study};

use crate::spec::{InputShape, Spec, SpecError, StudyDocument};

/// A program and the study that was made of it.
#[derive(Debug)]
pub struct CarriedOver {
    /// The program: its layers, and what was not carried over.
    pub program: ProgramStudy,
    /// The study, validated for the program's images.
    pub spec: Spec,
}

/// Why a program has not become a study.
#[derive(Debug, thiserror::Error)]
pub enum CarryError {
    /// The program cannot be read, or is none that a study can be made of.
    #[error(transparent)]
    Detect(#[from] DetectError),
    /// Nothing in the folder is a program of Keras or PyTorch.
    #[error(
        "found no Keras or PyTorch program in {}; if there is one, name its file",
        folder.display()
    )]
    NoProgram {
        /// The folder.
        folder: PathBuf,
    },
    /// The network is one that a study may not have.
    #[error("the program's network cannot be turned into a study")]
    Study(#[source] SpecError),
}

/// The study of a program, or of the one that [`detect`](super::detect) finds first in a folder.
///
/// # Errors
///
/// [`CarryError`].
pub fn carry_over(path: &Path, limits: &Limits) -> Result<CarriedOver, CarryError> {
    let (folder, entry) = if path.is_dir() {
        let found = super::detect(path, limits)?;
        let is_known = |framework| {
            matches!(framework, Framework::Keras | Framework::Tensorflow | Framework::Pytorch)
        };
        let first = found.findings.iter().find(|finding| {
            finding.entry.is_exact && is_known(finding.framework) && finding.study.is_none()
        });
        let first = first.ok_or_else(|| CarryError::NoProgram { folder: path.into() })?;
        (path.to_owned(), PathBuf::from(&first.entry.file))
    } else {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let name = path.file_name().unwrap_or_default();
        (folder.unwrap_or(Path::new(".")).to_owned(), PathBuf::from(name))
    };
    carry_over_in(&folder, &entry, limits)
}

/// The study of the program in `entry`, a path within `folder`.
///
/// # Errors
///
/// [`CarryError`].
pub fn carry_over_in(
    folder: &Path,
    entry: &Path,
    limits: &Limits,
) -> Result<CarriedOver, CarryError> {
    let program = program_study(folder, entry, limits)?;
    let [channels, height, width] = program.input;
    let input = InputShape { channels, height, width, classes: program.classes };
    let document = StudyDocument::new(&*program.file, &*program.toml);
    let spec = document.validate(input).map_err(CarryError::Study)?;
    Ok(CarriedOver { program, spec })
}
