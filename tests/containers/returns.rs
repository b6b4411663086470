//! Containers whose caller was killed, and those of others.

use std::path::Path;
use std::process::{Child, Command};
use std::time::Duration;

use burgeon::unstable::container::{ContainerError, Ended, Engine, LABEL};

use crate::bench::{Bench, IMAGE, containers_of, docker, job, missing};
use crate::skipping::{Group, tests};

/// Tells this program to be the caller that is killed.
const CHILD: &str = "BURGEON_TEST_CONTAINER_CALLER";

pub fn group() -> Group {
    Group {
        name: "returns",
        missing: missing(),
        tests: tests![
            a_program_whose_caller_was_killed_is_waited_for,
            a_program_that_ended_without_its_caller_is_not_started_again,
            a_container_that_was_never_started_is_started,
            callers_at_the_same_time_start_one_container,
            labels_keep_containers_apart,
            a_container_of_somebody_else_is_left_alone,
            a_caller_whose_function_panics_is_not_held_up,
            a_container_that_is_removed_while_it_is_watched_has_no_good_end,
        ],
    }
}

const LINE: &str = "echo start >> /output/starts; echo first; while ! [ -e /output/go ]; do sleep 0.1; done; echo last; exit 9";

pub fn is_child() -> bool {
    std::env::var_os(CHILD).is_some()
}

/// Runs the job in the folder that the variable names.
pub fn child() {
    let value = std::env::var(CHILD).unwrap();
    let (label, folder) = value.split_once(' ').unwrap();
    let job = job(label, Path::new(folder), LINE);
    Engine::connect(None).unwrap().run(&job, &mut |_| (), &|| false).unwrap();
}

fn caller(bench: &Bench) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .env(CHILD, format!("{} {}", bench.job.label, bench.path().display()))
        .spawn()
        .unwrap()
}

/// Starts the job, and kills whoever started it once the program runs.
fn begin_and_kill(bench: &Bench) {
    let mut caller = caller(bench);
    wait_for(|| bench.written("starts").exists());
    caller.kill().unwrap();
    caller.wait().unwrap();
}

fn wait_for(condition: impl Fn() -> bool) {
    for _ in 0..600 {
        if condition() {
            return;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    panic!("it did not come about in 30 s");
}

fn go(bench: &Bench) {
    std::fs::write(bench.written("go"), "").unwrap();
}

fn expect_one_start(bench: &Bench) {
    assert_eq!(std::fs::read_to_string(bench.written("starts")).unwrap(), "start\n");
    assert_eq!(containers_of(&bench.job.label), 1);
}

fn a_program_whose_caller_was_killed_is_waited_for() {
    let bench = Bench::new("killed", LINE);
    begin_and_kill(&bench);
    let mut output = Vec::new();
    // The program ends only once somebody has read from it again.
    let mut log = |bytes: &[u8]| {
        output.extend_from_slice(bytes);
        go(&bench);
    };
    let ended = bench.engine.run(&bench.job, &mut log, &|| false).unwrap();
    assert_eq!(ended, Ended::Exited(9));
    assert_eq!(output, b"first\nlast\n");
    expect_one_start(&bench);
}

fn a_program_that_ended_without_its_caller_is_not_started_again() {
    let bench = Bench::new("ended", LINE);
    begin_and_kill(&bench);
    go(&bench);
    wait_for(|| {
        docker(&["ps", "-q", "--filter", &format!("label={LABEL}={}", bench.job.label)]).is_empty()
    });
    for _ in 0..2 {
        assert_eq!(bench.run(), (Ended::Exited(9), "first\nlast\n".into()));
    }
    expect_one_start(&bench);
}

fn a_container_that_was_never_started_is_started() {
    let bench = Bench::new("created", "echo never");
    let create = |limits: &[&str]| {
        let label = format!("{LABEL}={}", bench.job.label);
        let words = [&["create", "--label", &label], limits, &[IMAGE, "echo", "made before"]];
        docker(&words.concat());
    };
    create(&[]);
    // Who made it did not mean what the job says.
    let said = bench.error();
    assert!(said.contains("does not apply the limit of memory"), "{said}");
    assert_eq!(containers_of(&bench.job.label), 0);
    create(&["--memory", "64m", "--pids-limit", "16", "--cpus", "1"]);
    assert_eq!(bench.run(), (Ended::Exited(0), "made before\n".into()));
    assert_eq!(containers_of(&bench.job.label), 1);
}

fn callers_at_the_same_time_start_one_container() {
    let bench = Bench::new("together", LINE);
    let mut callers = [caller(&bench), caller(&bench), caller(&bench)];
    wait_for(|| bench.written("starts").exists());
    std::thread::sleep(Duration::from_millis(500));
    go(&bench);
    for caller in &mut callers {
        assert!(caller.wait().unwrap().success());
    }
    expect_one_start(&bench);
}

fn labels_keep_containers_apart() {
    let one = Bench::new("one", "echo one");
    let more = Bench::new("one-more", "echo more");
    assert_eq!(one.run().1, "one\n");
    assert_eq!(more.run().1, "more\n");
    let listed = one.engine.list().unwrap();
    assert!(listed.contains(&one.job.label) && listed.contains(&more.job.label), "{listed:?}");
    one.engine.remove(&one.job.label).unwrap();
    one.engine.remove(&one.job.label).unwrap();
    assert_eq!((containers_of(&one.job.label), containers_of(&more.job.label)), (0, 1));
    // None of these is a label, and none of them matches all.
    for label in ["", "*", "test", "test-one"] {
        one.engine.remove(label).unwrap();
    }
    assert_eq!(more.run(), (Ended::Exited(0), "more\n".into()));
}

fn a_container_of_somebody_else_is_left_alone() {
    let bench = Bench::new("name", "echo mine");
    bench.run();
    let name = docker(&[
        "ps",
        "-a",
        "--format",
        "{{.Names}}",
        "--filter",
        &format!("label={LABEL}={}", bench.job.label),
    ]);
    bench.engine.remove(&bench.job.label).unwrap();
    let id = docker(&["create", "--name", name.trim(), IMAGE, "sh"]);
    let said = bench.error();
    assert!(said.contains("refused to create") && said.contains("already in use"), "{said}");
    bench.engine.remove(&bench.job.label).unwrap();
    docker(&["rm", id.trim()]);
}

fn a_container_that_is_removed_while_it_is_watched_has_no_good_end() {
    let bench = Bench::new("removed", LINE);
    let stop = || {
        if bench.written("starts").exists() {
            bench.engine.remove(&bench.job.label).unwrap();
        }
        false
    };
    match bench.engine.run(&bench.job, &mut |_| (), &stop) {
        // It is killed before it is gone.
        Ok(ended) => assert_eq!(ended, Ended::Exited(137)),
        Err(error) => assert!(matches!(error, ContainerError::Gone { .. }), "{error}"),
    }
    assert_eq!(containers_of(&bench.job.label), 0);
}

fn a_caller_whose_function_panics_is_not_held_up() {
    let bench = Bench::new("panics", LINE);
    let run = || bench.engine.run(&bench.job, &mut |_| panic!("as a test may"), &|| false);
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(run)).unwrap_err();
    go(&bench);
    assert_eq!(bench.run(), (Ended::Exited(9), "first\nlast\n".into()));
    expect_one_start(&bench);
}
