//! Tests of `cluster::slurm`.

use super::*;

fn job() -> Job {
    Job {
        name: "bg-a-0001-ab-003-0002".into(),
        script: "/runs/a-0001/s.sh".into(),
        output: "/runs/a-0001/s.out".into(),
        excluded: vec!["n2".into(), "n7".into()],
    }
}

#[test]
fn a_job_is_submitted_with_all_that_the_study_says() {
    let run = RunSpec {
        partition: Some("low".into()),
        time_limit: Some(3725),
        memory: Some("8G".into()),
        cpus: 4,
        sbatch: vec!["--qos=long".into()],
        ..RunSpec::default()
    };
    let arguments = Slurm::new(&run).arguments(&job());
    for wanted in [
        "--job-name=bg-a-0001-ab-003-0002",
        "--open-mode=append",
        "--signal=B:USR1@60",
        "--time=62:05",
        "--cpus-per-task=4",
        "--exclude=n2,n7",
        "--qos=long",
    ] {
        assert!(arguments.iter().any(|argument| argument == wanted), "{wanted}: {arguments:?}");
    }
    assert_eq!(arguments.last().unwrap(), "/runs/a-0001/s.sh");
    let unlimited = Slurm::new(&RunSpec::default()).arguments(&job());
    assert!(!unlimited.iter().any(|argument| argument.starts_with("--time")));
}

#[test]
fn lines_of_squeue_are_read_and_others_left_out() {
    let (name, seen) = parse("12|PENDING||Resources|bg-a|b").unwrap();
    assert_eq!((name.as_str(), seen.state, seen.node), ("bg-a|b", JobState::Pending, None));
    assert_eq!(seen.reason.as_deref(), Some("Resources"));
    let (_, seen) = parse("13|NODE_FAIL|n1|None|x").unwrap();
    assert_eq!(seen.state, JobState::Ended(JobEnd::NodeFailed));
    assert_eq!((seen.node.as_deref(), seen.reason), (Some("n1"), None));
    assert_eq!(parse("14|COMPLETING|n1|None|x").unwrap().1.state, JobState::Running);
    for line in ["", "x|RUNNING|n1|None|x", "12_[1-3]|PENDING|||x", "slurm_load_jobs error"] {
        assert_eq!(parse(line), None, "{line}");
    }
}
