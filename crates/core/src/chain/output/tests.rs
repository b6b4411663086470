//! Tests of `chain::output`.

use super::*;
use std::os::unix::fs::symlink;

#[test]
fn no_link_leads_out_of_the_folder_of_a_program() {
    let folder = tempfile::tempdir().unwrap();
    let (inside, outside) = (folder.path().join("output"), folder.path().join("outside"));
    for made in [&inside, &outside] {
        std::fs::create_dir(made).unwrap();
        std::fs::write(made.join("file"), "content").unwrap();
    }
    symlink(&outside, inside.join("link")).unwrap();
    assert!(without_links(&inside, Path::new("file")).is_ok());
    assert!(without_links(&inside, Path::new("link/file")).is_err());
    assert!(remove_if_there(&inside, Path::new("link/file")).unwrap());
    assert!(outside.join("file").exists() && !inside.join("link").exists());
    assert!(remove_if_there(&inside, Path::new("file")).unwrap());
    assert!(!remove_if_there(&inside, Path::new("file")).unwrap());
}
