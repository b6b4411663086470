//! What the machine or the container allows.

use std::path::Path;

use super::check::{Check, size};
use crate::sys::files::free_space;
use crate::sys::limits::Limits;

const AREA: &str = "limits";

/// Less than this, and the training of an image classifier of some size may be killed.
const MEMORY_LITTLE_BYTES: u64 = 500_000_000;
/// A study opens about forty files; reading a folder of pictures in parallel, a few more for each thread.
const OPEN_FILES_LEAST: u64 = 64;
const OPEN_FILES_FEW: u64 = 256;

/// Memory, processors, open files and shared memory.
pub fn limits(limits: &Limits) -> Vec<Check> {
    let mut checks = vec![memory(limits)];
    checks.extend(limits.group_cpus.map(|cpus| {
        Check::ok(AREA, format!("the control group (container) may use {cpus:.1} processors"))
    }));
    checks.extend(limits.open_files.map(open_files));
    checks.extend(shared_memory(Path::new("/dev/shm")));
    checks
}

fn memory(limits: &Limits) -> Check {
    let group_left = limits
        .group_bytes
        .map(|most| most.saturating_sub(limits.group_used_bytes.unwrap_or_default()));
    let Some(left) = limits.available_bytes.into_iter().chain(group_left).min() else {
        return Check::ok(AREA, "memory: the system does not tell");
    };
    let group = limits.group_bytes.map_or(String::new(), |most| {
        format!(" (the control group, or container, may take {})", size(most))
    });
    let found = format!("memory: {} available{group}", size(left));
    match left {
        ..MEMORY_LITTLE_BYTES => Check::warning(
            AREA,
            found,
            "end other programs, or raise the limit of the container; smaller batches and networks need less",
        ),
        _ => Check::ok(AREA, found),
    }
}

fn open_files(most: u64) -> Check {
    let found = format!("open files: {most} at a time");
    let remedy = "raise the limit with `ulimit -n 1024`, or in the settings of the container";
    match most {
        ..OPEN_FILES_LEAST => Check::fault(AREA, found, remedy),
        OPEN_FILES_LEAST..OPEN_FILES_FEW => Check::warning(AREA, found, remedy),
        u64::MAX => Check::ok(AREA, "open files: as many as wanted"),
        _ => Check::ok(AREA, found),
    }
}

fn shared_memory(path: &Path) -> Option<Check> {
    let free = free_space(path).filter(|_| path.is_dir())?;
    // Told because other trainers need it, and people look for it in containers.
    Some(Check::ok(AREA, format!("/dev/shm: {} free, which burgeon does not need", size(free))))
}

#[cfg(test)]
mod tests;
