//! Whatever happens to the process, the study ends with the same bits.
//!
//! `BURGEON_TEST_KILLS=200 cargo test --test command crashes::` is the long form.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use burgeon::unstable::ledger::{Event, read};
use burgeon::unstable::sys::files::RealFiles;
use burgeon::unstable::sys::{CounterRng, Purpose, counter_seed};

use crate::support::{Bench, End, expect_code, stderr, stdout};

/// What the study comes to where nothing interrupts it; trained once for all tests.
static UNINTERRUPTED: LazyLock<End> = LazyLock::new(|| finished().1);

fn finished() -> (Bench, End) {
    let bench = Bench::new();
    expect_code(&bench.burgeon(&["tune", "study.toml"]), 0);
    let end = End::of(&bench.run());
    (bench, end)
}

fn start(bench: &Bench) -> Child {
    let mut command = bench.command(&["tune", "study.toml", "--resume", "auto"]);
    command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
}

fn kills() -> usize {
    std::env::var("BURGEON_TEST_KILLS").map_or(20, |kills| kills.parse().unwrap())
}

#[test]
fn a_study_killed_at_random_moments_ends_with_the_same_bits() {
    let expected = &*UNINTERRUPTED;
    let seed = std::env::var("BURGEON_TEST_SEED").map_or(1, |seed| seed.parse().unwrap());
    let mut rng = CounterRng::new(counter_seed(seed, 0, Purpose::Policy, 0, 0));
    let mut killed = 0;
    let mut round = 0;
    while killed < kills() {
        let bench = Bench::new();
        let in_this_study = [1, 3, 10][round % 3];
        let mut cuts = 0;
        loop {
            let mut child = start(&bench);
            if cuts < in_this_study {
                std::thread::sleep(Duration::from_millis(u64::from(30 + rng.below(700))));
                child.kill().unwrap();
            }
            let output = child.wait_with_output().unwrap();
            match output.status.code() {
                // Killed, which has no code.
                None => cuts += 1,
                Some(0) => break,
                Some(_) => panic!("seed {seed}, after {killed} kills: {}", stderr(&output)),
            }
        }
        killed += cuts;
        round += 1;
        assert!(End::of(&bench.run()) == *expected, "seed {seed}: other bits after {cuts} kills");
    }
}

/// A search of two trials at a time, none of which is good enough.
const SEARCH: &str = r#"
name = "growing"
[data]
source = "synthetic"
train = 640
validation = 200
[model]
layers = [{ conv = { filters = 2, kernel = 3 } }, { max-pool = { size = 4 } }]
[train]
epochs = 1
checkpoint = { every-steps = 5 }
[gate]
accuracy = 1.0
[tune]
policy = "asha"
trials = 9
jobs = 2
space = { filters = [4, 8], units = [16], epochs = [1, 3] }
"#;

#[test]
fn a_search_of_several_jobs_killed_at_random_moments_ends_with_the_same_bits() {
    let search = || {
        let bench = Bench::new();
        fs::write(bench.study(), SEARCH).unwrap();
        bench
    };
    let whole = search();
    expect_code(&whole.burgeon(&["tune", "study.toml"]), 3);
    let expected = End::of(&whole.run());
    let mut rng = CounterRng::new(counter_seed(2, 0, Purpose::Policy, 0, 0));
    for cuts in [1, 4, kills() / 10] {
        let bench = search();
        let mut cut = 0;
        while cut < cuts {
            let mut child = start(&bench);
            std::thread::sleep(Duration::from_millis(u64::from(30 + rng.below(400))));
            child.kill().unwrap();
            // One that had ended before has nothing left to be cut.
            cut = if child.wait().unwrap().code().is_none() { cut + 1 } else { cuts };
        }
        expect_code(&bench.burgeon(&["tune", "study.toml", "--resume", "auto"]), 3);
        assert!(End::of(&bench.run()) == expected, "other bits after {cuts} kills");
    }
}

