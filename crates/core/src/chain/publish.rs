//! The stage that publishes an accepted model: into a folder of its own, which the link `production` then points to.

use std::io;
use std::os::unix::fs::symlink;
use std::path::Path;

use rustix::fs::{CWD, RenameFlags, renameat_with};

use super::build::{Build, End, ModelPart, Trained};
use super::output::{copy, without_links};

/// Name of the link to the newest accepted model.
pub(super) const PRODUCTION: &str = "production";

/// Publishes a model. A reader of `production` always finds a complete model, the old one or the new one.
pub(super) fn publish(build: &mut Build, trained: &Trained) -> Result<(String, ()), End> {
    if trained.model.is_empty() {
        return Ok(("nothing is published, because the rule lists no files in `model`".into(), ()));
    }
    let models = build.chain.places.models(&build.repository.name);
    let name = format!("{}-{}", build.row.id, build.row.commit_id.get(..12).unwrap_or("commit"));
    published(&models, &name, trained).map_err(|error| {
        build.failed(format!("the model cannot be published in {}: {error}", models.display()))
    })?;
    Ok((format!("{} in {}", name, models.display()), ()))
}

fn published(models: &Path, name: &str, trained: &Trained) -> io::Result<()> {
    std::fs::create_dir_all(models)?;
    let (aside, folder) = (models.join(format!(".{name}.new")), models.join(name));
    // Before a restart, the stage may have been interrupted between any two of these steps.
    if aside.exists() {
        std::fs::remove_dir_all(&aside)?;
    }
    std::fs::create_dir_all(&aside)?;
    for ModelPart { name, folder, path } in &trained.model {
        let to = if name.is_empty() { aside.clone() } else { aside.join(name) };
        without_links(folder, path)
            .and_then(|from| copy(&from, &to))
            .map_err(|error| io::Error::other(format!("{}: {error}", path.display())))?;
    }
    sync(&aside)?;
    // A program that was started again has made another model than the one that was published before: they change
    // places in one step, as `production` may lead there already.
    if folder.exists() {
        renameat_with(CWD, &aside, CWD, &folder, RenameFlags::EXCHANGE)?;
        std::fs::remove_dir_all(&aside)?;
    } else {
        std::fs::rename(&aside, &folder)?;
    }
    let link = models.join(format!(".{PRODUCTION}.new"));
    match std::fs::remove_file(&link) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    symlink(name, &link)?;
    std::fs::rename(&link, models.join(PRODUCTION))?;
    std::fs::File::open(models)?.sync_all()
}

/// Brings all files of a folder to disk, before a name leads to them.
fn sync(folder: &Path) -> io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        match entry.file_type()?.is_dir() {
            true => sync(&entry.path())?,
            false => std::fs::File::open(entry.path())?.sync_all()?,
        }
    }
    std::fs::File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests;
