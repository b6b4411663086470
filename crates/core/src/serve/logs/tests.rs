//! Tests of `serve::logs`.

use super::*;

#[test]
fn a_log_is_read_piece_by_piece_and_its_end_by_lines() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log.txt");
    assert_eq!(tail(&path).map_err(|p| p.text).unwrap(), Piece::default());
    let lines: String = (0..10_000).map(|n| format!("line {n}\n")).collect();
    std::fs::write(&path, &lines).unwrap();
    let end = tail(&path).map_err(|p| p.text).unwrap();
    assert!(end.bytes.starts_with(b"line ") && end.bytes.len() as u64 <= TAIL);
    assert_eq!((end.next(), end.length), (lines.len() as u64, lines.len() as u64));
    let piece = |from| read(&path, From::Start(from), 10).map_err(|p| p.text).unwrap();
    assert_eq!((&*piece(7).bytes, piece(7).next()), (&b"line 1\nlin"[..], 17));
    assert!(piece(u64::MAX).bytes.is_empty());
}

#[test]
fn sequences_for_terminals_are_left_out() {
    assert_eq!(
        plain(b"\x1b[1;32mgreen\x1b[0m\r\n10 %\r20 %\n\x07\xff"),
        "green\n10 %\n20 %\n\u{fffd}"
    );
    assert_eq!(plain(b"\x1b[ \x1b["), "");
}
