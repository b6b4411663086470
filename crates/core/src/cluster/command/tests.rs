//! Tests of `cluster::command`.

use super::*;
use crate::cluster::scheduler::JobEnd;

fn commands(submit: &str, state: &str, cancel: &str) -> Commands {
    let [submit, state, cancel] = [submit, state, cancel].map(str::to_owned);
    Commands::new(&JobCommands { submit, state, cancel }, &RunSpec::default())
}

fn job() -> Job {
    Job {
        name: "bg-1".into(),
        script: "/s.sh".into(),
        output: "/s.out".into(),
        excluded: vec!["n1".into(), "n2".into()],
    }
}

#[test]
fn a_job_is_described_in_the_environment_and_its_id_is_what_is_printed_first() {
    let line = "echo $BURGEON_JOB_NAME:$BURGEON_JOB_SCRIPT:$BURGEON_JOB_CPUS:$BURGEON_JOB_EXCLUDED; echo more";
    let id = commands(line, "", "").submit(&job()).unwrap();
    assert_eq!(id, "bg-1:/s.sh:1:n1,n2");
    assert!(commands("true", "", "").submit(&job()).is_err());
}

#[test]
fn states_are_asked_for_by_name_and_id() {
    let jobs =
        [JobRef { name: "a".into(), id: Some("7".into()) }, JobRef { name: "b".into(), id: None }];
    let echo = "while read name id; do echo $name running $id n1; done; echo other failed 9";
    let seen = commands("", echo, "").states(&jobs).unwrap();
    assert_eq!(seen.len(), 2);
    assert_eq!((seen["a"][0].id.as_str(), seen["b"][0].id.as_str()), ("7", "-"));
    assert_eq!(seen["a"][0].node.as_deref(), Some("n1"));
    let ended = commands("", "echo a node-failed 7", "").states(&jobs).unwrap();
    assert_eq!(ended["a"][0].state, JobState::Ended(JobEnd::NodeFailed));
    let unclear = commands("", "echo a asleep 7", "").states(&jobs).unwrap_err();
    assert!(unclear.to_string().contains("NAME STATE ID NODE"), "{unclear}");
}
