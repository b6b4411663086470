//! A shared folder that shows what other machines write up to a minute late.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use super::cluster::{Cluster, of_repository};
use super::{expect_each_once, expect_end, in_one_process, study};
use crate::support::{Bench, End};

/// Debian's, which finds Debian's fusepy.
const PYTHON: &str = "/usr/bin/python3";
const TRIALS: usize = 6;

/// What this machine lacks to have such a folder.
pub fn why_not() -> Option<String> {
    let imports = Command::new(PYTHON)
        .args(["-c", "try:\n import fusepy\nexcept ImportError:\n import fuse"])
        .stderr(Stdio::null())
        .status();
    if !Path::new("/dev/fuse").exists() {
        Some("/dev/fuse is not there".into())
    } else if !imports.is_ok_and(|status| status.success()) {
        Some("no fusepy; `.ci/slurm install` installs it on Debian".into())
    } else {
        let unshared = Command::new("unshare").args(["-m", "true"]).stderr(Stdio::null()).status();
        let is_allowed = unshared.is_ok_and(|status| status.success());
        (!is_allowed).then(|| "mounts for single processes are not allowed".into())
    }
}

/// A script that runs a command with a view of its own of the folder: every node, and the study's process, has another.
fn viewer(real: &Path, mount: &Path, seconds: u32, folder: &Path) -> std::path::PathBuf {
    let script = folder.join("with-a-view");
    let late_folder = of_repository("tests/external/late_folder.py");
    let (real, mount, late_folder) = (real.display(), mount.display(), late_folder.display());
    let text = format!(
        r#"#!/bin/bash
if [ -z "$VIEW" ]; then VIEW=1 exec unshare -m --propagation private "$0" "$@"; fi
unset VIEW
{PYTHON} {late_folder} {real} {mount} {seconds} </dev/null >/dev/null 2>&1 &
view=$!
# Where the cluster's own end looks for processes.
echo $view >"{folder}/n-view-$view.pid"
for _ in $(seq 100); do mountpoint -q {mount} && break; sleep 0.1; done
mountpoint -q {mount} || exit 99
"$@"
code=$?
case $1 in slurmd) exit $code ;; esac
cd / && umount -l {mount}
exit $code
"#,
        folder = folder.display()
    );
    std::fs::write(&script, text).unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&script, mode).unwrap();
    script
}

pub fn a_folder_that_is_a_minute_late_changes_nothing() {
    let seconds =
        std::env::var("BURGEON_SLURM_LATE").map_or(60, |seconds| seconds.parse().unwrap());
    let late = format!("visibility = {}\nsilence = {}\n", seconds + 5, 2 * seconds + 30);
    let study = study("grow", TRIALS).replace("visibility = 2\nsilence = 60\n", &late);
    assert!(study.contains(&late));
    let bench = Bench::with_study(&study);
    let real = tempfile::tempdir().unwrap();
    std::fs::create_dir(bench.runs()).unwrap();
    let mut script = None;
    let cluster = Cluster::start_with(3, |folder| {
        let viewer = script.insert(viewer(real.path(), &bench.runs(), seconds, folder));
        vec![("BURGEON_SLURM_NODE", viewer.display().to_string())]
    });
    let began = Instant::now();
    let mut tune = bench.command(&["tune", "study.toml", "--on", "slurm"]);
    let program = tune.get_program().to_owned();
    let mut late = Command::new(script.unwrap());
    late.arg(program).args(tune.get_args()).current_dir(bench.path());
    for (name, value) in tune.env("SLURM_CONF", cluster.conf()).get_envs() {
        match value {
            Some(value) => late.env(name, value),
            None => late.env_remove(name),
        };
    }
    expect_end(&late.output().unwrap());
    let taken = began.elapsed().as_secs();
    // It was late at all: each result waits for a fresh look at its folder.
    assert!(taken >= u64::from(seconds), "{taken} s");
    assert!(std::fs::read_dir(bench.runs()).unwrap().next().is_none(), "the view was not used");
    let run = real.path().join("growing-0001");
    let alone = in_one_process("grow", TRIALS);
    assert!(End::of(&run) == alone, "other bits");
    expect_each_once(&run);
    eprintln!(
        "slurm: a folder up to {seconds} s late: {TRIALS} trials in {taken} s: the same bits"
    );
}
