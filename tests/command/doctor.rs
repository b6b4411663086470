//! `burgeon doctor` and `burgeon version`.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use serde_json::Value;

use crate::smtp::{Reaction, SmtpServer, Step};
use crate::support::{Bench, expect_code, stderr, stdout};

/// Its code, and the checks of an area that are of a status.
fn examined(bench: &Bench, arguments: &[&str], variables: &[(&str, &str)]) -> (i32, Value) {
    let mut command = bench.command(&[&["doctor", "--json"][..], arguments].concat());
    let output = command.envs(variables.iter().copied()).output().unwrap();
    (output.status.code().unwrap(), serde_json::from_str(&stdout(&output)).unwrap())
}

fn found(examination: &Value, area: &str, status: &str) -> Vec<Value> {
    let checks = examination["checks"].as_array().unwrap().iter();
    checks.filter(|check| check["area"] == area && check["status"] == status).cloned().collect()
}

#[test]
fn a_machine_without_faults_is_told_what_it_has() {
    let bench = Bench::new();
    let (code, examination) = examined(&bench, &["study.toml"], &[]);
    assert_eq!((code, &examination["healthy"]), (0, &true.into()), "{examination}");
    for area in ["study", "data", "device", "disk", "limits"] {
        assert!(!found(&examination, area, "ok").is_empty(), "{area}: {examination}");
    }
    let output = bench.burgeon(&["doctor", "study.toml"]);
    expect_code(&output, 0);
    let text = stdout(&output);
    assert!(text.contains("study.toml is valid") && text.contains("no faults"), "{text}");
    assert!(!bench.runs().exists(), "it leaves nothing behind");
}

#[test]
fn data_that_is_not_where_it_is_said_to_be_is_a_fault_with_a_remedy() {
    let bench = Bench::new();
    let (code, examination) = examined(&bench, &[], &[("BURGEON_DATA", "nowhere")]);
    assert_eq!(code, 1);
    let faults = found(&examination, "data", "fault");
    let said = |key: &str| faults[0][key].as_str().unwrap();
    assert!(said("found").contains("nowhere, as BURGEON_DATA says"), "{examination}");
    assert!(said("remedy").contains("set BURGEON_DATA"), "{examination}");
    let output = bench.command(&["doctor", "--data", "study.toml"]).output().unwrap();
    expect_code(&output, 1);
    assert!(stdout(&output).contains("FAULT") && stdout(&output).contains("1 fault"));
}

#[test]
fn a_device_and_an_instruction_set_that_are_not_there_are_faults() {
    let bench = Bench::new();
    let (code, examination) = examined(&bench, &["study.toml"], &[("BURGEON_CPU", "sse9")]);
    // Training could not start, but that is no fault of the study.
    assert_ne!(code, 0);
    assert!(!found(&examination, "device", "fault").is_empty(), "{examination}");
    if !cfg!(feature = "cuda") {
        let (code, examination) = examined(&bench, &[], &[("BURGEON_DEVICE", "cuda:7")]);
        assert_eq!(code, 1);
        assert_eq!(found(&examination, "device", "fault").len(), 1, "{examination}");
    }
    let (_, examination) = examined(&bench, &[], &[("BURGEON_THREADS", "64")]);
    assert_eq!(found(&examination, "device", "warning").len(), 1, "{examination}");
}

#[test]
fn runs_that_cannot_be_written_are_a_fault() {
    let bench = Bench::new();
    fs::write(bench.runs(), "in the way").unwrap();
    let (code, examination) = examined(&bench, &[], &[]);
    assert_eq!(code, 1);
    assert_eq!(found(&examination, "disk", "fault").len(), 1, "{examination}");
    fs::remove_file(bench.runs()).unwrap();
    fs::create_dir(bench.runs()).unwrap();
    // Opening, writing, syncing and renaming the file, and syncing its folder.
    for step in 1..=5 {
        let fault = format!("eio@{step}");
        let (code, examination) = examined(&bench, &[], &[("BURGEON_FAULT", &fault)]);
        assert_eq!(code, 1, "step {step}: {examination}");
        assert_eq!(found(&examination, "disk", "fault").len(), 1, "step {step}: {examination}");
        assert_eq!(fs::read_dir(bench.runs()).unwrap().count(), 0, "step {step} leaves something");
    }
}

