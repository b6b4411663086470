//! Tests of `serve::inside`.

use super::*;
use std::os::unix::fs::symlink;

#[test]
fn only_regular_files_below_the_folder_are_opened() {
    let folder = tempfile::tempdir().unwrap();
    let inside = folder.path().join("run");
    std::fs::create_dir_all(inside.join("best")).unwrap();
    std::fs::write(folder.path().join("secret"), "s").unwrap();
    std::fs::write(inside.join("best/card.md"), "card").unwrap();
    symlink("../secret", inside.join("link")).unwrap();
    symlink("..", inside.join("up")).unwrap();
    symlink(folder.path().join("secret"), inside.join("absolute")).unwrap();
    assert!(
        std::process::Command::new("mkfifo").arg(inside.join("pipe")).status().unwrap().success()
    );
    let opened = |path: &str| open(&inside, Path::new(path)).unwrap().is_some();
    assert!(opened("best/card.md"));
    for path in [
        "link",
        "up/secret",
        "absolute",
        "../secret",
        "best/../../secret",
        "/etc/passwd",
        "best",
        "pipe",
        "none",
        "",
        ".",
    ] {
        assert!(!opened(path), "{path}");
    }
}
