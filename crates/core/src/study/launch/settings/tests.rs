//! Tests of `study::launch::settings`.

use super::*;

#[test]
fn a_run_reads_from_where_it_was_read_before_unless_another_folder_is_named() {
    let there = tempfile::tempdir().unwrap();
    let (there, gone, path) = (there.path(), Path::new("/nowhere/run"), Path::new("/study"));
    let folder = |named: Option<&Path>, path, recorded| {
        named_folder(named.map(Path::to_owned), path, recorded)
    };
    assert_eq!(folder(None, Some(path), Some(there)), Some(there.to_owned()));
    assert_eq!(folder(None, Some(path), Some(gone)), Some(path.to_owned()));
    assert_eq!(folder(None, Some(path), None), Some(path.to_owned()));
    assert_eq!(folder(Some(gone), Some(path), Some(there)), Some(gone.to_owned()));
    // Without a path, the recorded folder is only the first of those that are searched.
    assert_eq!(folder(None, None, Some(there)), None);
}
