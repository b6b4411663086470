//! Tests of `cli::doctor::limits`.

use super::super::check::Status;
use super::*;

#[test]
fn the_memory_of_a_small_container_is_a_warning_whatever_the_machine_has() {
    let of = |group_bytes, group_used_bytes| Limits {
        available_bytes: Some(64 << 30),
        group_bytes,
        group_used_bytes,
        ..Limits::default()
    };
    assert_eq!(memory(&of(None, None)).status, Status::Ok);
    assert_eq!(memory(&of(Some(4 << 30), Some(1 << 30))).status, Status::Ok);
    assert_eq!(memory(&of(Some(4 << 30), Some(4 << 30))).status, Status::Warning);
    assert_eq!(memory(&Limits::default()).status, Status::Ok);
}

#[test]
fn too_few_open_files_are_a_fault() {
    assert_eq!(
        [16, 128, 1024, u64::MAX].map(|most| open_files(most).status),
        [Status::Fault, Status::Warning, Status::Ok, Status::Ok]
    );
}
