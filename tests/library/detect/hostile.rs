//! Checkouts that are meant to do harm: nothing outside is read, everything is bounded, and what a bound left
//! out is told.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::path::Path;

use burgeon::unstable::detect::{Confidence, Detection, Limits, detect};

const CNN: &str = "import keras\nm = keras.Sequential([keras.layers.Conv2D(3, 3)])\nm.fit(1, 2)\n";

fn look(folder: &Path) -> Detection {
    detect(folder, &Limits::default()).unwrap()
}

fn skipped<'a>(found: &'a Detection, file: &str) -> &'a str {
    let note = found.looked_at.skipped.iter().find(|note| note.file == file);
    &note.unwrap_or_else(|| panic!("{file} is not in {:?}", found.looked_at.skipped)).text
}

#[test]
fn links_are_not_followed_out_of_the_checkout_nor_in_circles() {
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("secret.py"), CNN).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    symlink(outside.path(), at("out")).unwrap();
    symlink(outside.path().join("secret.py"), at("train.py")).unwrap();
    symlink(folder.path(), at("loop")).unwrap();
    symlink("nothing", at("dangling.py")).unwrap();
    let found = look(folder.path());
    assert!(found.findings.is_empty(), "{:?}", found.findings);
    assert_eq!(found.looked_at.files, 0);
    for name in ["out", "train.py", "loop", "dangling.py"] {
        assert!(skipped(&found, name).contains("symbolic link"), "{name}");
    }
}

#[test]
fn pipes_are_not_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let pipe =
        std::ffi::CString::new(folder.path().join("train.py").as_os_str().as_bytes()).unwrap();
    // The library has no function for this; a pipe that nobody writes to would be read from for ever.
    let status =
        std::process::Command::new("mkfifo").arg(OsStr::from_bytes(pipe.as_bytes())).status();
    assert!(status.unwrap().success());
    let found = look(folder.path());
    assert!(skipped(&found, "train.py").contains("not a regular file"));
}

#[test]
fn huge_files_and_many_files_are_left_out_and_told() {
    let folder = tempfile::tempdir().unwrap();
    let file = fs::File::create(folder.path().join("big.py")).unwrap();
    file.set_len(1 << 40).unwrap();
    fs::create_dir(folder.path().join("many")).unwrap();
    for number in 0..300 {
        fs::write(folder.path().join(format!("many/{number}.py")), "x = 1\n").unwrap();
    }
    fs::write(folder.path().join("train.py"), CNN).unwrap();
    let found = look(folder.path());
    assert!(skipped(&found, "big.py").contains("longer than"));
    let limits = Limits { entries: 100, files_read: 3, ..Limits::default() };
    let found = detect(folder.path(), &limits).unwrap();
    assert_eq!(found.findings.len(), 1, "the top is read first");
    assert!(found.looked_at.files <= 100);
    assert_eq!(found.looked_at.limits.len(), 2, "{:?}", found.looked_at.limits);
    assert!(found.looked_at.skipped.len() <= 200);
}

#[test]
fn deep_trees_end_somewhere() {
    let folder = tempfile::tempdir().unwrap();
    let mut path = folder.path().to_owned();
    for _ in 0..100 {
        path.push("d");
    }
    fs::create_dir_all(&path).unwrap();
    fs::write(path.join("train.py"), CNN).unwrap();
    let found = look(folder.path());
    assert!(found.findings.is_empty());
    assert!(found.looked_at.limits.iter().any(|limit| limit.contains("deep")));
}

#[test]
fn odd_encodings_are_read_and_binary_files_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| fs::write(folder.path().join(name), bytes).unwrap();
    write("latin.py", &[b"# caf\xE9\n".as_slice(), CNN.as_bytes()].concat());
    write("nul.py", b"import keras\0\nkeras.layers.Conv2D(3)\n");
    let wide: Vec<u8> = CNN.encode_utf16().flat_map(u16::to_le_bytes).collect();
    write("wide.py", &[b"\xFF\xFE".as_slice(), &wide].concat());
    write("mark.py", &[b"\xEF\xBB\xBF".as_slice(), CNN.as_bytes()].concat());
    let found = look(folder.path());
    let finding = found.verdict().unwrap();
    assert_eq!(finding.others.len(), 2, "{finding:?}");
    assert!(skipped(&found, "nul.py").contains("NUL"));
}