#[test]
fn a_wrong_study_and_a_command_that_is_not_there_are_told() {
    let bench = Bench::new();
    let study = fs::read_to_string(bench.study()).unwrap();
    fs::write(bench.path().join("wrong.toml"), study.replace("size = 4", "size = 40")).unwrap();
    let output = bench.burgeon(&["doctor", "wrong.toml"]);
    expect_code(&output, 2);
    assert!(stdout(&output).contains("wrong.toml cannot be run"), "{}", stdout(&output));
    assert!(stderr(&output).contains("wrong.toml:10:25"), "{}", stderr(&output));
    let notify = format!("{study}[notify]\ncommand = [\"./tell\"]\n");
    fs::write(bench.path().join("notify.toml"), notify).unwrap();
    let (code, examination) = examined(&bench, &["notify.toml"], &[]);
    assert_eq!((code, found(&examination, "notify", "fault").len()), (1, 1), "{examination}");
    let program = bench.path().join("tell");
    fs::write(&program, "#!/bin/sh\n").unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let (code, examination) = examined(&bench, &["notify.toml"], &[]);
    assert_eq!((code, found(&examination, "notify", "ok").len()), (0, 1), "{examination}");
}

#[test]
fn the_mail_server_of_a_study_is_tried_and_gets_nothing() {
    let bench = Bench::new();
    let server = SmtpServer::start();
    let study = fs::read_to_string(bench.study()).unwrap();
    let mail = format!(
        "{study}[notify.mail]\nto = [\"ann@example.org\"]\nfrom = \"burgeon@example.org\"\nserver = \"127.0.0.1\"\n\
         port = {}\nsecurity = \"none\"\nuser = \"ann\"\npassword-file = \"password\"\n",
        server.port
    );
    fs::write(bench.path().join("mail.toml"), mail).unwrap();
    let said = |status: &str| {
        let (code, examination) = examined(&bench, &["mail.toml"], &[]);
        let found = found(&examination, "notify", status);
        assert_eq!((code, found.len()), (i32::from(status == "fault"), 1), "{examination}");
        found[0]["found"].as_str().unwrap().to_owned()
    };
    assert!(said("fault").contains("the password of [notify] mail cannot be read"));
    fs::write(bench.path().join("password"), "canary-7\n").unwrap();
    assert!(said("ok").contains("takes the login of ann; nothing was sent"));
    server.react_at(Step::Login, Reaction::Answer("535 5.7.8 not with canary-7".into()));
    let refused = said("fault");
    assert!(refused.contains("535") && !refused.contains("canary"), "{refused}");
    server.react_at(Step::Greeting, Reaction::Hang);
    let since = std::time::Instant::now();
    said("fault");
    assert!(since.elapsed() < std::time::Duration::from_secs(60), "it has a limit");
    assert_eq!(server.deliveries(), []);
    assert!(
        !server.commands().iter().any(|command| command.starts_with("MAIL")),
        "{:?}",
        server.commands()
    );
}

#[test]
fn the_long_version_tells_how_the_program_was_built() {
    let bench = Bench::new();
    let short = bench.burgeon(&["--version"]);
    expect_code(&short, 0);
    assert_eq!(stdout(&short), format!("burgeon {}\n", env!("CARGO_PKG_VERSION")));
    let long = bench.burgeon(&["--version", "--verbose"]);
    expect_code(&long, 0);
    assert_eq!(stdout(&long), stdout(&bench.burgeon(&["version"])));
    for name in ["commit", "features", "built for", "rustc 1.", "instruction set", "device"] {
        assert!(stdout(&long).contains(name), "{name}: {}", stdout(&long));
    }
    let json: Value =
        serde_json::from_str(&stdout(&bench.burgeon(&["version", "--json"]))).unwrap();
    assert_eq!(json["version"], env!("CARGO_PKG_VERSION"));
    let features = json["features"].as_array().unwrap();
    assert!(features.contains(&"cli".into()), "{features:?}");
    assert_eq!(features.contains(&"serve".into()), cfg!(feature = "serve"));
    assert_eq!(json["devices"][0]["usable"], true);
    // Elsewhere it stays an option that is not known.
    expect_code(&bench.burgeon(&["check", "--verbose"]), 2);
}