#[test]
fn a_crash_at_any_step_on_disk_is_survived() {
    let expected = &*UNINTERRUPTED;
    // A study takes some thousand steps on disk; a prime stride visits every kind of them.
    let stride = if kills() > 20 { 1 } else { 97 };
    let next = AtomicUsize::new(1);
    let beyond = AtomicUsize::new(usize::MAX);
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(|| {
                loop {
                    let step = next.fetch_add(stride, Ordering::Relaxed);
                    if step > beyond.load(Ordering::Relaxed) {
                        break;
                    }
                    if !crash_at(step, expected) {
                        beyond.fetch_min(step, Ordering::Relaxed);
                    }
                    if step.is_multiple_of(100) {
                        eprintln!("crashed at step {step} on disk and went on");
                    }
                }
            });
        }
    });
    let beyond = beyond.into_inner();
    eprintln!("the study ends before step {beyond} on disk");
    assert!(beyond > 100, "the fault was never reached");
}

/// Whether the study had as many steps on disk as that, so that it was cut.
fn crash_at(step: usize, expected: &End) -> bool {
    let bench = Bench::new();
    let kind = if step.is_multiple_of(2) { "crash" } else { "torn" };
    let cut = bench
        .command(&["tune", "study.toml", "--resume", "auto"])
        .env("BURGEON_FAULT", format!("{kind}@{step}"))
        .output()
        .unwrap();
    if cut.status.success() {
        return false;
    }
    expect_code(&bench.burgeon(&["tune", "study.toml", "--resume", "auto"]), 0);
    let run = fs::read_dir(bench.runs()).unwrap().map(|entry| entry.unwrap().path()).max().unwrap();
    assert!(End::of(&run) == *expected, "other bits after {kind} at step {step}");
    true
}

#[test]
fn a_full_disk_is_named_and_survived() {
    let expected = &*UNINTERRUPTED;
    for fault in ["enospc@60", "eio@60", "enospc@141", "eio@142"] {
        let bench = Bench::new();
        let failed = bench
            .command(&["tune", "study.toml", "--resume", "auto"])
            .env("BURGEON_FAULT", fault)
            .output()
            .unwrap();
        expect_code(&failed, 1);
        assert!(stderr(&failed).contains("runs/growing-0001"), "{}", stderr(&failed));
        expect_code(&bench.burgeon(&["tune", "study.toml", "--resume", "auto"]), 0);
        assert!(End::of(&bench.run()) == *expected, "other bits after {fault}");
    }
}

/// The newest whole checkpoint of the newest trial.
fn newest_checkpoint(run: &Path) -> PathBuf {
    let newest = |folder: PathBuf, mark: &str| {
        let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        entries.filter(|path| path.join(mark).exists()).max().unwrap()
    };
    newest(newest(run.join("trials"), "checkpoints").join("checkpoints"), "manifest.json")
}

