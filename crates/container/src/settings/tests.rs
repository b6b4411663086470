//! Tests of `settings`.

use super::super::job::tests::job;
use super::*;

fn json(job: &Job) -> serde_json::Value {
    serde_json::to_value(settings(job, Maker::Docker)).unwrap()
}

#[test]
fn a_program_may_do_nothing_that_it_was_not_given() {
    let settings = json(&job());
    let host = &settings["HostConfig"];
    assert_eq!(host["Privileged"], false);
    assert_eq!(host["ReadonlyRootfs"], true);
    assert_eq!(host["CapDrop"], serde_json::json!(["ALL"]));
    assert_eq!(host["SecurityOpt"], serde_json::json!(["no-new-privileges"]));
    assert_eq!(host["NetworkMode"], "none");
    assert_eq!(host["RestartPolicy"]["Name"], "no");
    assert_eq!(host["MemorySwap"], host["Memory"]);
    assert_eq!(host["PidsLimit"], 64);
    assert_eq!(host["NanoCpus"], 1_500_000_000_i64);
    assert_eq!(host["DeviceRequests"], serde_json::Value::Null);
    assert_eq!(host["Mounts"][0]["ReadOnly"], true);
    assert_eq!(host["Mounts"][1]["ReadOnly"], false);
    assert_eq!(settings["User"], "1000:1000");
    assert_eq!(settings["Labels"][LABEL], "build-7/train");
    assert_eq!(settings["Env"], serde_json::json!(["SEED=1", "HOME=/tmp"]));
}

#[test]
fn network_and_the_images_own_command_are_given_where_asked_for() {
    let mut job = job();
    (job.network, job.command) = (true, Vec::new());
    job.environment.push(("HOME".into(), "/output".into()));
    let settings = json(&job);
    assert_eq!(settings["HostConfig"]["NetworkMode"], "default");
    assert_eq!(settings["Cmd"], serde_json::Value::Null);
    assert_eq!(settings["Env"], serde_json::json!(["SEED=1", "HOME=/output"]));
}

#[test]
fn gpus_are_asked_for_as_each_engine_wants_it() {
    let asked = |gpus, maker| {
        let job = Job { gpus, ..job() };
        serde_json::to_value(settings(&job, maker)).unwrap()["HostConfig"]["DeviceRequests"].clone()
    };
    // As `docker run --gpus all` and `--gpus 2` do.
    for (gpus, count) in [(Gpus::All, -1), (Gpus::First(2), 2)] {
        let request = serde_json::json!([{ "Count": count, "Capabilities": [["gpu"]] }]);
        assert_eq!(asked(gpus, Maker::Docker), request);
    }
    // As `podman run --device nvidia.com/gpu=all` does.
    for (gpus, names) in [
        (Gpus::All, vec!["nvidia.com/gpu=all"]),
        (Gpus::First(2), vec!["nvidia.com/gpu=0", "nvidia.com/gpu=1"]),
    ] {
        let request = serde_json::json!([{ "Driver": "cdi", "DeviceIDs": names }]);
        assert_eq!(asked(gpus, Maker::Podman), request);
    }
    for maker in [Maker::Docker, Maker::Podman] {
        assert_eq!(asked(Gpus::None, maker), serde_json::Value::Null);
    }
}

#[test]
fn a_limit_that_the_engine_left_out_is_noticed() {
    let job = job();
    let made = host(&job, Maker::Docker);
    check_limits(&job, &made).unwrap();
    let without_memory = HostConfig { memory: Some(0), ..made.clone() };
    let said = check_limits(&job, &without_memory).unwrap_err().to_string();
    assert!(said.contains("limit of memory"), "{said}");
    let without_pids = HostConfig { pids_limit: None, ..made.clone() };
    assert!(check_limits(&job, &without_pids).is_err());
    let without_cpus = HostConfig { nano_cpus: None, ..made };
    assert!(check_limits(&job, &without_cpus).is_err());
}

#[test]
fn names_differ_as_labels_do() {
    assert_eq!(name("a"), name("a"));
    assert_ne!(name("a"), name("b"));
}
