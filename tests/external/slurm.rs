//! Trials over a real Slurm, with virtual nodes on this machine: whatever befalls jobs, nodes, the controller and the
//! study's process, the study ends with the same bits.
//!
//! `BURGEON_SLURM_ROUNDS=20 cargo test --test external slurm` is the long form.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use burgeon::unstable::ledger::{Event, read};
use burgeon::unstable::sys::files::RealFiles;
use burgeon::unstable::sys::{CounterRng, Purpose, counter_seed};

use crate::skipping::{Group, tests};
use crate::support::{Bench, End, GROWING, expect_code, stderr, stdout};

pub fn group() -> Group {
    Group {
        name: "slurm",
        missing: why_not(),
        tests: match rounds() {
            0 => tests![trials_on_three_nodes_end_with_the_same_bits_as_in_one_process],
            // It waits for Slurm's own time limits, for minutes a round.
            _ => tests![
                trials_on_three_nodes_end_with_the_same_bits_as_in_one_process,
                a_study_ends_with_the_same_bits_whatever_befalls_its_jobs,
            ],
        },
    }
}

/// What this machine lacks to run a cluster.
fn why_not() -> Option<String> {
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
struct Cluster {
    folder: tempfile::TempDir,
}

fn script() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(".ci/slurm")
}

