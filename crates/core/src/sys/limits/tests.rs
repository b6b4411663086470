//! Tests of `sys::limits`.

use super::*;

fn limits(files: &[(&str, &str)]) -> Limits {
    let root = tempfile::tempdir().unwrap();
    for (path, content) in files {
        let path = root.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }
    Limits::below(root.path())
}

#[test]
fn the_tightest_limit_of_the_groups_above_counts() {
    let found = limits(&[
        ("proc/meminfo", "MemTotal: 9 kB\nMemAvailable:    2048 kB\n"),
        ("proc/self/cgroup", "0::/a/b\n"),
        ("sys/fs/cgroup/a/b/memory.max", "max\n"),
        ("sys/fs/cgroup/a/memory.max", "1000000\n"),
        ("sys/fs/cgroup/a/b/memory.current", "400000\n"),
        ("sys/fs/cgroup/a/b/cpu.max", "max 100000\n"),
        ("sys/fs/cgroup/a/cpu.max", "150000 100000\n"),
    ]);
    assert_eq!((found.available_bytes, found.group_bytes), (Some(2048 << 10), Some(1_000_000)));
    assert_eq!((found.group_used_bytes, found.group_cpus), (Some(400_000), Some(1.5)));
}

#[test]
fn version_1_and_a_container_that_sees_its_group_as_the_root_are_understood() {
    let found = limits(&[
        ("proc/self/cgroup", "4:memory:/docker/77\n1:cpu,cpuacct:/docker/77\n0::/\n"),
        ("sys/fs/cgroup/memory/memory.limit_in_bytes", "2000000\n"),
        ("sys/fs/cgroup/memory/memory.usage_in_bytes", "1000\n"),
        ("sys/fs/cgroup/cpu/cpu.cfs_quota_us", "200000\n"),
        ("sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n"),
    ]);
    assert_eq!((found.group_bytes, found.group_cpus), (Some(2_000_000), Some(2.0)));
}

#[test]
fn no_limit_is_none() {
    let found = limits(&[
        ("proc/self/cgroup", "4:memory:/\n1:cpu:/\n0::/../..\n"),
        ("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n"),
        ("sys/fs/cgroup/memory/memory.usage_in_bytes", "1000\n"),
        ("sys/fs/cgroup/cpu/cpu.cfs_quota_us", "-1\n"),
        ("sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n"),
    ]);
    assert_eq!(found, Limits::default());
    assert_eq!(limits(&[]), Limits::default());
}
