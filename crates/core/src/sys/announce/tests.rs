//! Tests of `sys::announce`.

use super::*;

#[test]
fn an_announced_folder_is_read_back_as_an_absolute_path() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("announcement");
    assert_eq!(announced(&file), None);
    write_announcement(&file, folder.path()).unwrap();
    assert_eq!(announced(&file).unwrap(), folder.path());
    write_announcement(&file, Path::new("src")).unwrap();
    assert!(announced(&file).unwrap().is_absolute());
    write_announcement(&file, Path::new("/nowhere/at/all")).unwrap();
    assert_eq!(announced(&file), None);
}
