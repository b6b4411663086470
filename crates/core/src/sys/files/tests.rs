//! Tests of `sys::files`.

use super::*;

#[test]
fn an_atomic_write_replaces_the_content_and_leaves_nothing_beside_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("accuracy.txt");
    RealFiles.write_atomically(&path, b"old").unwrap();
    RealFiles.write_atomically(&path, b"new").unwrap();
    assert_eq!(RealFiles.read(&path, 3).unwrap(), b"new");
    assert_eq!(RealFiles.list(folder.path()).unwrap(), ["accuracy.txt"]);
}

#[test]
fn a_file_over_the_limit_is_refused_and_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("large");
    RealFiles.write_synced(&path, &[0; 11]).unwrap();
    let error = RealFiles.read(&path, 10).unwrap_err();
    assert!(matches!(error, FileError::TooLarge { limit_bytes: 10, .. }));
    assert!(error.to_string().contains("large"));
}

#[test]
fn a_folder_is_not_read_as_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let error = RealFiles.read(folder.path(), 10).unwrap_err();
    assert!(matches!(error, FileError::NotAFile { .. }));
}

#[test]
fn folders_are_made_with_their_parents_and_made_again_without_complaint() {
    let folder = tempfile::tempdir().unwrap();
    let deep = folder.path().join("a/b/c");
    RealFiles.create_folders(&deep).unwrap();
    RealFiles.create_folders(&deep).unwrap();
    assert_eq!(RealFiles.kind(&deep).unwrap(), Some(PathKind::Folder));
}

#[test]
fn leftovers_of_interrupted_writes_are_removed_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    for name in [".tmp-e0001", ".removing-e0000", "e0002"] {
        RealFiles.create_folder(&folder.path().join(name)).unwrap();
    }
    assert_eq!(RealFiles.remove_leftovers(folder.path()).unwrap().len(), 2);
    assert_eq!(RealFiles.list(folder.path()).unwrap(), ["e0002"]);
}

#[test]
fn a_full_disk_is_told_with_the_file_and_the_bytes_it_needs() {
    let error = FileError::new(
        Operation::Write,
        Path::new("/dev/shm/none/weights.bpk"),
        4711,
        io::Error::from_raw_os_error(libc::ENOSPC),
    );
    let text = error.to_string();
    assert!(text.contains("weights.bpk") && text.contains("4711 bytes needed"), "{text}");
    assert!(matches!(error, FileError::NoSpace { free_bytes: Some(_), .. }));
}

#[test]
fn the_parent_of_a_bare_name_is_the_current_folder() {
    assert_eq!(parent(Path::new("runs")), Path::new("."));
    assert_eq!(parent(Path::new("/runs")), Path::new("/"));
    assert_eq!(parent(Path::new("/")), Path::new("/"));
}
