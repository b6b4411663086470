//! Tests of `chain::process`.

use super::*;

fn shell(script: &str) -> Command {
    let mut command = Command::new("/bin/sh");
    command.args(["-c", script]);
    command
}

fn run(script: &str, limit_ms: u64, stop: &dyn Fn() -> bool) -> (Finished, String) {
    run_within(HangLimits::default(), script, limit_ms, stop)
}

fn run_within(
    hang: HangLimits,
    script: &str,
    limit_ms: u64,
    stop: &dyn Fn() -> bool,
) -> (Finished, String) {
    let mut printed = Vec::new();
    let run = Run {
        limit: Some(Duration::from_millis(limit_ms)),
        hang,
        grace: Duration::from_millis(200),
        stop,
        output: &mut |bytes| printed.extend_from_slice(bytes),
        process_file: None,
    };
    let finished = run.program(shell(script)).unwrap();
    (finished, String::from_utf8(printed).unwrap())
}

#[test]
fn output_and_end_are_passed_on() {
    let (finished, printed) = run("echo out; echo err >&2; exit 3", 10_000, &|| false);
    assert_eq!((finished, printed.as_str()), (Finished::Exited(3), "out\nerr\n"));
    assert_eq!(run("kill -9 $$", 10_000, &|| false).0, Finished::Killed(9));
}

#[test]
fn what_runs_too_long_or_is_to_stop_is_ended_with_all_that_it_started() {
    let folder = tempfile::tempdir().unwrap();
    let alive = folder.path().join("alive");
    let script = format!(
        "trap '' TERM; (while :; do date +%N > {}; sleep 0.02; done) & wait",
        alive.display()
    );
    assert_eq!(run(&script, 300, &|| false).0, Finished::OutOfTime);
    let last = std::fs::read(&alive).unwrap();
    thread::sleep(Duration::from_millis(150));
    assert_eq!(std::fs::read(&alive).unwrap(), last, "its child runs on");
    let started = Instant::now();
    assert_eq!(run("sleep 60", 60_000, &|| true).0, Finished::Stopped);
    assert!(started.elapsed() < Duration::from_secs(20));
}

#[test]
fn a_program_that_hangs_is_ended_and_one_that_computes_in_silence_is_not() {
    let idle = Some(Duration::from_secs(2));
    let limits = HangLimits { silent: None, idle };
    let finished = run_within(limits, "echo begun; sleep 60", 60_000, &|| false).0;
    assert_eq!(finished, Finished::Hung(Hang::Idle(Duration::from_secs(2))));
    // Its child computes, and it does nothing but wait.
    let busy = "sh -c 'while :; do :; done' & sleep 5; kill $!; exit 7";
    assert_eq!(run_within(limits, busy, 60_000, &|| false).0, Finished::Exited(7));
    let limits = HangLimits { silent: Some(Duration::from_secs(1)), idle: None };
    let finished = run_within(limits, "while :; do :; done", 60_000, &|| false).0;
    assert_eq!(finished, Finished::Hung(Hang::Silent(Duration::from_secs(1))));
}

#[test]
fn a_program_that_leaves_its_output_open_does_not_hold_up_its_end() {
    assert_eq!(run("sleep 60 & exit 0", 60_000, &|| false).0, Finished::Exited(0));
    assert_eq!(run("yes & exit 0", 60_000, &|| false).0, Finished::Exited(0));
}

#[test]
fn what_a_killed_service_left_running_is_ended() {
    let folder = tempfile::tempdir().unwrap();
    let process_file = folder.path().join("process.json");
    let mut command = shell("sleep 60");
    let mut child = command.process_group(0).spawn().unwrap();
    std::fs::write(&process_file, Group::of(&child).name().unwrap()).unwrap();
    let reaped = thread::spawn(move || finished(child.wait().unwrap()));
    end_left_over(&process_file);
    assert_eq!(reaped.join().unwrap(), Finished::Killed(15));
    assert!(!process_file.exists());
    // Nothing is there, and nothing is done.
    end_left_over(&process_file);
}
