//! Trials over a real Slurm, with virtual nodes on this machine: whatever befalls jobs, nodes, the controller and the
//! study's process, the study ends with the same bits.
//!
//! `BURGEON_SLURM_ROUNDS=20 cargo test --test external slurm` is the long form.

mod blows;
mod cluster;
mod late;
mod service;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Output};

use burgeon::unstable::ledger::{Event, read};
use burgeon::unstable::sys::files::RealFiles;
use serde_json::Value;

use self::blows::a_study_ends_with_the_same_bits_whatever_befalls_its_jobs;
use self::cluster::{Cluster, why_not};
use self::late::a_folder_that_is_a_minute_late_changes_nothing;
use self::service::the_service_trains_on_the_cluster_and_its_page_shows_the_jobs;
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
                clocks_that_are_an_hour_off_change_nothing,
                the_service_trains_on_the_cluster_and_its_page_shows_the_jobs,
                a_study_ends_with_the_same_bits_whatever_befalls_its_jobs,
            ],
        },
    }
}

/// Needs FUSE besides.
pub fn late_group() -> Group {
    let tests = match rounds() {
        0 => Vec::new(),
        _ => tests![a_folder_that_is_a_minute_late_changes_nothing],
    };
    Group { name: "slurm", missing: why_not().or_else(late::why_not), tests }
}

fn rounds() -> usize {
    std::env::var("BURGEON_SLURM_ROUNDS").map_or(0, |rounds| rounds.parse().unwrap())
}

/// Three at a time, so that all nodes are used.
fn study(policy: &str, trials: usize) -> String {
    let tune = format!("jobs = 3\npolicy = \"{policy}\"\ngoal = \"best\"\ntrials = {trials}\n");
    let study =
        GROWING.replace("[tune]\ntrials = 6\n", &format!("[tune]\n{tune}{}", space(policy)));
    assert!(study.contains(&tune));
    // A dozen grown networks would take minutes otherwise.
    let study = match trials {
        12.. => study
            .replace("train = 1200\nvalidation = 400", "train = 300\nvalidation = 200")
            .replace("[tune]\n", "[tune]\nparameters = 3000\n"),
        _ => study,
    };
    let run = "[run]\npartition = \"low\"\nwarning = 10\nvisibility = 2\nsilence = 60\nnode-failures = 50\n";
    format!("{study}{run}")
}

/// Networks small enough that a search of a dozen takes a minute.
fn space(policy: &str) -> &'static str {
    match policy {
        "grow" => "",
        _ => {
            "[tune.space]\nconvs = [1]\nconvs-per-stage = [1]\nwidth = [1]\nfilters = [2, 4]\nkernel = [3]\n\
             dense-layers = [0, 1]\nunits = [16]\nepochs = [1, 2]\nbatch-size = [32, 64]\n"
        }
    }
}

fn tune(bench: &Bench, cluster: &Cluster) -> Command {
    let mut command = bench.command(&["tune", "study.toml", "--on", "slurm", "--resume", "auto"]);
    command.env("SLURM_CONF", cluster.conf());
    command
}

fn in_one_process(policy: &str, trials: usize) -> End {
    let bench = Bench::with_study(&study(policy, trials));
    let output = bench.burgeon(&["tune", "study.toml"]);
    assert!(matches!(output.status.code(), Some(0 | 3)), "{}", stderr(&output));
    End::of(&bench.run())
}

#[track_caller]
fn expect_end(output: &Output) {
    assert!(matches!(output.status.code(), Some(0 | 3)), "{}{}", stdout(output), stderr(output));
}

/// What the attempts of a run say of themselves, with when the file was written by this machine's clock.
fn claims(run: &Path) -> Vec<(std::time::SystemTime, Value)> {
    let mut claims = Vec::new();
    for trial in 1..=100 {
        let folder = run.join(format!("trials/{trial:03}/attempts"));
        let Ok(entries) = std::fs::read_dir(folder) else { continue };
        for entry in entries.map(|entry| entry.unwrap()) {
            if !entry.file_name().to_string_lossy().starts_with("claim-") {
                continue;
            }
            let text = std::fs::read(entry.path()).unwrap_or_default();
            if let Ok(claim) = serde_json::from_slice(&text) {
                claims.push((entry.metadata().unwrap().modified().unwrap(), claim));
            }
        }
    }
    claims
}