#[test]
fn names_that_are_not_utf8_are_read_but_make_no_command() {
    let folder = tempfile::tempdir().unwrap();
    let name = OsStr::from_bytes(b"tr\xFFain\x1b[2J.py");
    if fs::write(folder.path().join(name), CNN).is_err() {
        return;
    }
    let found = look(folder.path());
    let finding = found.verdict().unwrap();
    assert!(!finding.entry.is_exact);
    assert!(!finding.entry.file.contains('\u{1b}'), "{:?}", finding.entry);
    let rules = "[[rule]]\nimage = \"k\"\ncommand = [\"python\", \"{entry}\"]";
    let rules = burgeon::unstable::detect::Rules::parse("rules", rules).unwrap();
    assert_eq!(rules.matched(&found.findings), None);
}

#[test]
fn notebooks_with_large_outputs_are_read_and_nested_ones_refused() {
    let folder = tempfile::tempdir().unwrap();
    let picture = "A".repeat(8 << 20);
    let code = CNN.replace('\n', "\\n");
    let text = format!(
        r#"{{"cells": [{{"cell_type": "code", "outputs": [{{"data": {{"image/png": "{picture}"}}}}], "source": "{code}"}}], "metadata": {{}}}}"#
    );
    fs::write(folder.path().join("plot.ipynb"), text).unwrap();
    let nested = format!("{{\"cells\": {}{}}}", "[".repeat(1 << 20), "]".repeat(1 << 20));
    fs::write(folder.path().join("nested.ipynb"), nested).unwrap();
    let found = look(folder.path());
    assert_eq!(found.verdict().unwrap().entry.file, "plot.ipynb");
    assert!(skipped(&found, "nested.ipynb").contains("not a notebook"));
}

#[test]
fn pathological_source_is_bounded() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: String| fs::write(folder.path().join(name), text).unwrap();
    write("open.py", "(".repeat(900_000));
    write("pairs.py", format!("x = {}{}", "[".repeat(200_000), "]".repeat(200_000)));
    write("sum.py", format!("x = 1{}", " + 1".repeat(200_000)));
    write("dots.py", format!("x{}", ".a".repeat(300_000)));
    write("calls.py", format!("f{}", "()".repeat(200_000)));
    let indents: String =
        (0..2000).map(|n| format!("{}if a:\n", " ".repeat(n))).take(1300).collect();
    write("indents.py", indents);
    write("strings.py", "f\"{".repeat(100_000));
    write("quotes.py", "'\"\"\"'''".repeat(50_000));
    write("calls.r", "f(".repeat(300_000));
    write("types.rs", format!("use burn::x; type A = {}", "A<".repeat(200_000)));
    write(
        "noise.py",
        (0..400_000_u32)
            .map(|n| char::from((n.wrapping_mul(2_654_435_761) >> 25) as u8))
            .filter(|c| *c != '\0')
            .collect(),
    );
    write("train.py", CNN.into());
    let found = look(folder.path());
    let finding = found.verdict().unwrap();
    assert_eq!((finding.entry.file.as_str(), finding.confidence), ("train.py", Confidence::High));
}

#[test]
fn a_folder_that_is_none_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("file"), "").unwrap();
    assert!(detect(&folder.path().join("file"), &Limits::default()).is_err());
    assert!(detect(&folder.path().join("none"), &Limits::default()).is_err());
}

#[test]
fn what_is_noted_and_followed_is_bounded_and_told() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("heavy.py"), CNN.repeat(200)).unwrap();
    for number in 0..20 {
        fs::write(folder.path().join(format!("train_{number}.py")), "import heavy\n").unwrap();
    }
    let told = |limits: Limits| detect(folder.path(), &limits).unwrap().looked_at.limits;
    assert!(told(Limits::default()).is_empty());
    let followed = told(Limits { followed: 3_000, ..Limits::default() });
    assert_eq!(followed, ["only 3000 names and calls are followed"]);
    let noted = told(Limits { facts: 100, ..Limits::default() });
    assert_eq!(noted, ["only 100 names and calls are noted"]);
    let calls = detect(folder.path(), &Limits { calls: 10, ..Limits::default() }).unwrap();
    assert!(calls.notes.iter().any(|note| note.text.contains("after the first 10")), "{calls:?}");
}
