//! Tests of `sys::trial_write`.

use super::super::files::RealFiles;
use super::*;

#[test]
fn a_folder_that_can_be_used_is_left_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let tried = try_folder(&RealFiles, folder.path()).unwrap();
    assert!(tried.locks_exclude);
    assert_eq!(RealFiles.list(folder.path()).unwrap(), Vec::<String>::new());
}

#[test]
fn a_folder_that_cannot_be_used_is_an_error_that_names_it() {
    let folder = tempfile::tempdir().unwrap();
    let nowhere = folder.path().join("nowhere");
    let error = try_folder(&RealFiles, &nowhere).unwrap_err();
    assert!(error.to_string().contains("nowhere"), "{error}");
}

#[cfg(target_os = "linux")]
#[test]
fn file_systems_are_told_apart() {
    assert_eq!(of_magic(0x6969), FileSystem::Network("NFS"));
    assert_eq!(of_magic(0xffff_ffff_ff53_4d42), FileSystem::Network("SMB"));
    assert_eq!(of_magic(0xef53), FileSystem::Local);
    assert_eq!(file_system(Path::new("/dev/shm")), FileSystem::Memory);
}