/// Why jobs of a run came to nothing, and how often.
fn failures(run: &Path) -> BTreeMap<String, usize> {
    let mut failures = BTreeMap::new();
    for recorded in read(&RealFiles, &run.join("events.jsonl")).unwrap() {
        if let Event::JobEnded { why: Some(why), .. } = recorded.event {
            *failures.entry(why).or_default() += 1;
        }
    }
    failures
}

/// Each trial's training was taken once.
fn expect_each_once(run: &Path) {
    let records = read(&RealFiles, &run.join("events.jsonl")).unwrap();
    let mut ended: Vec<u32> = records
        .iter()
        .filter_map(|recorded| match &recorded.event {
            Event::TrialFinished { trial, .. } => Some(*trial),
            _ => None,
        })
        .collect();
    let trials = ended.len();
    ended.sort_unstable();
    ended.dedup();
    assert_eq!(ended.len(), trials, "a trial was published twice");
}

fn trials_on_three_nodes_end_with_the_same_bits_as_in_one_process() {
    let cluster = Cluster::start(3);
    let (policies, trials): (&[&str], _) = match rounds() {
        0 => (&["grow"], 6),
        _ => (&["grow", "tpe", "asha"], 12),
    };
    for &policy in policies {
        let bench = Bench::with_study(&study(policy, trials));
        let output = tune(&bench, &cluster).output().unwrap();
        expect_end(&output);
        assert!(End::of(&bench.run()) == in_one_process(policy, trials), "{policy}: other bits");
        expect_each_once(&bench.run());
        let status = bench.burgeon(&["status", bench.run().to_str().unwrap()]);
        expect_code(&status, 0);
        assert!(stdout(&status).contains(" n1 "), "{}", stdout(&status));
    }
}

/// burgeon's own clock, not that of the daemons, whose credentials would be refused.
fn clocks_that_are_an_hour_off_change_nothing() {
    const LIBRARY: &str = "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1";
    if !Path::new(LIBRARY).exists() {
        eprintln!(
            "slurm: skipped: {LIBRARY} is not there; `.ci/slurm install` installs it on Debian"
        );
        return;
    }
    let cluster = Cluster::start_with(3, |folder| {
        let script = folder.join("task-prolog");
        let text = format!(
            "#!/bin/sh\ncase $SLURMD_NODENAME in n1) by=+1h ;; n2) by=-1h ;; *) exit ;; esac\n\
             echo export LD_PRELOAD={LIBRARY}\necho export DONT_FAKE_MONOTONIC=1\necho \"export FAKETIME=$by\"\n"
        );
        std::fs::write(&script, text).unwrap();
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(&script, mode).unwrap();
        vec![("BURGEON_SLURM_EXTRA", format!("TaskProlog={}", script.display()))]
    });
    let bench = Bench::with_study(&study("grow", 6));
    expect_end(&tune(&bench, &cluster).output().unwrap());
    assert!(End::of(&bench.run()) == in_one_process("grow", 6), "other bits");
    expect_each_once(&bench.run());
    let mut off = BTreeMap::new();
    for (_, claim) in claims(&bench.run()) {
        let submitted = claim["node"].as_str().unwrap().to_owned();
        let at: jiff::Timestamp = claim["at"].as_str().unwrap().parse().unwrap();
        let minutes = jiff::Timestamp::now().duration_since(at).as_secs_f64() / 60.0;
        off.insert(submitted, minutes.round() as i64);
    }
    // To half an hour, as the study took minutes.
    let is_off =
        |node: &str, minutes: i64| off.get(node).is_some_and(|by| (by - minutes).abs() < 30);
    assert!(is_off("n1", -60) && is_off("n2", 60) && is_off("n3", 0), "{off:?}");
    eprintln!("slurm: clocks off by minutes: {off:?}: the same bits");
}
