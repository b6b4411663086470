//! Tests of `sys::fence`.

use super::*;
use crate::sys::simulated_disk::SimulatedDisk;

#[test]
fn an_old_writer_is_told_who_replaced_it() {
    let files = SimulatedDisk::default().share();
    let path = Path::new("/fence");
    let this = ProcessName::current();
    let old = Fence::raise(&files, path, 0, &this).unwrap();
    old.check().unwrap();
    let new = Fence::raise(&files, path, 0, &this).unwrap();
    assert_eq!((old.number(), new.number()), (1, 2));
    new.check().unwrap();
    assert!(matches!(old.check(), Err(FenceError::Replaced { ours: 1, theirs: 2, .. })));
}

#[test]
fn numbers_grow_even_when_the_file_is_lost() {
    let files = SimulatedDisk::default().share();
    let fence = Fence::raise(&files, Path::new("/fence"), 8, &ProcessName::current()).unwrap();
    assert_eq!(fence.number(), 9);
}

#[test]
fn a_writer_whose_folder_is_gone_may_not_write() {
    let files = SimulatedDisk::default().share();
    let path = Path::new("/fence");
    let fence = Fence::raise(&files, path, 0, &ProcessName::current()).unwrap();
    files.remove_file(path).unwrap();
    assert!(fence.check().is_err());
    Fence::none().check().unwrap();
}
