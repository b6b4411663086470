//! Tests of `notify::command`.

use super::*;
use crate::record::Outcome;

fn result() -> StudyResult {
    StudyResult {
        outcome: Outcome::Rejected,
        best_trial: None,
        validation_accuracy: 0.5,
        test_accuracy: None,
        test_readings: None,
        parameters: 0,
        trials: 1,
        seconds: 1.0,
        run: "runs/a-0001".into(),
    }
}

fn shell(script: &str) -> [String; 3] {
    ["sh".into(), "-c".into(), script.into()]
}

#[test]
fn a_program_that_never_ends_is_killed_at_its_limit_with_what_it_started() {
    let folder = tempfile::tempdir().unwrap();
    let pid = folder.path().join("pid");
    let script = format!("sleep 1000 & echo $! > '{}'; wait", pid.display());
    let limit = Duration::from_millis(500);
    let error = run(&shell(&script), "a", &result(), limit, &mut || true).unwrap_err();
    assert!(matches!(error, NotifyError::TimedOut { .. }), "{error}");
    let pid: i32 = std::fs::read_to_string(pid).unwrap().trim().parse().unwrap();
    // Its parent is gone; until process 1 has waited for it, it is a zombie.
    let running = || {
        std::fs::read_to_string(format!("/proc/{pid}/stat"))
            .is_ok_and(|stat| !stat.rsplit(") ").next().unwrap_or("").starts_with('Z'))
    };
    let since = Instant::now();
    while running() {
        assert!(since.elapsed() < Duration::from_secs(10), "it still runs");
        sleep(LOOK_EVERY);
    }
}

#[test]
fn a_program_that_ends_in_time_is_told_apart_by_how_it_ended() {
    let run = |script| run(&shell(script), "a", &result(), LIMIT, &mut || true);
    assert!(run("test $BURGEON_OUTCOME = rejected && test $BURGEON_STUDY = a").is_ok());
    assert!(matches!(run("exit 3"), Err(NotifyError::Failed { .. })));
}
