//! Tests of `chain::tree`.

use super::*;

fn read(entries: &[&str], limits: TreeLimits) -> Result<Tree, TreeError> {
    let mut reader = Reader::new(limits);
    let text: String = entries.iter().map(|entry| format!("{entry}\0")).collect();
    for piece in text.as_bytes().chunks(7) {
        let _ = reader.read(piece);
    }
    reader.finish().map(|(tree, _)| tree)
}

fn file(path: &str) -> String {
    format!("100644 blob 0a0a      12\t{path}")
}

#[test]
fn files_links_and_submodules_are_counted() {
    let entries = [
        &*file("a/b.py"),
        "120000 blob 0b0b       5\tlink",
        "160000 commit 0c0c       -\tmodule",
        &file("ünï 'x'\n.py"),
    ];
    let tree = read(&entries, TreeLimits::default()).unwrap();
    assert_eq!(tree, Tree { files: 3, bytes: 29, links: 1, submodules: 1 });
}

#[test]
fn what_is_too_much_or_leads_outside_is_refused() {
    let limits = TreeLimits { bytes: 30, files: 2, depth: 3, path: 20 };
    let refused = |entries: &[&str]| read(entries, limits).unwrap_err();
    assert_eq!(refused(&[&file("a"), &file("b"), &file("c")]), TreeError::Files { files: 2 });
    assert_eq!(refused(&["100644 blob 0a 31\ta"]), TreeError::Bytes { bytes: 30 });
    assert!(matches!(refused(&[&file("a/b/c/d")]), TreeError::Path { .. }));
    assert!(matches!(refused(&[&file(&"x".repeat(5000))]), TreeError::Path { .. }));
    for path in ["../a", "/a", ".git/config", "a/.GIT/x", ""] {
        assert!(matches!(refused(&[&file(path)]), TreeError::Outside { .. }), "{path}");
    }
    assert_eq!(refused(&["nonsense"]), TreeError::Unreadable);
    let mut reader = Reader::new(limits);
    reader.read(b"100644 blob 0a 1\ta").unwrap();
    assert_eq!(reader.finish(), Err(TreeError::Unreadable));
}
