//! Whenever the process is asked to stop, it is gone within five seconds, and whoever goes on ends
//! with the same bits.
//!
//! `BURGEON_TEST_STOPS=200 cargo test --test command stops::` is the long form.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::net::TcpListener;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use burgeon::unstable::ledger::{Event, read};
use burgeon::unstable::sys::files::RealFiles;
use burgeon::unstable::sys::{CounterRng, Purpose, counter_seed};

use crate::folds::FOLDED;
use crate::support::{Bench, End, GROWING, expect_code, stdout};

/// What is promised to whoever asks for a stop.
const PROMISED: Duration = Duration::from_secs(5);

fn start(bench: &Bench, arguments: &[&str]) -> Child {
    let mut command = bench.command(arguments);
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

fn signal(child: &Child, number: i32) {
    // SAFETY: sends a signal to a child that was not waited for.
    unsafe { libc::kill(child.id().try_into().unwrap(), number) };
}

/// Waits for the end, which has to come within what is promised.
#[track_caller]
fn gone(child: &mut Child) -> ExitStatus {
    let since = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        if since.elapsed() >= PROMISED {
            child.kill().unwrap();
            child.wait().unwrap();
            panic!("it was still there after {PROMISED:?}");
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Whether the process was told to stop: by its exit code, or, before it could even listen, by the
/// signal itself, which a shell shows as the same number.
fn was_stopped(status: ExitStatus, number: i32) -> bool {
    status.code() == Some(128 + number) || status.signal() == Some(number)
}

/// Waits until the run's record has an event of that name.
fn await_event(bench: &Bench, name: &str) {
    let record = bench.run().join("events.jsonl");
    let name = format!("\"event\":\"{name}\"");
    while !fs::read_to_string(&record).is_ok_and(|text| text.contains(&name)) {
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn events(run: &Path) -> Vec<Event> {
    let records = read(&RealFiles, &run.join("events.jsonl")).unwrap();
    records.into_iter().map(|record| record.event).collect()
}

#[test]
fn a_stop_while_a_fold_is_trained_is_gone_on_with_in_that_fold() {
    let longer = || Bench::with_study(&FOLDED.replace("epochs = 6", "epochs = 30"));
    let whole = longer();
    expect_code(&whole.burgeon(&["tune", "study.toml"]), 0);
    let bench = longer();
    let mut child = start(&bench, &["tune", "study.toml"]);
    await_event(&bench, "fold_finished");
    signal(&child, libc::SIGTERM);
    assert!(was_stopped(gone(&mut child), libc::SIGTERM));
    let before = events(&bench.run());
    assert!(matches!(before.last(), Some(Event::StudyStopped { .. })), "{:?}", before.last());
    expect_code(&bench.burgeon(&["resume", &bench.run().display().to_string()]), 0);
    let folds = |event: &Event| matches!(event, Event::FoldFinished { .. });
    let measured = before.iter().filter(|event| folds(event)).count();
    let after = &events(&bench.run())[before.len()..];
    let again = after.iter().find_map(|event| match event {
        Event::FoldFinished { fold, .. } => Some(*fold as usize),
        _ => None,
    });
    assert_eq!(again, Some(measured + 1), "the next fold, and none again");
    assert!(End::of(&bench.run()) == End::of(&whole.run()));
}

fn stops() -> usize {
    std::env::var("BURGEON_TEST_STOPS").map_or(12, |stops| stops.parse().unwrap())
}

/// As [`GROWING`], from loading data to sending a notification that takes a while.
fn all_phases() -> Bench {
    let notify = "[notify]\ncommand = [\"sh\", \"-c\", \"sleep 0.3; echo told >> told\"]\n";
    Bench::with_study(&format!("{GROWING}{notify}"))
}

#[test]
fn a_study_stopped_at_random_moments_is_gone_in_time_and_ends_with_the_same_bits() {
    let whole = all_phases();
    let since = Instant::now();
    expect_code(&whole.burgeon(&["tune", "study.toml"]), 0);
    let longest = since.elapsed().as_millis() as u32;
    let expected = End::of(&whole.run());
    let seed = std::env::var("BURGEON_TEST_SEED").map_or(3, |seed| seed.parse().unwrap());
    let mut rng = CounterRng::new(counter_seed(seed, 0, Purpose::Policy, 0, 0));
    let (mut stopped, mut slowest) = (0, Duration::ZERO);
    while stopped < stops() {
        let bench = all_phases();
        for _ in 0..4 {
            let number = if rng.below(4) == 0 { libc::SIGINT } else { libc::SIGTERM };
            let mut child = start(&bench, &["tune", "study.toml", "--resume", "auto"]);
            std::thread::sleep(Duration::from_millis(u64::from(rng.below(longest))));
            signal(&child, number);
            let since = Instant::now();
            let status = gone(&mut child);
            slowest = slowest.max(since.elapsed());
            if was_stopped(status, number) {
                stopped += 1;
            } else {
                // It had ended before.
                assert_eq!(status.code(), Some(0), "seed {seed}, after {stopped} stops: {status}");
                break;
            }
        }
        expect_code(&bench.burgeon(&["tune", "study.toml", "--resume", "auto"]), 0);
        let run = bench.run();
        assert!(End::of(&run) == expected, "seed {seed}: other bits after {stopped} stops");
        let told = fs::read_to_string(bench.path().join("told")).unwrap();
        assert!(told.starts_with("told"), "seed {seed}: nobody was told after {stopped} stops");
    }
    eprintln!("{stopped} stops, the slowest after {slowest:?}");
}

/// One step that takes longer than anybody waits.
const LONG_STEP: &str = r#"
name = "growing"
[data]
source = "synthetic"
train = 6000
validation = 100
[model]
layers = [
  { conv = { filters = 48, kernel = 7 } },
  { conv = { filters = 96, kernel = 7 } },
  { conv = { filters = 96, kernel = 7 } },
]
[train]
epochs = 1
batch-size = 6000
[gate]
accuracy = 0.1
allow-majority = true
"#;

#[test]
fn a_step_that_takes_longer_is_abandoned() {
    for (number, code) in [(libc::SIGTERM, 143), (libc::SIGINT, 130)] {
        let bench = Bench::with_study(LONG_STEP);
        let mut child = start(&bench, &["train", "study.toml", "--threads", "1"]);
        await_event(&bench, "trial_started");
        std::thread::sleep(Duration::from_millis(300));
        signal(&child, number);
        assert_eq!(gone(&mut child).code(), Some(code));
        let mut told = String::new();
        child.stderr.take().unwrap().read_to_string(&mut told).unwrap();
        assert!(told.contains("burgeon resume"), "{told}");
    }
}

#[test]
fn a_second_signal_ends_the_process_at_once() {
    let bench = Bench::with_study(LONG_STEP);
    let mut child = start(&bench, &["train", "study.toml", "--threads", "1"]);
    await_event(&bench, "trial_started");
    signal(&child, libc::SIGTERM);
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(child.try_wait().unwrap(), None, "the first one leaves it time for its step");
    signal(&child, libc::SIGTERM);
    let since = Instant::now();
    assert_eq!(gone(&mut child).code(), Some(143));
    assert!(since.elapsed() < Duration::from_secs(2), "{:?}", since.elapsed());
}

#[test]
fn a_supervised_trainer_and_its_supervisor_are_gone_together() {
    let bench = Bench::with_study(LONG_STEP);
    let study = ["supervise", "--", "train", "study.toml", "--threads", "1"];
    let mut supervisor = start(&bench, &study);
    await_event(&bench, "trial_started");
    signal(&supervisor, libc::SIGTERM);
    assert_eq!(gone(&mut supervisor).code(), Some(143));
    let lock = bench.burgeon(&["report", "runs/growing-0001"]);
    expect_code(&lock, 0);
}

/// Few steps, and an evaluation that takes long.
const LONG_EVALUATION: &str = r#"
name = "growing"
[data]
source = "synthetic"
train = 32
validation = 8000
[model]
layers = [
  { conv = { filters = 16, kernel = 5 } },
  { conv = { filters = 32, kernel = 5 } },
  { conv = { filters = 32, kernel = 5 } },
]
[train]
epochs = 1
batch-size = 32
checkpoint = { every-steps = 1 }
[gate]
accuracy = 1.0
"#;

#[test]
fn an_evaluation_is_left_between_two_batches_and_done_again() {
    let whole = Bench::with_study(LONG_EVALUATION);
    expect_code(&whole.burgeon(&["train", "study.toml"]), 3);
    let bench = Bench::with_study(LONG_EVALUATION);
    let mut child = start(&bench, &["train", "study.toml"]);
    await_event(&bench, "trial_started");
    std::thread::sleep(Duration::from_millis(400));
    signal(&child, libc::SIGTERM);
    assert_eq!(gone(&mut child).code(), Some(143));
    let stop = events(&bench.run());
    assert!(matches!(stop.last(), Some(Event::StudyStopped { .. })), "{stop:?}");
    assert!(!stop.iter().any(|event| matches!(event, Event::EpochFinished { .. })), "{stop:?}");
    expect_code(&bench.burgeon(&["train", "study.toml", "--resume", "auto"]), 3);
    let resumed = events(&bench.run());
    assert!(
        resumed.iter().any(|event| matches!(event, Event::TrialResumed { epoch: 0, step: 1, .. })),
        "the step before is not made again: {resumed:?}"
    );
    assert!(End::of(&bench.run()) == End::of(&whole.run()));
}

#[test]
fn a_server_that_never_answers_keeps_nobody_waiting() {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let mirror = format!("http://{}/", server.local_addr().unwrap());
    let bench = Bench::with_study(&GROWING.replace("\"synthetic\"", "\"mnist\""));
    let mut command = bench.command(&["tune", "study.toml", "--mirror", &mirror]);
    command.env("HOME", bench.path()).env_remove("XDG_CACHE_HOME");
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let (connection, _) = server.accept().unwrap();
    let mut request = String::new();
    BufReader::new(&connection).read_line(&mut request).unwrap();
    assert!(request.starts_with("GET /"), "{request}");
    signal(&child, libc::SIGTERM);
    assert_eq!(gone(&mut child).code(), Some(143));
    assert!(!bench.runs().exists());
}

#[test]
fn a_notification_that_is_cut_short_is_sent_by_whoever_goes_on_and_only_once() {
    let command = r#"["sh", "-c", "if test -e slow; then touch asked; exec sleep 60; fi; echo told >> told"]"#;
    let bench = Bench::with_study(&format!("{GROWING}[notify]\ncommand = {command}\n"));
    fs::write(bench.path().join("slow"), "").unwrap();
    let mut child = start(&bench, &["tune", "study.toml"]);
    while !bench.path().join("asked").exists() {
        std::thread::sleep(Duration::from_millis(5));
    }
    signal(&child, libc::SIGTERM);
    assert_eq!(gone(&mut child).code(), Some(143));
    let mut said = String::new();
    child.stdout.take().unwrap().read_to_string(&mut said).unwrap();
    assert!(said.contains("accepted"), "{said}");
    fs::remove_file(bench.path().join("slow")).unwrap();
    for _ in 0..2 {
        let resumed = bench.burgeon(&["resume", "runs/growing-0001"]);
        expect_code(&resumed, 0);
        assert!(stdout(&resumed).contains("accepted"), "{}", stdout(&resumed));
        assert_eq!(fs::read_to_string(bench.path().join("told")).unwrap(), "told\n");
    }
}

#[test]
fn a_long_evaluation_is_no_hang() {
    let alone = Bench::with_study(LONG_EVALUATION);
    let since = Instant::now();
    expect_code(&alone.burgeon(&["train", "study.toml", "--threads", "1"]), 3);
    // Many batches long, and a fraction of what the evaluation takes, whatever this machine does.
    let heartbeat = (since.elapsed().as_secs_f64() / 8.0).to_string();
    let bench = Bench::with_study(LONG_EVALUATION);
    let study = ["supervise", "--heartbeat", &heartbeat, "--"];
    let study = [&study[..], &["train", "study.toml", "--threads", "1"]].concat();
    let output = bench.burgeon(&study);
    expect_code(&output, 3);
    let events = events(&bench.run());
    assert!(
        !events.iter().any(|event| matches!(event, Event::SupervisorRestarted { .. })),
        "{events:?}"
    );
}
