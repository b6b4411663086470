//! Tests of `cluster::submit`.

use super::*;

#[test]
fn a_script_becomes_the_program_whatever_its_paths_hold() {
    let program = Program {
        key: "bg-a-0001-7f".into(),
        command: vec!["/opt/it's/burgeon".into(), "--threads".into(), "2".into()],
        environment: vec![("BURGEON_CPU".into(), "avx2".into())],
    };
    let script = program.script(Path::new("/runs/a b"), 3, Part::Fold(2), 4);
    let lines: Vec<&str> = script.lines().collect();
    assert!(lines[1].starts_with("unset BURGEON_SUPERVISED"), "{script}");
    assert_eq!((lines[0], lines[2]), ("#!/bin/sh", "export BURGEON_CPU='avx2'"));
    assert_eq!(
        lines[3],
        "exec '/opt/it'\\''s/burgeon' '--threads' '2' trial '/runs/a b' 3 --part fold-2 --submission 4"
    );
    assert_eq!(program.name(3, Part::Train, 4), "bg-a-0001-7f-003-train-0004");
}
