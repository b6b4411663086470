//! Removes the files of old builds, by age and by size. Their records stay.

use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::Chain;
use super::config::{Repository, Runner};
use super::contained::remove_left_over;
use super::git::bytes_below;
use super::health::Part;
use super::store::StoreError;

/// How often to look for files to remove.
const CHECK_INTERVAL: Duration = Duration::from_secs(600);

/// Removes files at intervals until the service stops; first those whose removal an earlier service did not finish.
///
/// # Errors
///
/// If the record cannot be read or written.
pub(super) fn work(chain: &Chain) -> Result<(), StoreError> {
    if let Err(error) = remove_what_was_cleared(chain) {
        let error = crate::sys::error_chain(&error);
        tracing::warn!(error, "cannot finish removing the files of old builds");
    }
    let mut next = Instant::now();
    let mut seen = 0;
    while !chain.is_stopping() {
        if next <= Instant::now() {
            for repository in &chain.config.repositories {
                clear(chain, repository)?;
            }
            if chain.config.rules.iter().any(|rule| rule.run == Runner::Container)
                && let Err(error) = remove_left_over(chain)
            {
                let error = crate::sys::error_chain(&error);
                tracing::warn!(error, "cannot check for containers left behind by a crash");
            }
            next = Instant::now() + CHECK_INTERVAL;
        }
        chain.health.report_success(Part::Clearing);
        seen = chain.wait(seen, CHECK_INTERVAL);
    }
    Ok(())
}

/// Removes what is too old, and then the oldest builds until the rest is small enough.
fn clear(chain: &Chain, repository: &Repository) -> Result<(), StoreError> {
    let keep = &chain.config.keep;
    let oldest = Timestamp::now().as_millisecond() - i64::from(keep.days) * 24 * 3600 * 1000;
    let builds = chain.store.clearable(&repository.name)?;
    let sizes: Vec<u64> =
        builds.iter().map(|build| bytes_below(&chain.places.build(build.id))).collect();
    let mut bytes: u64 = sizes.iter().sum();
    for (build, size) in builds.iter().zip(sizes) {
        chain.health.report_alive(Part::Clearing);
        let is_old = build.ended.is_some_and(|ended| ended < oldest);
        // Recorded first, so that a build is not reopened while its files are removed.
        if (is_old || bytes > u64::from(keep.gigabytes) << 30)
            && chain.store.set_cleared(build.id)?
        {
            remove(chain, &repository.name, build.id);
            bytes -= size;
        }
    }
    Ok(())
}

/// Removes the files of builds that are recorded as removed, but whose removal a crash interrupted.
fn remove_what_was_cleared(chain: &Chain) -> Result<(), StoreError> {
    for entry in std::fs::read_dir(chain.places.builds()).into_iter().flatten().flatten() {
        let id = entry.file_name().to_str().and_then(|name| name.parse().ok());
        let Some(id) = id else { continue };
        if let Some(build) = chain.store.build(id)?.filter(|build| build.cleared) {
            remove(chain, &build.repository, id);
        }
    }
    Ok(())
}

/// Removes the files of a build, and its model, which a newer one has replaced.
fn remove(chain: &Chain, repository: &str, build: i64) {
    let mut folders = vec![chain.places.build(build)];
    let models = chain.places.models(repository);
    let production = std::fs::read_link(models.join(super::publish::PRODUCTION)).ok();
    for entry in std::fs::read_dir(&models).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let is_of_build =
            name.to_string_lossy().split_once('-').is_some_and(|(id, _)| id == build.to_string());
        if is_of_build && production.as_deref() != Some(std::path::Path::new(&name)) {
            folders.push(entry.path());
        }
    }
    for folder in folders {
        if let Err(error) = std::fs::remove_dir_all(&folder)
            && error.kind() != std::io::ErrorKind::NotFound
        {
            tracing::warn!(folder = %folder.display(), %error, "cannot remove the files of an old build");
        }
    }
}

#[cfg(test)]
mod tests;
