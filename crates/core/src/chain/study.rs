//! Makes the study of a repository safe to run here: it reads only its own files, and notifies nobody.

use std::path::{Component, Path, PathBuf};

use super::config::is_inside;
use crate::spec::{RunSpec, Source, SpecError, StudyDocument, StudyFile};

/// Longer files are refused.
const BYTES_MAX: u64 = 1 << 20;

/// Why a study of a repository is refused.
#[derive(Debug, thiserror::Error)]
pub enum RefusedStudy {
    /// It cannot be read.
    #[error("cannot read the study {}", file.display())]
    Read {
        /// Its path within the repository.
        file: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It is not valid.
    #[error(transparent)]
    Spec(#[from] SpecError),
    /// It names a file outside the repository.
    #[error(
        "`{key}` of {} is {}, which is not in the repository; a study that is built here may read only its own files, and \
         the folder that `data` of the repository names in server.toml", file.display(), path.display()
    )]
    Outside {
        /// The study's path within the repository.
        file: PathBuf,
        /// The key.
        key: &'static str,
        /// Its value.
        path: PathBuf,
    },
}

/// What the configuration requires of a study.
#[derive(Debug, Clone, Default)]
pub struct Demands {
    /// The accuracy that it must reach.
    pub gate: Option<f64>,
    /// Its time limit, in seconds.
    pub seconds: Option<f64>,
    /// Where its trials are trained.
    pub run: RunSpec,
    /// Whether it names a folder of data for studies on MNIST.
    pub has_data: bool,
}

/// A study as it is built here.
#[derive(Debug)]
pub struct Built {
    /// The study.
    pub study: StudyFile,
    /// What was changed from the repository's study, a sentence each.
    pub changes: Vec<String>,
}

/// Reads a study of a checkout, which is at `seen_at` for the process that trains it. Its paths become absolute; its
/// `[notify]` and `data.cache` are dropped, as both would let the repository run commands or access files on this
/// machine; gate and time limit are those of the service.
///
/// # Errors
///
/// If it cannot be read, is not valid, or names files outside the repository.
pub fn read(
    checkout: &Path,
    file: &Path,
    seen_at: &Path,
    demands: Demands,
) -> Result<Built, RefusedStudy> {
    let refuse = |source| RefusedStudy::Read { file: file.into(), source };
    let path = checkout.join(file);
    let metadata = std::fs::symlink_metadata(&path).map_err(refuse)?;
    if !metadata.is_file() || metadata.len() > BYTES_MAX {
        return Err(refuse(std::io::Error::other("not a file of at most 1 MiB")));
    }
    let text = std::fs::read_to_string(&path).map_err(refuse)?;
    let document = StudyDocument::new(file.display().to_string(), text);
    document.check()?;
    made_safe(document.parse()?, file, seen_at, demands)
}

/// The same for a study that has been read. Its paths start at the folder of `file`, a path in the checkout.
///
/// # Errors
///
/// If it names files outside the repository.
pub fn made_safe(
    mut study: StudyFile,
    file: &Path,
    seen_at: &Path,
    demands: Demands,
) -> Result<Built, RefusedStudy> {
    let mut changes = Vec::new();
    if std::mem::take(&mut study.notify) != Default::default() {
        changes.push(
            "[notify] of the study is ignored: [notify] of server.toml says who is notified"
                .to_owned(),
        );
    }
    if std::mem::replace(&mut study.run, demands.run) != Default::default() {
        changes.push(
            "[run] of the study is ignored: `run` of server.toml says where trials are trained"
                .to_owned(),
        );
    }
    if study.data.cache.take().is_some() {
        changes.push("data.cache of the study is ignored: the service stores decoded images in its own folder".to_owned());
    }
    let folder = file.parent().unwrap_or(Path::new(""));
    let is_elsewhere = |path: &PathBuf| inside(folder, path).is_none();
    if demands.has_data
        && study.data.source == Source::Mnist
        && let Some(path) = study.data.path.take_if(|path| is_elsewhere(path))
    {
        let path = path.display();
        changes.push(format!(
            "data.path of the study, {path}, is not in the repository and is ignored: `data` of server.toml says where the data is"
        ));
    }
    for (key, path) in [
        ("data.path", &mut study.data.path),
        ("data.labels", &mut study.data.labels),
        ("model.from", &mut study.model.from),
    ] {
        let Some(path) = path else { continue };
        match inside(folder, path) {
            Some(inside) => *path = seen_at.join(inside),
            None => {
                return Err(RefusedStudy::Outside { file: file.into(), key, path: path.clone() });
            }
        }
    }
    if let Some(gate) = demands.gate {
        let own = std::mem::replace(&mut study.gate.accuracy, gate);
        if own != gate {
            changes.push(format!("gate.accuracy is {gate} as set in server.toml, not {own}"));
        }
    }
    if let Some(seconds) = demands.seconds {
        let own = study.tune.seconds;
        study.tune.seconds = Some(own.map_or(seconds, |own| own.min(seconds)));
        if study.tune.seconds != own {
            let line = format!("tune.seconds is {seconds}, the limit set in server.toml");
            changes.push(line);
        }
    }
    Ok(Built { study, changes })
}

/// Converts a path relative to a folder of the checkout into one relative to the checkout; `None` if it leads out of it.
pub(super) fn inside(folder: &Path, path: &Path) -> Option<PathBuf> {
    let mut inside = PathBuf::new();
    for part in folder.join(path).components() {
        match part {
            Component::Normal(name) => inside.push(name),
            Component::CurDir => {}
            Component::ParentDir if inside.pop() => {}
            _ => return None,
        }
    }
    is_inside(&inside).then_some(inside)
}

#[cfg(test)]
mod tests;
