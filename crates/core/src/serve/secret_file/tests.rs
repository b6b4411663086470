//! Tests of `serve::secret_file`.

use super::*;

#[test]
fn a_replaced_file_counts_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("token");
    std::fs::write(&path, "first\n").unwrap();
    let file = SecretFile::new(&path, "the token");
    assert_eq!(file.current().unwrap().expose(), "first");
    assert_eq!(file.current().unwrap().expose(), "first");
    std::fs::write(folder.path().join("new"), "other\n").unwrap();
    std::fs::rename(folder.path().join("new"), &path).unwrap();
    assert_eq!(file.current().unwrap().expose(), "other");
    std::fs::remove_file(&path).unwrap();
    assert!(file.current().unwrap_err().contains("the token"));
    assert!(file.current_or_logged().is_none());
}

#[test]
fn only_equal_texts_are_the_same() {
    assert!(is_same(b"a", b"a") && is_same(b"", b""));
    assert!(!is_same(b"a", b"b") && !is_same(b"a", b"aa") && !is_same(b"", b"a"));
}
