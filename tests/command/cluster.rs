//! Trials in jobs of a scheduler, which here is a script: whatever befalls them, the study ends with the same bits.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use burgeon::unstable::ledger::{Event, read};
use burgeon::unstable::sys::files::RealFiles;

use crate::support::{Bench, End, GROWING, expect_code, stderr, stdout};

/// What the study comes to in one process; trained once for all tests.
static IN_ONE_PROCESS: LazyLock<End> = LazyLock::new(|| {
    let bench = Bench::new();
    expect_code(&bench.burgeon(&["tune", "study.toml"]), 0);
    End::of(&bench.run())
});

/// The study, and the scheduler that its `[run]` names.
struct Cluster {
    bench: Bench,
}

impl Cluster {
    fn new(run: &str) -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support/jobs.sh");
        let call = |what| format!("sh '{}' {what}", script.display());
        let commands = format!(
            "on = {{ command = {{ submit = {:?}, state = {:?}, cancel = {:?} }} }}",
            call("submit"),
            call("state"),
            call("cancel")
        );
        Self {
            bench: Bench::with_study(&format!(
                "{GROWING}[run]\nvisibility = 1\n{commands}\n{run}\n"
            )),
        }
    }

    fn jobs(&self) -> PathBuf {
        self.bench.path().join("jobs")
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.bench.command(arguments);
        command.env("JOBS", self.jobs());
        command
    }

    fn tune(&self) -> Output {
        self.command(&["tune", "study.toml", "--resume", "auto"]).output().unwrap()
    }

    fn start(&self) -> Child {
        let mut command = self.command(&["tune", "study.toml", "--resume", "auto"]);
        command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
    }

    /// The first job's process, once it has begun to train.
    fn training(&self, trial: u32) -> u32 {
        let waited = Instant::now();
        loop {
            let attempts = self.bench.run().join(format!("trials/{trial:03}/attempts"));
            let names = std::fs::read_dir(&attempts).into_iter().flatten().flatten();
            for entry in names {
                let beat =
                    std::fs::read_to_string(entry.path().join("heartbeat")).unwrap_or_default();
                let beat = beat.lines().next().unwrap_or_default().to_owned();
                let Ok(beat) = serde_json::from_str::<serde_json::Value>(&beat) else { continue };
                if beat["step"].as_u64().is_some_and(|step| step > 8) {
                    return beat["pid"].as_u64().unwrap() as u32;
                }
            }
            assert!(waited.elapsed() < Duration::from_secs(300), "no job of trial {trial} trains");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn events(&self) -> Vec<Event> {
        let records = read(&RealFiles, &self.bench.run().join("events.jsonl")).unwrap();
        records.into_iter().map(|recorded| recorded.event).collect()
    }

    /// Why jobs came to nothing.
    fn failures(&self) -> Vec<String> {
        let why = |event| match event {
            Event::JobEnded { why, .. } => why,
            _ => None,
        };
        self.events().into_iter().filter_map(why).collect()
    }
}

fn signal(pid: u32, name: &str) {
    let kill = Command::new("kill").args([&format!("-{name}"), &pid.to_string()]).status().unwrap();
    assert!(kill.success());
}

#[test]
fn trials_in_jobs_end_with_the_same_bits_as_in_one_process() {
    let cluster = Cluster::new("");
    // The first job is taken, although the scheduler reports a failure.
    std::fs::create_dir(cluster.jobs()).unwrap();
    std::fs::write(cluster.jobs().join("lie"), "").unwrap();
    expect_code(&cluster.tune(), 0);
    assert!(End::of(&cluster.bench.run()) == *IN_ONE_PROCESS);
    let submitted = std::fs::read_to_string(cluster.jobs().join("submitted")).unwrap();
    let mut names: Vec<&str> = submitted.lines().collect();
    let jobs = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), jobs, "submitted twice: {submitted}");
    assert_eq!(cluster.failures(), Vec::<String>::new());
    // Each trial was published once, by a job of its own.
    let is_end = |event: &&Event| matches!(event, Event::JobEnded { part, .. } if part == "train");
    let is_trial = |event: &&Event| matches!(event, Event::TrialFinished { .. });
    let trials = cluster.events().iter().filter(is_trial).count();
    assert_eq!(cluster.events().iter().filter(is_end).count(), trials);
    let status = cluster.bench.burgeon(&["status", cluster.bench.run().to_str().unwrap()]);
    expect_code(&status, 0);
    let lines = stdout(&status);
    assert_eq!(lines.lines().filter(|line| line.contains("finished")).count(), trials, "{lines}");
    assert!(lines.contains(" here "), "{lines}");
}

