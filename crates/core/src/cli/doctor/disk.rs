//! Whether runs can be written.

use std::path::{Path, PathBuf};

use super::check::{Check, Status, size};
use crate::sys::error_chain;
use crate::sys::files::{Files, free_space, parent};
use crate::sys::trial_write::{FileSystem, Tried, file_system, try_folder};

const AREA: &str = "disk";

/// Less than this holds no checkpoint of a network of some size.
const SPACE_LEAST_BYTES: u64 = 50_000_000;
/// Less than this may not hold a study of many trials.
const SPACE_LITTLE_BYTES: u64 = 1_000_000_000;
/// Each event waits for its sync; slower ones are felt.
const SYNC_SLOW_MS: u128 = 200;

/// Checks the folder of runs, or the nearest folder above it that exists.
pub fn runs(files: &dyn Files, runs: &Path) -> Vec<Check> {
    let Some(there) = existing(runs) else {
        return vec![Check::fault(
            AREA,
            format!("{} cannot be reached", runs.display()),
            "name another folder with --runs or BURGEON_RUNS",
        )];
    };
    let mut checks = vec![usable(files, runs, &there)];
    // Where nothing can be written, no more is of interest.
    if checks[0].status != Status::Fault {
        checks.extend(space(runs, &there));
        checks.extend(kind(runs, &there));
    }
    checks
}

/// Checks the folder that decoded and downloaded images are kept in.
pub fn cache(files: &dyn Files, folder: Option<&Path>) -> Check {
    let Some(folder) = folder else {
        return Check::warning(
            AREA,
            "there is no folder to keep downloaded and decoded images in",
            "set BURGEON_CACHE to one, or HOME",
        );
    };
    let tried = existing(folder).map(|there| try_folder(files, &there));
    match tried {
        Some(Ok(_)) => Check::ok(AREA, format!("images are kept in {}", folder.display())),
        Some(Err(error)) => Check::warning(
            AREA,
            format!("images cannot be kept in {}: {}", folder.display(), error_chain(&error)),
            "set BURGEON_CACHE to a folder that can be written to; without one, images are decoded again each time",
        ),
        None => Check::warning(
            AREA,
            format!("{} cannot be reached", folder.display()),
            "set BURGEON_CACHE to a folder that can be written to",
        ),
    }
}

/// The folder itself, or the nearest one above it that exists.
fn existing(path: &Path) -> Option<PathBuf> {
    let mut at = path;
    loop {
        match at.try_exists() {
            Ok(true) => return Some(at.into()),
            Err(_) => return None,
            Ok(false) if parent(at) == at => return None,
            Ok(false) => at = parent(at),
        }
    }
}

fn usable(files: &dyn Files, runs: &Path, there: &Path) -> Check {
    let place = match there == runs {
        true => runs.display().to_string(),
        false => format!("{}, in which {} will be created,", there.display(), runs.display()),
    };
    match try_folder(files, there) {
        Err(error) => Check::fault(
            AREA,
            format!("runs cannot be written to {}: {}", runs.display(), error_chain(&error)),
            "give yourself the right to write there, or name another folder with --runs or BURGEON_RUNS",
        ),
        Ok(Tried { locks_exclude: false, .. }) => Check::warning(
            AREA,
            format!(
                "locks do not work in {place}, so that processes tell each other apart by heartbeats"
            ),
            "put runs onto a local disk, or mount this file system with locks",
        ),
        Ok(Tried { write, .. }) if write.as_millis() > SYNC_SLOW_MS => Check::warning(
            AREA,
            format!("writing a small file to {place} took {} ms", write.as_millis()),
            "put runs onto a faster disk: each event of a study is written like that",
        ),
        Ok(Tried { write, .. }) => Check::ok(
            AREA,
            format!(
                "{place} can be written to, synced, renamed in and locked ({:.1} ms)",
                write.as_secs_f64() * 1e3
            ),
        ),
    }
}

fn space(runs: &Path, there: &Path) -> Option<Check> {
    let free = free_space(there)?;
    let found = format!("{} free for {}", size(free), runs.display());
    let remedy = "make room, or name a folder on another disk with --runs or BURGEON_RUNS";
    Some(match free {
        ..SPACE_LEAST_BYTES => Check::fault(AREA, found, remedy),
        SPACE_LEAST_BYTES..SPACE_LITTLE_BYTES => Check::warning(AREA, found, remedy),
        _ => Check::ok(AREA, found),
    })
}

fn kind(runs: &Path, there: &Path) -> Option<Check> {
    match file_system(there) {
        FileSystem::Local => None,
        FileSystem::Memory => Some(Check::warning(
            AREA,
            format!(
                "{} is in memory: runs are lost when the machine or container ends",
                runs.display()
            ),
            "name a folder on a disk with --runs or BURGEON_RUNS; in a container, mount one",
        )),
        FileSystem::Network("FUSE") => Some(Check::warning(
            AREA,
            format!("{} is on FUSE, which may be on another machine", runs.display()),
            "prefer a local disk; where that is impossible, never run a study from two machines at a time",
        )),
        FileSystem::Network(protocol) => Some(Check::warning(
            AREA,
            format!("{} is on another machine ({protocol})", runs.display()),
            "that works, but more slowly: taking over a run from a machine that has died takes 20 s",
        )),
    }
}

#[cfg(test)]
mod tests;
