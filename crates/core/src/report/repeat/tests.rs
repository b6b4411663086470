//! Tests of `report::repeat`.

use super::super::samples::{HOSTILE, accepted, hostile, records};
use super::*;

fn commands(events: Vec<crate::ledger::Event>) -> Vec<String> {
    let report =
        Report::from_records(&records(events)).with_study("name = \"a\"\nmodel.layers = []\n");
    report.commands().into_iter().map(|(_, command)| command).collect()
}

#[test]
fn commands_name_the_run_its_seed_and_what_its_bits_depend_on() {
    assert_eq!(
        commands(accepted()),
        [
            "BURGEON_CPU=portable burgeon tune runs/seedling-0001/study.toml --seed 42 --device cpu",
            "burgeon eval runs/seedling-0001",
            "burgeon eval runs/seedling-0001 --split test",
            "burgeon predict runs/seedling-0001 picture.png",
        ]
    );
}

#[test]
fn a_name_that_a_shell_would_obey_is_one_word() {
    let word = HOSTILE.replace('\'', "'\\''");
    for command in commands(hostile()) {
        assert!(command.contains(&format!("'{word}")), "{command}");
    }
}
