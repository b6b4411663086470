//! Slurm with virtual nodes on this machine.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::support::stdout;

/// What this machine lacks to run a cluster.
pub fn why_not() -> Option<String> {
    let found = |name: &str| {
        let path = std::env::var_os("PATH").unwrap_or_default();
        std::env::split_paths(&path).any(|folder| folder.join(name).exists())
    };
    let missing = ["slurmctld", "slurmd", "sbatch", "munged"].into_iter().find(|name| !found(name));
    let root = Command::new("id").arg("-u").output().is_ok_and(|id| id.stdout == b"0\n");
    match missing {
        Some(name) => {
            Some(format!("{name} is not there; `.ci/slurm install` installs it on Debian"))
        }
        None if !root => Some("daemons of a cluster need root".into()),
        None => None,
    }
}

/// A cluster, which ends with this value.
pub struct Cluster {
    folder: tempfile::TempDir,
}

/// A file of the repository.
pub fn of_repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

impl Cluster {
    pub fn start(nodes: u32) -> Self {
        Self::start_with(nodes, |_| Vec::new())
    }

    /// With variables for the script, which may depend on the cluster's folder.
    pub fn start_with(
        nodes: u32,
        environment: impl FnOnce(&Path) -> Vec<(&'static str, String)>,
    ) -> Self {
        let cluster = Self { folder: tempfile::tempdir().unwrap() };
        let environment = environment(cluster.folder.path());
        cluster.call_with(&["start"], &[&nodes.to_string()], environment);
        cluster
    }

    pub fn conf(&self) -> PathBuf {
        self.folder.path().join("slurm.conf")
    }

    pub fn call(&self, before: &[&str], after: &[&str]) {
        self.call_with(before, after, Vec::new());
    }

    /// Calls the script with no pipe, which daemons that inherited it would keep open.
    fn call_with(&self, before: &[&str], after: &[&str], variables: Vec<(&'static str, String)>) {
        let mut command = Command::new("bash");
        command.arg(of_repository(".ci/slurm")).args(before).arg(self.folder.path()).args(after);
        command.envs(variables);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        assert!(command.status().unwrap().success(), "{before:?}");
    }

    /// A program of Slurm's.
    pub fn slurm(&self, program: &str, arguments: &[&str]) -> String {
        let mut command = Command::new(program);
        let output = command.env("SLURM_CONF", self.conf()).args(arguments).output().unwrap();
        stdout(&output)
    }

    pub fn kill(&self, pid_file: &str) {
        if let Ok(pid) = std::fs::read_to_string(self.folder.path().join(pid_file)) {
            let _ = Command::new("kill").args(["-9", pid.trim()]).stderr(Stdio::null()).status();
        }
    }

    /// The ids of jobs that run.
    pub fn running(&self) -> Vec<String> {
        let jobs = self.slurm("squeue", &["-h", "-t", "R", "-p", "low", "-o", "%i"]);
        jobs.lines().map(str::to_owned).collect()
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.slurm("scancel", &["--me"]);
        self.call(&["stop"], &[]);
    }
}
