//! Tests of `cluster::call`.

use super::*;

fn shell(line: &str, limit: Duration) -> Result<String, SchedulerError> {
    let mut command = Command::new("sh");
    command.args(["-c", line]);
    call("sh", command, "one\ntwo\n", limit)
}

#[test]
fn what_a_program_prints_is_answered_and_what_it_complains_of_is_told() {
    assert_eq!(shell("wc -l", LIMIT).unwrap().trim(), "2");
    assert_eq!(shell("exec 0<&-; echo fine", LIMIT).unwrap(), "fine\n");
    let refused = shell("echo 'sbatch: error: invalid partition' >&2; exit 1", LIMIT);
    let refused = refused.unwrap_err();
    assert!(refused.to_string().contains("invalid partition") && !refused.is_passing());
    let down = shell("echo 'Unable to contact slurm controller' >&2; exit 1", LIMIT);
    assert!(down.unwrap_err().is_passing());
}

#[test]
fn a_program_that_does_not_end_is_ended_with_what_it_started() {
    let silent = shell("sleep 600 & sleep 600", Duration::from_millis(50)).unwrap_err();
    assert!(matches!(silent, SchedulerError::Silent { .. }) && silent.is_passing());
    assert_eq!(shell("sleep 600 & echo done", LIMIT).unwrap(), "done\n");
    // In a group of its own, and with the pipes: as ssh's connection that serves later commands.
    let begun = Instant::now();
    assert_eq!(shell("setsid sleep 60 & echo done", LIMIT).unwrap(), "done\n");
    assert!(begun.elapsed() < Duration::from_secs(30));
}

#[test]
fn a_program_that_is_not_there_is_named() {
    let missing = call("sbatch", Command::new("/nowhere/sbatch"), "", LIMIT).unwrap_err();
    assert!(missing.to_string().contains("sbatch") && !missing.is_passing());
}