impl Cluster {
    fn start(nodes: u32) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let cluster = Self { folder };
        cluster.call(&["start"], &[&nodes.to_string()]);
        cluster
    }

    fn conf(&self) -> PathBuf {
        self.folder.path().join("slurm.conf")
    }

    /// Calls the script, as daemons that inherited a pipe would keep it open.
    fn call(&self, before: &[&str], after: &[&str]) {
        let mut command = Command::new("bash");
        command.arg(script()).args(before).arg(self.folder.path()).args(after);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        assert!(command.status().unwrap().success(), "{before:?}");
    }

    /// A program of Slurm's.
    fn slurm(&self, program: &str, arguments: &[&str]) -> String {
        let mut command = Command::new(program);
        let output = command.env("SLURM_CONF", self.conf()).args(arguments).output().unwrap();
        stdout(&output)
    }

    fn kill(&self, pid_file: &str) {
        if let Ok(pid) = std::fs::read_to_string(self.folder.path().join(pid_file)) {
            let _ = Command::new("kill").args(["-9", pid.trim()]).stderr(Stdio::null()).status();
        }
    }

    /// The ids of jobs that run.
    fn running(&self) -> Vec<String> {
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

/// Three at a time, so that all nodes are used.
fn study(policy: &str) -> String {
    let tune = format!("jobs = 3\npolicy = \"{policy}\"\ngoal = \"best\"\n");
    let study = GROWING.replace("[tune]\n", &format!("[tune]\n{tune}"));
    let run = "[run]\npartition = \"low\"\nwarning = 10\nvisibility = 2\nsilence = 60\nnode-failures = 50\n";
    format!("{study}{run}")
}

fn tune(bench: &Bench, cluster: &Cluster) -> Command {
    let mut command = bench.command(&["tune", "study.toml", "--on", "slurm", "--resume", "auto"]);
    command.env("SLURM_CONF", cluster.conf());
    command
}

fn in_one_process(policy: &str) -> End {
    let bench = Bench::with_study(&study(policy));
    let output = bench.burgeon(&["tune", "study.toml"]);
    assert!(matches!(output.status.code(), Some(0 | 3)), "{}", stderr(&output));
    End::of(&bench.run())
}

#[track_caller]
fn expect_end(output: &Output) {
    assert!(matches!(output.status.code(), Some(0 | 3)), "{}{}", stdout(output), stderr(output));
}

/// Each trial's training was taken once.
fn expect_each_once(bench: &Bench) {
    let records = read(&RealFiles, &bench.run().join("events.jsonl")).unwrap();
    let mut ended: Vec<u32> = records
        .iter()
        .filter_map(|recorded| match &recorded.event {
            Event::TrialFinished { trial, .. } => Some(*trial),
            _ => None,
        })
        .collect();
    let trials = ended.len();
    ended.dedup();
    assert_eq!(ended.len(), trials, "a trial was published twice");
}

fn trials_on_three_nodes_end_with_the_same_bits_as_in_one_process() {
    let cluster = Cluster::start(3);
    // The searches train larger networks, for minutes.
    let policies: &[&str] = if rounds() == 0 { &["grow"] } else { &["grow", "tpe", "asha"] };
    for &policy in policies {
        let bench = Bench::with_study(&study(policy));
        let output = tune(&bench, &cluster).output().unwrap();
        expect_end(&output);
        assert!(End::of(&bench.run()) == in_one_process(policy), "{policy}: other bits");
        expect_each_once(&bench);
        let status = bench.burgeon(&["status", bench.run().to_str().unwrap()]);
        expect_code(&status, 0);
        assert!(stdout(&status).contains(" n1 "), "{}", stdout(&status));
    }
}

/// What befalls a study.
#[derive(Debug, Clone, Copy)]
enum Blow {
    /// A job of higher priority takes the node.
    Preempt,
    Requeue,
    Cancel,
    /// The job outlives the daemon of its node, and is begun again elsewhere.
    NodeDaemon,
    Controller,
    /// SIGKILL to the process of the study.
    Study,
}

const BLOWS: [Blow; 6] =
    [Blow::Preempt, Blow::Requeue, Blow::Cancel, Blow::Study, Blow::Controller, Blow::NodeDaemon];

fn rounds() -> usize {
    std::env::var("BURGEON_SLURM_ROUNDS").map_or(0, |rounds| rounds.parse().unwrap())
}

fn a_study_ends_with_the_same_bits_whatever_befalls_its_jobs() {
    let expected = in_one_process("grow");
    let seed = std::env::var("BURGEON_TEST_SEED").map_or(1, |seed| seed.parse().unwrap());
    let mut rng = CounterRng::new(counter_seed(seed, 0, Purpose::Policy, 0, 0));
    for round in 0..rounds() {
        // A fresh one, since nodes that failed are slow to be trusted again.
        let cluster = Cluster::start(3);
        let bench = Bench::with_study(&study("grow"));
        let mut process = start(&bench, &cluster);
        let blows: Vec<Blow> = (0..3).map(|n| BLOWS[(round * 3 + n) % BLOWS.len()]).collect();
        for &blow in &blows {
            if !await_job(&cluster, &mut process) {
                break;
            }
            std::thread::sleep(Duration::from_millis(u64::from(rng.below(1500))));
            strike(blow, &cluster, &bench, &mut process, rng.below(3) + 1);
        }
        let output = process.wait_with_output().unwrap();
        expect_end(&output);
        let said = format!("seed {seed}, round {round}: {blows:?}");
        assert!(End::of(&bench.run()) == expected, "other bits; {said}");
        expect_each_once(&bench);
        eprintln!("slurm: {said}: the same bits");
    }
}

fn start(bench: &Bench, cluster: &Cluster) -> Child {
    tune(bench, cluster).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// Waits until a job runs; `false` if the study is over before.
fn await_job(cluster: &Cluster, process: &mut Child) -> bool {
    let waited = Instant::now();
    while cluster.running().is_empty() {
        if process.try_wait().unwrap().is_some() {
            return false;
        }
        assert!(waited.elapsed() < Duration::from_secs(300), "no job runs");
        std::thread::sleep(Duration::from_millis(100));
    }
    true
}

fn strike(blow: Blow, cluster: &Cluster, bench: &Bench, process: &mut Child, node: u32) {
    let job = cluster.running().pop().unwrap_or_default();
    match blow {
        Blow::Preempt => {
            let high = ["--parsable", "-p", "high", "-N3", "--wrap", "sleep 2", "-o", "/dev/null"];
            cluster.slurm("sbatch", &high);
        }
        Blow::Requeue => drop(cluster.slurm("scontrol", &["requeue", &job])),
        Blow::Cancel => drop(cluster.slurm("scancel", &[&job])),
        Blow::Controller => {
            cluster.kill("ctld.pid");
            std::thread::sleep(Duration::from_secs(2));
            cluster.call(&["control"], &[]);
        }
        Blow::NodeDaemon => {
            cluster.kill(&format!("n{node}.pid"));
            std::thread::sleep(Duration::from_secs(15));
            cluster.call(&["node"], &[&node.to_string()]);
        }
        Blow::Study => {
            process.kill().unwrap();
            process.wait().unwrap();
            *process = start(bench, cluster);
        }
    }
}
