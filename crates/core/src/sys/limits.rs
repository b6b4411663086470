//! What the machine, or the container, allows this process: memory, processors, open files.

use std::path::{Path, PathBuf};

/// Limits, each `None` where the system has or tells none.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Limits {
    /// Bytes of memory that can be taken without swapping, by the machine.
    pub available_bytes: Option<u64>,
    /// Bytes that the control group may take in all.
    pub group_bytes: Option<u64>,
    /// Bytes that it takes now.
    pub group_used_bytes: Option<u64>,
    /// Processors that the control group may use, 1.5 for one and a half.
    pub group_cpus: Option<f64>,
    /// Files that this process may have open at a time.
    pub open_files: Option<u64>,
}

impl Limits {
    /// The limits of this process.
    pub fn current() -> Self {
        let root = Path::new("/");
        Self { open_files: open_files(), ..Self::below(root) }
    }

    /// Those that the files of a system tell; `root` is its root folder.
    fn below(root: &Path) -> Self {
        let groups = text(&root.join("proc/self/cgroup")).unwrap_or_default();
        let least = |files: &[(&str, &str)], parse: fn(&str) -> Option<f64>| {
            let values = files.iter().flat_map(|(controller, file)| {
                folders(root, &groups, controller)
                    .into_iter()
                    .filter_map(move |folder| parse(&text(&folder.join(file))?))
            });
            values.reduce(f64::min)
        };
        let bytes = |files: &[(&str, &str)]| least(files, number).map(|bytes| bytes as u64);
        // Without a limit, version 1 writes the largest number of pages.
        let is_limit = |bytes: &u64| *bytes < 1 << 60;
        let group_bytes = bytes(&[("", "memory.max"), ("memory", "memory.limit_in_bytes")]);
        let group_bytes = group_bytes.filter(is_limit);
        let used = bytes(&[("", "memory.current"), ("memory", "memory.usage_in_bytes")]);
        Self {
            available_bytes: available(&text(&root.join("proc/meminfo")).unwrap_or_default()),
            group_bytes,
            group_used_bytes: used.filter(|_| group_bytes.is_some()),
            group_cpus: least(&[("", "cpu.max")], quota).or_else(|| quota_v1(root, &groups)),
            open_files: None,
        }
    }
}

/// The folders of this process's control group and of those above it; `controller` is empty for version 2. Within a
/// container, its own group is often the root of what it sees.
fn folders(root: &Path, groups: &str, controller: &str) -> Vec<PathBuf> {
    let of_controller = |line: &&str| {
        let named = line.split(':').nth(1).unwrap_or_default();
        named.split(',').any(|name| name == controller)
    };
    let path = groups.lines().find(of_controller).and_then(|line| line.splitn(3, ':').nth(2));
    let mount = root.join("sys/fs/cgroup").join(controller);
    let path = Path::new(path.unwrap_or("/")).strip_prefix("/").unwrap_or(Path::new(""));
    // A path that leads upwards belongs to another name space.
    let is_plain = path.components().all(|part| matches!(part, std::path::Component::Normal(_)));
    let path = if is_plain { path } else { Path::new("") };
    path.ancestors().map(|group| mount.join(group)).collect()
}

fn text(path: &Path) -> Option<String> {
    std::fs::read_to_string(path).ok()
}

fn number(text: &str) -> Option<f64> {
    text.trim().parse::<u64>().ok().map(|number| number as f64)
}

/// `150000 100000`: microseconds of processors in so many microseconds; `max 100000` for no limit.
fn quota(text: &str) -> Option<f64> {
    let mut numbers = text.split_whitespace();
    let (quota, period) = (number(numbers.next()?)?, number(numbers.next()?)?);
    (period > 0.0).then_some(quota / period)
}

fn quota_v1(root: &Path, groups: &str) -> Option<f64> {
    let quotas = folders(root, groups, "cpu").into_iter().filter_map(|folder| {
        // −1 for no limit.
        let quota = number(&text(&folder.join("cpu.cfs_quota_us"))?)?;
        let period = number(&text(&folder.join("cpu.cfs_period_us"))?)?;
        (period > 0.0).then_some(quota / period)
    });
    quotas.reduce(f64::min)
}

fn available(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

fn open_files() -> Option<u64> {
    rustix::process::getrlimit(rustix::process::Resource::Nofile).current
}

#[cfg(test)]
mod tests;
