//! Tests of `sys::faults`.

use super::*;
use crate::sys::simulated_disk::{SimulatedDisk, Survival};

#[test]
fn faults_are_read_from_text() {
    let fault: Fault = "torn@17".parse().unwrap();
    assert_eq!(fault, Fault { kind: FaultKind::TornCrash, at: 17 });
    assert!("crash@x".parse::<Fault>().is_err());
    assert!("fire@1".parse::<Fault>().is_err());
}

#[test]
fn an_atomic_write_cut_anywhere_leaves_the_old_or_the_new_content() {
    let path = Path::new("/study.toml");
    for kind in [FaultKind::Crash, FaultKind::TornCrash, FaultKind::NoSpace, FaultKind::Io] {
        for at in 1..=5 {
            for survival in Survival::ALL {
                let disk = SimulatedDisk::default();
                disk.write_atomically(path, b"old").unwrap();
                let faulty =
                    FaultyFiles::new(disk.share(), Fault { kind, at }, OnCrash::FailFromThenOn);
                let done = faulty.write_atomically(path, b"new").is_ok();
                disk.reboot(survival);
                let found = disk.read(path, 9).unwrap();
                assert!(found == b"old" || found == b"new", "{kind:?} {at} {survival:?}");
                if done {
                    assert_eq!(found, b"new", "{kind:?} {at} {survival:?}");
                }
            }
        }
    }
}
