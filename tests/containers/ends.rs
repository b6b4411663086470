//! How programs in containers begin and end.

use std::path::Path;
use std::time::{Duration, Instant};

use burgeon::unstable::container::{ContainerError, Ended, Engine, Hang, HangLimits, Mount};

use crate::bench::{Bench, containers_of, missing};
use crate::skipping::{Group, tests};

pub fn group() -> Group {
    Group {
        name: "ends",
        missing: missing(),
        tests: tests![
            exit_codes_and_all_output_come_back,
            a_stopped_program_may_end_by_itself,
            a_program_that_does_not_stop_is_killed,
            a_stop_before_the_start_starts_nothing,
            a_program_ends_when_its_time_is_up,
            a_program_that_neither_prints_nor_computes_is_ended,
            a_program_that_computes_in_silence_is_ended_only_where_that_has_a_limit,
            a_missing_image_is_named_and_not_pulled,
            a_start_that_is_refused_says_why_and_leaves_nothing,
            a_program_that_is_not_in_the_image_is_told,
            an_engine_that_is_not_there_says_what_to_do,
        ],
    }
}

fn exit_codes_and_all_output_come_back() {
    let bench = Bench::new("exit", "echo out; echo err >&2; printf 'no end of line'; exit 7");
    let (ended, output) = bench.run();
    assert_eq!(ended, Ended::Exited(7));
    for piece in ["out\n", "err\n", "no end of line"] {
        assert!(output.contains(piece), "{output}");
    }
    let bench =
        Bench::new("much", "i=0; while [ $i -lt 20000 ]; do echo line $i; i=$((i+1)); done");
    let (ended, output) = bench.run();
    assert_eq!(ended, Ended::Exited(0));
    assert_eq!(output.lines().count(), 20_000);
    assert!(output.ends_with("line 19999\n"));
}

fn a_stopped_program_may_end_by_itself() {
    let line = "trap 'echo saved > /output/saved; exit 0' TERM; echo up > /output/up; while :; do sleep 0.1; done";
    let bench = Bench::new("stop", line);
    let (ended, _) = bench.run_while(&|| bench.written("up").exists());
    assert_eq!(ended, Ended::Stopped);
    assert_eq!(std::fs::read_to_string(bench.written("saved")).unwrap(), "saved\n");
}

fn a_program_that_does_not_stop_is_killed() {
    let line = "trap '' TERM; echo up > /output/up; while :; do sleep 0.1; done";
    let bench = Bench::new("kill", line);
    let (ended, _) = bench.run_while(&|| bench.written("up").exists());
    assert_eq!(ended, Ended::Stopped);
}

fn a_stop_before_the_start_starts_nothing() {
    let bench = Bench::new("never", "echo > /output/started");
    assert_eq!(bench.run_while(&|| true).0, Ended::Stopped);
    assert!(!bench.written("started").exists());
    assert_eq!(containers_of(&bench.job.label), 0);
}

fn a_program_ends_when_its_time_is_up() {
    let mut bench = Bench::new("time", "echo begun; sleep 50; echo over");
    bench.job.limits.seconds = Some(1);
    let began = Instant::now();
    let (ended, output) = bench.run();
    assert_eq!((ended, output.as_str()), (Ended::TimedOut, "begun\n"));
    assert!(began.elapsed() < Duration::from_secs(50));
    // Nobody who comes later takes it for anything else.
    assert_eq!(bench.run().0, Ended::TimedOut);
}

fn a_program_that_neither_prints_nor_computes_is_ended() {
    let two_seconds = Duration::from_secs(2);
    let idle = HangLimits { silent: None, idle: Some(two_seconds) };
    let mut bench = Bench::new("hang", "echo begun; sleep 50; echo over");
    bench.job.limits.hang = idle;
    let began = Instant::now();
    assert_eq!(bench.run(), (Ended::Hung(Hang::Idle(two_seconds)), "begun\n".into()));
    assert!(began.elapsed() < Duration::from_secs(50));
    // Not where it prints now and then.
    let mut bench = Bench::new("prints", "for i in 1 2 3 4 5; do echo $i; sleep 1; done; exit 7");
    bench.job.limits.hang = idle;
    assert_eq!(bench.run().0, Ended::Exited(7));
}

fn a_program_that_computes_in_silence_is_ended_only_where_that_has_a_limit() {
    let two_seconds = Duration::from_secs(2);
    let line = "(while :; do :; done) & sleep 6; kill $!; exit 7";
    let mut bench = Bench::new("computes", line);
    bench.job.limits.hang = HangLimits { silent: None, idle: Some(two_seconds) };
    assert_eq!(bench.run().0, Ended::Exited(7));
    let mut bench = Bench::new("silent", line);
    bench.job.limits.hang = HangLimits { silent: Some(two_seconds), idle: None };
    assert_eq!(bench.run().0, Ended::Hung(Hang::Silent(two_seconds)));
}

fn a_missing_image_is_named_and_not_pulled() {
    let mut bench = Bench::new("image", "true");
    bench.job.image = "burgeon-test/not-there:9".into();
    assert!(!bench.engine.image_exists(&bench.job.image).unwrap());
    let said = bench.error();
    assert!(said.contains("no image `burgeon-test/not-there:9`"), "{said}");
    assert_eq!(containers_of(&bench.job.label), 0);
}

fn a_start_that_is_refused_says_why_and_leaves_nothing() {
    let mut bench = Bench::new("refused", "true");
    // A file cannot cover a folder.
    let source = bench.job.checkout.join("file");
    bench.job.more_mounts = vec![Mount { source, target: "/bin".into(), read_only: true }];
    let said = bench.error();
    assert!(said.contains("refused to start") && said.contains("not a directory"), "{said}");
    assert_eq!(containers_of(&bench.job.label), 0);
    bench.job.more_mounts.clear();
    assert_eq!(bench.run().0, Ended::Exited(0));
}

fn a_program_that_is_not_in_the_image_is_told() {
    let mut bench = Bench::new("program", "true");
    bench.job.command = vec!["no-such-program".into()];
    let (ended, output) = bench.run();
    assert!(matches!(ended, Ended::Exited(1..)), "{ended:?}");
    // Said by the init process of the engine.
    assert!(output.contains("No such file"), "{output}");
}

fn an_engine_that_is_not_there_says_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("docker.sock");
    let unreachable = |socket: &Path| {
        let error = Engine::connect(Some(socket)).unwrap_err();
        assert!(matches!(error, ContainerError::Unreachable { .. }), "{error}");
        assert!(error.to_string().contains(&socket.display().to_string()), "{error}");
    };
    unreachable(&socket);
    // A socket that nobody listens at any more.
    drop(std::os::unix::net::UnixListener::bind(&socket).unwrap());
    unreachable(&socket);
}
