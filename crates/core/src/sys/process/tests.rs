//! Tests of `sys::process`.

use super::*;

fn named(boot: &str, host: &str, started: u64) -> ProcessName {
    ProcessName {
        pid: 7,
        started: Some(started),
        boot: boot.into(),
        pid_namespace: Some("pid:[1]".into()),
        host: host.into(),
        machine: Some(host.into()),
    }
}

#[test]
fn this_process_is_alive() {
    let this = ProcessName::current();
    assert_eq!(this.liveness_of(&this), Liveness::Alive);
}

#[test]
fn a_process_that_ended_is_dead() {
    let mut child = std::process::Command::new("true").spawn().unwrap();
    let mut name = ProcessName::current();
    name.pid = child.id();
    name.started = started(child.id());
    child.wait().unwrap();
    assert!(matches!(ProcessName::current().liveness_of(&name), Liveness::Dead(_)));
}

#[test]
fn a_process_that_ended_and_that_nobody_asked_after_is_dead() {
    let mut child = std::process::Command::new("sleep").arg("600").spawn().unwrap();
    let this = ProcessName::current();
    let name = ProcessName { pid: child.id(), started: started(child.id()), ..this.clone() };
    assert_eq!(this.liveness_of(&name), Liveness::Alive);
    child.kill().unwrap();
    if cfg!(target_os = "linux") {
        while stat_field(child.id(), 3).unwrap() != "Z" {
            std::thread::yield_now();
        }
        assert_eq!(this.liveness_of(&name), Liveness::Dead(Cause::Exited));
    }
    child.wait().unwrap();
}

#[test]
fn a_reused_process_id_is_seen_by_its_start() {
    let this = ProcessName::current();
    let before = ProcessName { started: Some(1), ..this.clone() };
    assert_eq!(this.liveness_of(&before), Liveness::Dead(Cause::PidReused));
}

#[test]
fn no_process_outlives_a_boot() {
    let verdict = named("b", "host", 5).judge(&named("a", "host", 5), true, Some(5));
    assert_eq!(verdict, Liveness::Dead(Cause::Rebooted));
}

#[test]
fn machines_of_one_name_are_not_taken_for_one_machine_that_was_booted() {
    let here = named("b", "trainer", 5);
    for machine in [None, Some("another".into())] {
        let there = ProcessName { machine, ..named("a", "trainer", 5) };
        assert_eq!(here.judge(&there, true, Some(5)), Liveness::Unknown);
        let nameless = ProcessName { machine: None, ..here.clone() };
        assert_eq!(nameless.judge(&there, true, Some(5)), Liveness::Unknown);
    }
}

#[test]
fn a_process_on_another_machine_or_in_another_container_cannot_be_seen() {
    let here = named("b", "host", 5);
    assert_eq!(here.judge(&named("a", "other", 5), true, Some(5)), Liveness::Unknown);
    let contained = ProcessName { pid_namespace: None, ..named("b", "other", 5) };
    assert_eq!(here.judge(&contained, true, Some(5)), Liveness::Unknown);
}