#[test]
fn a_flipped_bit_in_any_file_of_the_newest_checkpoint_is_named_and_survived() {
    let expected = &*UNINTERRUPTED;
    // Within a trial's second epoch, so that the best weights are not the present ones.
    let files = ["best.safetensors", "manifest.json", "optimizer.bpk", "weights.safetensors"];
    for file in files {
        let bench = Bench::new();
        bench.command(&["tune", "study.toml"]).env("BURGEON_FAULT", "crash@230").output().unwrap();
        let newest = newest_checkpoint(&bench.run());
        let mut found: Vec<_> =
            fs::read_dir(&newest).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        found.sort();
        assert_eq!(found, files, "{}", newest.display());
        let path = newest.join(file);
        let mut bytes = fs::read(&path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(&path, bytes).unwrap();
        let resumed = bench.burgeon(&["resume", "runs/growing-0001"]);
        expect_code(&resumed, 0);
        let said = format!("{}{}", stdout(&resumed), stderr(&resumed));
        assert!(said.contains(&*path.to_string_lossy()) || said.contains(file), "{said}");
        assert!(End::of(&bench.run()) == *expected, "other bits after damage to {file}");
    }
}

#[test]
fn a_stopped_study_goes_on_and_ends_with_the_same_bits() {
    let expected = &*UNINTERRUPTED;
    for (signal, code) in [(libc::SIGINT, 130), (libc::SIGTERM, 143)] {
        let bench = Bench::new();
        let child = start(&bench);
        wait_for_epoch(&bench);
        // SAFETY: sends a signal to a child that has not been waited for.
        unsafe { libc::kill(child.id() as i32, signal) };
        let output = child.wait_with_output().unwrap();
        expect_code(&output, code);
        let events = read(&RealFiles, &bench.run().join("events.jsonl")).unwrap();
        assert!(matches!(events.last().unwrap().event, Event::StudyStopped { .. }));
        expect_code(&bench.burgeon(&["resume", "runs/growing-0001"]), 0);
        assert!(End::of(&bench.run()) == *expected);
    }
}

fn wait_for_epoch(bench: &Bench) {
    let events = bench.run().join("events.jsonl");
    while !fs::read_to_string(&events).unwrap_or_default().contains("epoch_finished") {
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_second_process_on_a_run_is_exit_4_and_names_the_holder() {
    let bench = Bench::new();
    let slow = ["tune", "study.toml", "--set", "train.epochs=1000"];
    let mut first = bench.command(&slow).stdout(Stdio::null()).spawn().unwrap();
    wait_for_epoch(&bench);
    let second = bench.burgeon(&["resume", "runs/growing-0001"]);
    first.kill().unwrap();
    first.wait().unwrap();
    expect_code(&second, 4);
    assert!(stderr(&second).contains(&first.id().to_string()), "{}", stderr(&second));
    // The dead process's lock is taken over.
    let third = start_and_stop(&bench);
    assert_eq!(third, Some(143));
}

fn start_and_stop(bench: &Bench) -> Option<i32> {
    let mut child =
        bench.command(&["resume", "runs/growing-0001"]).stdout(Stdio::null()).spawn().unwrap();
    let events = bench.run().join("events.jsonl");
    while !fs::read_to_string(&events).unwrap().contains("study_resumed") {
        std::thread::sleep(Duration::from_millis(5));
    }
    // SAFETY: sends a signal to a child that has not been waited for.
    unsafe { libc::kill(child.id() as i32, libc::SIGTERM) };
    child.wait().unwrap().code()
}

#[test]
fn a_changed_study_is_refused_with_what_differs() {
    let bench = Bench::new();
    let child = start(&bench);
    wait_for_epoch(&bench);
    // SAFETY: sends a signal to a child that has not been waited for.
    unsafe { libc::kill(child.id() as i32, libc::SIGTERM) };
    child.wait_with_output().unwrap();
    let output =
        bench.burgeon(&["tune", "study.toml", "--resume", "auto", "--set", "train.epochs=3"]);
    expect_code(&output, 2);
    let told = stderr(&output);
    assert!(told.contains("the study file changed"), "{told}");
    assert!(told.contains("\n  + epochs = 3\n"), "{told}");
}

#[test]
fn a_finished_study_is_not_run_again() {
    let (bench, expected) = finished();
    let output = bench.burgeon(&["tune", "study.toml", "--resume", "auto"]);
    expect_code(&output, 0);
    assert!(stdout(&output).contains("accepted"), "{}", stdout(&output));
    assert!(End::of(&bench.run()) == expected);
    assert_eq!(fs::read_dir(bench.runs()).unwrap().count(), 1);
}

#[test]
fn a_supervised_study_survives_kills_and_hangs() {
    let expected = &*UNINTERRUPTED;
    let bench = Bench::new();
    let supervisor = bench
        .command(&[
            "supervise",
            "--delay",
            "0.05",
            "--startup-grace",
            "5",
            "--heartbeat",
            "3",
            "--kill-grace",
            "0.2",
            "--",
            "tune",
            "study.toml",
        ])
        .stderr(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    wait_for_epoch(&bench);
    for signal in [libc::SIGKILL, libc::SIGSTOP] {
        if let Some(trainer) = trainer_of(supervisor.id()) {
            // SAFETY: sends a signal to the supervisor's child.
            unsafe { libc::kill(trainer, signal) };
        }
        std::thread::sleep(Duration::from_millis(400));
    }
    let output = supervisor.wait_with_output().unwrap();
    expect_code(&output, 0);
    let events = fs::read_to_string(bench.run().join("events.jsonl")).unwrap();
    assert!(events.contains("supervisor_restarted"), "{}", stderr(&output));
    assert!(End::of(&bench.run()) == *expected);
}

#[test]
#[cfg(target_os = "linux")]
fn a_study_whose_supervisor_is_killed_is_stopped_and_goes_on() {
    let expected = &*UNINTERRUPTED;
    let bench = Bench::new();
    let mut supervisor = bench
        .command(&["supervise", "--", "tune", "study.toml"])
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    wait_for_epoch(&bench);
    supervisor.kill().unwrap();
    supervisor.wait().unwrap();
    let events = bench.run().join("events.jsonl");
    while !fs::read_to_string(&events).unwrap().contains("study_stopped") {
        std::thread::sleep(Duration::from_millis(5));
    }
    // The lock may be held for the last moments of the stopped process.
    let resumed = loop {
        let output = bench.burgeon(&["resume", "runs/growing-0001"]);
        if output.status.code() != Some(4) {
            break output;
        }
    };
    expect_code(&resumed, 0);
    assert!(End::of(&bench.run()) == *expected);
}

/// More trials for a study that is over.
const MORE: [&str; 4] = ["resume", "runs/growing-0001", "--more-epochs", "2"];

#[test]
fn an_extension_killed_at_random_moments_ends_with_the_same_bits() {
    let extended = |cuts: usize| {
        let (bench, _) = finished();
        let mut rng = CounterRng::new(counter_seed(3, cuts as u64, Purpose::Policy, 0, 0));
        for _ in 0..cuts {
            let mut child = bench.command(&MORE).stdout(Stdio::null()).spawn().unwrap();
            std::thread::sleep(Duration::from_millis(u64::from(30 + rng.below(500))));
            child.kill().unwrap();
            if child.wait().unwrap().code().is_some() {
                break;
            }
        }
        // Whatever was begun goes on by itself.
        let records = || read(&RealFiles, &bench.run().join("events.jsonl")).unwrap();
        let is = |event: &Event, name| event.name() == name;
        if records().iter().any(|recorded| is(&recorded.event, "study_extended")) {
            expect_code(&bench.burgeon(&["resume", "runs/growing-0001"]), 0);
        } else {
            expect_code(&bench.burgeon(&MORE), 0);
        }
        let count = |name| records().iter().filter(|recorded| is(&recorded.event, name)).count();
        assert_eq!((count("study_extended"), count("study_finished")), (1, 2));
        assert_eq!(count("study_started"), 1);
        End::of(&bench.run())
    };
    let expected = extended(0);
    for cuts in [1, 4] {
        assert!(extended(cuts) == expected, "other bits after {cuts} kills");
    }
}

#[test]
fn a_supervised_extension_that_is_started_again_after_its_end_extends_nothing_twice() {
    let (bench, _) = finished();
    // The trainer of one supervisor, killed in the moment between its last event and its end.
    let life = |supervisor: &str| {
        let folder = bench.path().join(supervisor);
        fs::create_dir_all(&folder).unwrap();
        let mut command = bench.command(&MORE);
        let output = command.env("BURGEON_SUPERVISED", folder.join("run-folder")).output().unwrap();
        expect_code(&output, 0);
        let records = read(&RealFiles, &bench.run().join("events.jsonl")).unwrap();
        let count = |name| records.iter().filter(|record| record.event.name() == name).count();
        (count("study_extended"), count("study_finished"))
    };
    assert_eq!(life("burgeon-supervise-1-1"), (1, 2));
    assert_eq!(life("burgeon-supervise-1-1"), (1, 2));
    assert_eq!(life("burgeon-supervise-2-2"), (2, 3));
}

#[test]
fn a_run_keeps_its_study_and_names_what_would_change_it() {
    let (bench, expected) = finished();
    for (settings, named) in [
        (&["--set", "train.epochs=3"][..], "train.epochs=3"),
        (&["--seed", "7"][..], "train.seed=7"),
        (&["--set", "gate.accuracy=0.5"][..], "--gate"),
    ] {
        let output = bench.burgeon(&[&["resume", "runs/growing-0001"][..], settings].concat());
        expect_code(&output, 2);
        assert!(stderr(&output).contains(named), "{}", stderr(&output));
    }
    // What is as it was changes nothing.
    let same = [
        "resume",
        "runs/growing-0001",
        "--set",
        "train.epochs=2",
        "--set",
        "notify.command=['true']",
    ];
    expect_code(&bench.burgeon(&same), 0);
    assert!(End::of(&bench.run()) == expected);
}

#[test]
fn an_extension_that_would_do_nothing_is_refused() {
    let (bench, expected) = finished();
    let output = bench.burgeon(&["resume", "runs/growing-0001", "--more-trials", "2"]);
    expect_code(&output, 2);
    assert!(stderr(&output).contains("already accepted"), "{}", stderr(&output));
    assert!(End::of(&bench.run()) == expected);
}

fn trainer_of(supervisor: u32) -> Option<i32> {
    let children = format!("/proc/{supervisor}/task/{supervisor}/children");
    fs::read_to_string(children).ok()?.split_whitespace().next()?.parse().ok()
}
