//! The supervisor as a process of its own, over trainers that are shell scripts.
//!
//! Each test runs this very test program again, in the role of the supervisor: supervising takes
//! over a process's signals and children.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use burgeon::unstable::ledger::{Event, read};
use burgeon::unstable::supervise::{SuperviseOptions, supervise};
use burgeon::unstable::sys::files::RealFiles;

const SCRIPT_VARIABLE: &str = "SUPERVISE_TEST_SCRIPT";
const HEARTBEAT_VARIABLE: &str = "SUPERVISE_TEST_HEARTBEAT_MS";
const DELAY_VARIABLE: &str = "SUPERVISE_TEST_DELAY_MS";
const RESTARTS_VARIABLE: &str = "SUPERVISE_TEST_RESTARTS";

/// Not a test of its own: what the tests below run.
#[test]
fn supervisor_role() {
    let Some(script) = std::env::var_os(SCRIPT_VARIABLE) else {
        return;
    };
    let number = |name: &str| std::env::var(name).unwrap().parse().unwrap();
    let options = SuperviseOptions {
        program: Some("/bin/sh".into()),
        initial_delay: Duration::from_millis(number(DELAY_VARIABLE)),
        heartbeat: Duration::from_millis(number(HEARTBEAT_VARIABLE)),
        kill_grace: Duration::from_millis(50),
        max_restarts: number(RESTARTS_VARIABLE) as u32,
        ..SuperviseOptions::default()
    };
    let args = [script, "tune".into(), "study.toml".into()];
    let code = supervise(&args, &options, &mut |notice| eprintln!("supervise: {notice}"));
    std::process::exit(code.unwrap().into());
}

/// What every script begins with. `beat STEP` gives a sign of life.
const PRELUDE: &str = r#"
cd "$(dirname "$0")"
echo start >> starts
life=$(wc -l < starts)
mkdir -p run && touch run/study.toml
printf %s "$PWD/run" > announcement && mv announcement "$BURGEON_SUPERVISED"
beat() {
    beats=$((beats + 1))
    printf '{"pid":%d,"beats":%d,"at_ms":%d,"trial":1,"epoch":1,"step":%d}\n' \
        $$ "$beats" "$(date +%s%3N)" "$1" > run/.beat && mv run/.beat run/heartbeat
}
"#;

struct Study {
    folder: tempfile::TempDir,
    heartbeat_ms: u64,
    delay_ms: u64,
    restarts: u32,
}

impl Study {
    fn new(script: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("trainer.sh"), format!("{PRELUDE}{script}")).unwrap();
        Self { folder, heartbeat_ms: 600_000, delay_ms: 1, restarts: 50 }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn spawn(&self) -> Child {
        Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "supervise::supervisor_role", "--nocapture", "--test-threads=1"])
            .env(SCRIPT_VARIABLE, self.path("trainer.sh"))
            .env(HEARTBEAT_VARIABLE, self.heartbeat_ms.to_string())
            .env(DELAY_VARIABLE, self.delay_ms.to_string())
            .env(RESTARTS_VARIABLE, self.restarts.to_string())
            // A supervisor that is killed leaves its temporary folder behind.
            .env("TMPDIR", self.folder.path())
            .stdout(Stdio::null())
            .stderr(fs::File::create(self.path("told")).unwrap())
            .spawn()
            .unwrap()
    }

    fn run(&self) -> i32 {
        self.spawn().wait().unwrap().code().unwrap()
    }

    fn starts(&self) -> usize {
        fs::read_to_string(self.path("starts")).unwrap().lines().count()
    }

    fn told(&self) -> String {
        fs::read_to_string(self.path("told")).unwrap()
    }

    fn events(&self) -> Vec<Event> {
        let records = read(&RealFiles, &self.path("run/events.jsonl")).unwrap();
        records.into_iter().map(|record| record.event).collect()
    }

    /// Waits for a script's sign that it got somewhere.
    fn await_file(&self, name: &str) {
        while !self.path(name).exists() {
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

fn signal(name: &str, process: &Child) {
    let pid = process.id().to_string();
    assert!(Command::new("kill").args(["-s", name, &pid]).status().unwrap().success());
}

fn restart_causes(events: &[Event]) -> Vec<&str> {
    let mut causes = Vec::new();
    for event in events {
        if let Event::SupervisorRestarted { cause, .. } = event {
            causes.push(&**cause);
        }
    }
    causes
}

#[test]
fn exit_codes_that_mean_finished_are_passed_through_without_a_restart() {
    for code in [0, 2, 3, 4] {
        let study = Study::new(&format!("exit {code}"));
        assert_eq!((study.run(), study.starts()), (code, 1));
    }
}

#[test]
fn a_crashed_trainer_is_restarted_to_resume_and_every_restart_is_recorded() {
    let study = Study::new(
        r#"
        test "$*" = "tune study.toml --resume auto" || exit 2
        beat $((life * 10))
        case $life in 1) kill -KILL $$ ;; 2) exit 1 ;; *) exit 0 ;; esac"#,
    );
    assert_eq!((study.run(), study.starts()), (0, 3));
    let events = study.events();
    let causes = ["the trainer was killed by SIGKILL", "the trainer exited with code 1"];
    assert_eq!(restart_causes(&events), causes);
    assert!(matches!(events[1], Event::SupervisorRestarted { attempt: 2, .. }));
}