#[test]
fn a_job_that_is_warned_ends_with_143_and_another_goes_on_from_its_checkpoint() {
    let cluster = Cluster::new("");
    let study = cluster.start();
    signal(cluster.training(1), "USR1");
    expect_code(&study.wait_with_output().unwrap(), 0);
    assert!(End::of(&cluster.bench.run()) == *IN_ONE_PROCESS);
    assert_eq!(cluster.failures(), ["it was interrupted, and its state is saved"]);
    let resumed = |event: &Event| matches!(event, Event::TrialResumed { trial: 1, .. });
    assert!(cluster.events().iter().any(resumed), "it began from the start");
}

#[test]
fn a_trial_whose_process_dies_by_itself_ends_the_study_and_goes_on_when_that_is_resumed() {
    let cluster = Cluster::new("");
    let study = cluster.start();
    signal(cluster.training(1), "KILL");
    let ended = study.wait_with_output().unwrap();
    expect_code(&ended, 1);
    assert!(stderr(&ended).contains("its process ended without a result"), "{}", stderr(&ended));
    expect_code(&cluster.tune(), 0);
    assert!(End::of(&cluster.bench.run()) == *IN_ONE_PROCESS);
}

#[test]
fn a_study_that_is_killed_finds_its_jobs_again() {
    let cluster = Cluster::new("");
    // The study has two trials.
    for trial in 1..=2 {
        let mut study = cluster.start();
        cluster.training(trial);
        study.kill().unwrap();
        study.wait().unwrap();
    }
    expect_code(&cluster.tune(), 0);
    assert!(End::of(&cluster.bench.run()) == *IN_ONE_PROCESS);
    let submitted = std::fs::read_to_string(cluster.jobs().join("submitted")).unwrap();
    assert!(submitted.lines().all(|name| name.ends_with("-0001")), "begun again: {submitted}");
}

#[test]
fn a_job_that_stands_still_is_replaced_and_changes_nothing_when_it_wakes() {
    let cluster = Cluster::new("silence = 10");
    let study = cluster.start();
    let hung = cluster.training(1);
    signal(hung, "STOP");
    let waited = Instant::now();
    while !cluster.bench.run().join("trials/001/attempts/over-0001.json").exists() {
        assert!(waited.elapsed() < Duration::from_secs(300), "the job was not replaced");
        std::thread::sleep(Duration::from_millis(50));
    }
    signal(hung, "CONT");
    expect_code(&study.wait_with_output().unwrap(), 0);
    assert!(End::of(&cluster.bench.run()) == *IN_ONE_PROCESS);
    assert_eq!(cluster.failures(), ["its heartbeat stopped"]);
}

#[test]
fn what_cannot_be_submitted_is_told() {
    let bench = Bench::with_study(&format!(
        "{GROWING}[run]\non = {{ command = {{ submit = \"echo no such queue >&2; exit 1\", state = \"true\", cancel = \"true\" }} }}\n"
    ));
    let ended = bench.burgeon(&["tune", "study.toml"]);
    expect_code(&ended, 1);
    let said = stderr(&ended);
    assert!(said.contains("no such queue") && said.contains("run.on.command.submit"), "{said}");
    let run = bench.run();
    let nothing = bench.burgeon(&["trial", run.to_str().unwrap(), "7"]);
    expect_code(&nothing, 2);
    assert!(stderr(&nothing).contains("nothing was submitted"), "{}", stderr(&nothing));
}
