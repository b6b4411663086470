//! Tests of `sys::simulated_disk`.

use super::*;

#[test]
fn what_was_never_synced_is_lost_with_the_power() {
    let disk = SimulatedDisk::default();
    let path = PathBuf::from("/a");
    disk.write_synced(&path, b"content").unwrap();
    disk.reboot(Survival::OnlySynced);
    assert_eq!(disk.kind(&path).unwrap(), None, "its name was not synced");

    disk.write_synced(&path, b"content").unwrap();
    disk.sync_folder(Path::new("/")).unwrap();
    disk.open(&path, WriteMode::Append).unwrap().write(b" and more").unwrap();
    disk.reboot(Survival::OnlySynced);
    assert_eq!(disk.read(&path, 99).unwrap(), b"content");
}