#[test]
fn a_trainer_that_crashes_at_the_same_step_for_ever_is_given_up_after_three() {
    let study = Study::new("beat 411; beat 412; kill -ABRT $$");
    assert_eq!((study.run(), study.starts()), (1, 3));
    let events = study.events();
    assert_eq!(events.len(), 3);
    let Event::SupervisorGaveUp { cause, restarts } = &events[2] else {
        panic!("{events:?}");
    };
    assert_eq!(*restarts, 2);
    assert!(cause.contains("3 times in a row at step 412"), "{cause}");
    assert!(study.told().contains("gave up"), "{}", study.told());
}

#[test]
fn a_trainer_that_never_gets_to_its_first_step_is_given_up_after_three() {
    let study = Study::new("exit 1");
    assert_eq!((study.run(), study.starts()), (1, 3));
    assert!(study.told().contains("before the first step"), "{}", study.told());
}

#[test]
fn a_trainer_that_gets_further_each_time_is_given_up_at_the_configured_number_of_restarts() {
    let study = Study { restarts: 5, ..Study::new("beat $life; exit 1") };
    assert_eq!((study.run(), study.starts()), (1, 6));
    assert!(matches!(study.events()[5], Event::SupervisorGaveUp { restarts: 5, .. }));
}

#[test]
fn a_stopped_trainer_is_found_by_its_silence_killed_and_restarted() {
    let script = "test $life = 1 || exit 0; beat 7; kill -STOP $$; exit 3";
    let study = Study { heartbeat_ms: 100, ..Study::new(script) };
    assert_eq!((study.run(), study.starts()), (0, 2));
    let events = study.events();
    assert!(restart_causes(&events)[0].contains("no heartbeat"), "{events:?}");
}

#[test]
fn a_hanging_trainer_that_ignores_sigterm_is_killed() {
    let script = "test $life = 1 || exit 0; trap '' TERM; beat 7; while :; do sleep 1; done";
    let study = Study { heartbeat_ms: 100, ..Study::new(script) };
    assert_eq!((study.run(), study.starts()), (0, 2));
}

#[test]
fn signals_are_passed_on_and_end_the_supervisor_with_the_trainer() {
    for (name, code) in [("TERM", 143), ("INT", 130), ("HUP", 143)] {
        let study = Study::new(&format!(
            "trap 'touch saved; exit {code}' TERM INT; touch ready; while :; do sleep 0.01; done"
        ));
        let mut supervisor = study.spawn();
        study.await_file("ready");
        signal(name, &supervisor);
        assert_eq!(supervisor.wait().unwrap().code(), Some(code), "SIG{name}");
        assert!(study.path("saved").exists());
        assert_eq!(study.starts(), 1);
    }
}

#[test]
fn a_signal_while_waiting_to_restart_ends_the_supervisor() {
    let study = Study { delay_ms: 3_600_000, ..Study::new("exit 1") };
    let mut supervisor = study.spawn();
    while !study.told().contains("restart 1") {
        std::thread::sleep(Duration::from_millis(2));
    }
    signal("TERM", &supervisor);
    assert_eq!(supervisor.wait().unwrap().code(), Some(143));
    assert_eq!(study.starts(), 1);
}

#[test]
fn orphans_of_the_trainer_are_reaped() {
    // The orphan leaves the list of processes only when somebody reaps it.
    let study = Study::new(
        r#"
        sh -c 'sleep 0.05 & echo $! > orphan'
        while test -e /proc/$(cat orphan); do sleep 0.01; done
        exit 3"#,
    );
    assert_eq!(study.run(), 3);
}

#[test]
fn restarting_goes_on_where_its_event_cannot_be_recorded() {
    // Nothing in the run folder can be a lock's file here.
    let study = Study::new("mkdir -p run/lock; test $life = 1 && exit 1; exit 0");
    assert_eq!((study.run(), study.starts()), (0, 2));
    assert!(study.told().contains("could not record"), "{}", study.told());
    assert!(!Path::new(&study.path("run/events.jsonl")).exists());
}
