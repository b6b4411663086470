//! What befalls jobs, nodes, the controller and the study's process, at random moments.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use burgeon::unstable::sys::{CounterRng, Purpose, counter_seed};

use super::cluster::Cluster;
use super::{claims, expect_each_once, expect_end, failures, in_one_process, rounds, study, tune};
use crate::support::{Bench, End};

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
    /// A trial that stands still reaches the time limit of its job.
    TimeLimit,
}

const BLOWS: [Blow; 7] = [
    Blow::Preempt,
    Blow::Requeue,
    Blow::Cancel,
    Blow::Study,
    Blow::Controller,
    Blow::NodeDaemon,
    Blow::TimeLimit,
];

const TRIALS: usize = 12;

pub fn a_study_ends_with_the_same_bits_whatever_befalls_its_jobs() {
    let expected = in_one_process("grow", TRIALS);
    let seed = std::env::var("BURGEON_TEST_SEED").map_or(1, |seed| seed.parse().unwrap());
    let mut rng = CounterRng::new(counter_seed(seed, 0, Purpose::Policy, 0, 0));
    for round in 0..rounds() {
        // A fresh one, since nodes that failed are slow to be trusted again.
        let cluster = Cluster::start(3);
        let bench = Bench::with_study(&study("grow", TRIALS));
        let mut process = start(&bench, &cluster);
        let blows: Vec<Blow> = (0..3).map(|n| BLOWS[(round * 3 + n) % BLOWS.len()]).collect();
        for &blow in &blows {
            if !await_job(&cluster, &mut process) {
                break;
            }
            std::thread::sleep(Duration::from_millis(u64::from(rng.below(1500))));
            strike(blow, &cluster, &bench, &mut process);
        }
        let output = process.wait_with_output().unwrap();
        expect_end(&output);
        let said = format!("seed {seed}, round {round}: {blows:?}");
        assert!(End::of(&bench.run()) == expected, "other bits; {said}");
        expect_each_once(&bench.run());
        eprintln!("slurm: {said}: the same bits; jobs lost: {:?}", failures(&bench.run()));
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

fn strike(blow: Blow, cluster: &Cluster, bench: &Bench, process: &mut Child) {
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
            let node = cluster.slurm("squeue", &["-h", "-j", &job, "-o", "%N"]);
            let node = node.trim().strip_prefix('n').unwrap_or("1");
            cluster.kill(&format!("n{node}.pid"));
            // Longer than Slurm takes to declare the node dead.
            std::thread::sleep(Duration::from_secs(15));
            cluster.call(&["node"], &[node]);
        }
        Blow::TimeLimit => reach_the_time_limit(cluster, bench, &job),
        Blow::Study => {
            process.kill().unwrap();
            process.wait().unwrap();
            *process = start(bench, cluster);
        }
    }
}

/// Has a job's time be over, and its trial stand still until then, as trials of the tests are shorter than Slurm's minutes.
fn reach_the_time_limit(cluster: &Cluster, bench: &Bench, job: &str) {
    let began = Instant::now();
    let pid = loop {
        let claims = claims(&bench.run());
        let claim = claims.into_iter().rev().find(|(_, claim)| claim["job"] == job);
        match claim {
            Some((_, claim)) => break claim["pid"].to_string(),
            // It has not begun yet, or is over already.
            None if began.elapsed() > Duration::from_secs(3) => return,
            None => std::thread::sleep(Duration::from_millis(50)),
        }
    };
    signal("-STOP", &pid);
    let soon = jiff::Zoned::now().datetime() + jiff::Span::new().seconds(2);
    let end = format!("EndTime={}", soon.strftime("%Y-%m-%dT%H:%M:%S"));
    cluster.slurm("scontrol", &["update", &format!("jobid={job}"), &end]);
    let is_running = || cluster.running().iter().any(|running| running == job);
    while is_running() && began.elapsed() < Duration::from_secs(50) {
        std::thread::sleep(Duration::from_millis(200));
    }
    signal("-CONT", &pid);
}

fn signal(which: &str, pid: &str) {
    // It may be over.
    let _ = Command::new("kill").args([which, pid]).stderr(Stdio::null()).status();
}
