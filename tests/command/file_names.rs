//! Paths that are not UTF-8.

use std::fs;

use crate::support::{Bench, expect_code, stderr, stdout};

#[test]
fn names_that_are_not_utf8_are_names() {
    use std::os::unix::ffi::OsStrExt;
    let bench = Bench::new();
    let latin = |text: &'static [u8]| std::ffi::OsStr::from_bytes(text);
    fs::rename(bench.study(), bench.path().join(latin(b"\xe9tude.toml"))).unwrap();
    let output = bench
        .command(&["train"])
        .arg(latin(b"\xe9tude.toml"))
        .arg("--runs")
        .arg(latin(b"\xff"))
        .args([
            "--set",
            "gate.accuracy=0.0",
            "--set",
            "gate.allow-majority=true",
            "--set",
            "train.epochs=1",
        ])
        .output()
        .unwrap();
    expect_code(&output, 0);
    let run = bench.path().join(latin(b"\xff")).join("growing-0001");
    let provenance = fs::read_to_string(run.join("provenance.json")).unwrap();
    assert!(provenance.contains("\u{fffd}tude.toml"), "{provenance}");
    fs::rename(&run, bench.path().join(latin(b"r\xfcn"))).unwrap();
    let picture = latin(b"\xe9.png");
    let paper = image::GrayImage::from_fn(28, 28, |x, y| {
        image::Luma([if (12..16).contains(&x) && (4..24).contains(&y) { 20 } else { 250 }])
    });
    paper.save(bench.path().join("a.png")).unwrap();
    fs::rename(bench.path().join("a.png"), bench.path().join(picture)).unwrap();
    for (command, files) in [
        ("resume", &[][..]),
        ("eval", &[]),
        ("predict", &[picture]),
        ("lineage", &[]),
        ("report", &[]),
    ] {
        let output = bench.command(&[command]).arg(latin(b"r\xfcn")).args(files).output().unwrap();
        expect_code(&output, 0);
    }
    let json = bench.command(&["report", "--json"]).arg(latin(b"r\xfcn")).output().unwrap();
    expect_code(&json, 0);
    let written: serde_json::Value = serde_json::from_str(&stdout(&json)).unwrap();
    assert!(written["html"].as_str().unwrap().ends_with("report.html"), "{written}");
}

#[cfg(unix)]
#[test]
fn names_of_class_folders_do_not_reach_the_terminal_as_commands() {
    let bench = Bench::new();
    for (class, name) in ["cat\u{1b}[2J", "dog"].into_iter().enumerate() {
        let folder = bench.path().join("photos").join(name);
        fs::create_dir_all(&folder).unwrap();
        for at in 0..40 {
            let pixels = image::GrayImage::from_fn(8, 8, |x, y| {
                image::Luma([(x * 7 + y * 3 + at * 5) as u8 / 2 + 100 * class as u8])
            });
            pixels.save(folder.join(format!("{at}.png"))).unwrap();
        }
    }
    // It is refused, and the refusal names it.
    let output = bench.burgeon(&["data", "photos"]);
    expect_code(&output, 1);
    let said = stderr(&output);
    assert!(said.contains("cat\\u{1b}[2J") && !said.contains('\u{1b}'), "{said}");
}
