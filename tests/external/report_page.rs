//! The report's page as Chromium shows it, also under the policy that Jenkins serves files with.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::LazyLock;

use image::RgbImage;

use crate::skipping::{Group, tests};
use crate::support::{Bench, expect_code};

/// What Jenkins sends with every file of a build (its documentation, "Configuring Content Security
/// Policy").
const JENKINS: &str = "sandbox; default-src 'none'; img-src 'self'; style-src 'self';";

pub fn group() -> Group {
    Group {
        name: "report_page",
        missing: CHROMIUM
            .is_none()
            .then(|| "there is no Chromium here (apt-get install chromium)".into()),
        tests: tests![
            the_strictest_policy_changes_nothing_of_the_page_on_any_screen,
            a_page_without_its_style_sheet_still_has_pictures,
            every_text_can_be_read_and_every_picture_is_named_on_any_screen,
            one_file_alone_asks_for_nothing,
        ],
    }
}

/// The browser's name, if there is one.
pub static CHROMIUM: LazyLock<Option<&str>> = LazyLock::new(|| {
    ["chromium", "chromium-browser", "google-chrome"].into_iter().find(|name| {
        let version = Command::new(name).arg("--version").stdout(Stdio::null()).status();
        version.is_ok_and(|status| status.success())
    })
});

/// A run that grew, with its reports.
static RUN: LazyLock<Bench> = LazyLock::new(|| {
    let bench = Bench::new();
    expect_code(&bench.burgeon(&["tune", "study.toml"]), 0);
    bench
});

/// What is sent with a file.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sent {
    Plainly,
    UnderThePolicy,
    /// As when the page was copied alone.
    WithoutTheStyleSheet,
    /// With a script in the page that looks at it.
    WithChecks,
}

/// Serves a folder until the test ends, and answers its address.
fn serve(folder: PathBuf, sent: Sent) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let folder = folder.clone();
            // Each on a thread of its own: browsers open connections ahead that they say nothing on.
            std::thread::spawn(move || {
                // A browser that hangs up has seen enough.
                let _ = stream.and_then(|stream| answer(stream, &folder, sent));
            });
        }
    });
    format!("http://{address}/")
}

fn answer(mut stream: TcpStream, folder: &Path, sent: Sent) -> std::io::Result<()> {
    let mut request = BufReader::new(&stream).lines();
    let first = request.next().transpose()?.unwrap_or_default();
    while request.next().transpose()?.is_some_and(|line| !line.is_empty()) {}
    let name = first.split(' ').nth(1).unwrap_or_default().trim_start_matches('/');
    let kind = match Path::new(name).extension().and_then(|extension| extension.to_str()) {
        Some("css") => "text/css",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        _ => "text/html",
    };
    let is_missing = kind == "text/css" && sent == Sent::WithoutTheStyleSheet;
    let found = std::fs::read(folder.join(name)).ok().filter(|_| !is_missing);
    let status = if found.is_some() { "200 OK" } else { "404 Not Found" };
    let mut body = found.unwrap_or_default();
    if sent == Sent::WithChecks && kind == "text/html" {
        body.extend(format!("<script>{}</script>", include_str!("page_checks.js")).bytes());
    }
    let policy = match sent {
        Sent::UnderThePolicy => format!("Content-Security-Policy: {JENKINS}\r\n"),
        Sent::Plainly | Sent::WithoutTheStyleSheet | Sent::WithChecks => String::new(),
    };
    let length = body.len();
    write!(
        stream,
        "HTTP/1.1 {status}\r\n{policy}X-Content-Type-Options: nosniff\r\n\
         Content-Type: {kind}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
    )?;
    stream.write_all(&body)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scheme {
    Light,
    Dark,
}

/// Chromium on a screen of some width.
fn chromium(profile: &Path, width: u32, scheme: Scheme) -> Command {
    let mut command = Command::new((*CHROMIUM).unwrap());
    // Blink's own numbers for prefers-color-scheme.
    let scheme = match scheme {
        Scheme::Dark => 0,
        Scheme::Light => 1,
    };
    command
        .args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--hide-scrollbars",
            "--no-first-run",
            "--enable-logging=stderr",
        ])
        .arg(format!("--user-data-dir={}", profile.display()))
        .arg(format!("--blink-settings=preferredColorScheme={scheme}"))
        .arg(format!("--window-size={width},1600"));
    command
}

/// What pages say to the console: errors, and what a policy keeps out.
fn said(stderr: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(stderr);
    text.lines().filter(|line| line.contains("CONSOLE")).map(str::to_owned).collect()
}

/// The page on a screen of some width.
fn screenshot(sent: Sent, width: u32, scheme: Scheme) -> RgbImage {
    let folder = tempfile::tempdir().unwrap();
    let picture = folder.path().join("page.png");
    let output = chromium(&folder.path().join("profile"), width, scheme)
        .arg(format!("--screenshot={}", picture.display()))
        .arg(serve(RUN.run(), sent) + "report.html")
        .output()
        .unwrap();
    assert!(picture.is_file(), "{}", String::from_utf8_lossy(&output.stderr));
    if sent != Sent::WithoutTheStyleSheet {
        assert_eq!(said(&output.stderr), Vec::<String>::new());
    }
    // For people to look at: BURGEON_TEST_PICTURES=DIR keeps them.
    if let Some(keep) = std::env::var_os("BURGEON_TEST_PICTURES") {
        let name = match sent {
            Sent::Plainly | Sent::WithChecks => "plain",
            Sent::UnderThePolicy => "policy",
            Sent::WithoutTheStyleSheet => "alone",
        };
        let name = format!("{name}-{width}-{scheme:?}.png");
        std::fs::copy(&picture, Path::new(&keep).join(name)).unwrap();
    }
    image::open(picture).unwrap().to_rgb8()
}

/// What the script in the page finds wrong.
fn faults(page: &str, width: u32, scheme: Scheme) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let output = chromium(&folder.path().join("profile"), width, scheme)
        .arg("--dump-dom")
        .arg(serve(RUN.run(), Sent::WithChecks) + page)
        .output()
        .unwrap();
    let document = String::from_utf8_lossy(&output.stdout);
    let found =
        document.split_once("<pre id=\"checked\">").and_then(|(_, rest)| rest.split_once("</pre>"));
    let (found, _) = found.unwrap_or_else(|| panic!("{}", String::from_utf8_lossy(&output.stderr)));
    let mut lines = found.lines();
    let texts: usize = lines.next().unwrap().strip_suffix(" texts").unwrap().parse().unwrap();
    assert!(texts > 50, "only {texts} texts were looked at");
    lines.map(str::to_owned).chain(said(&output.stderr)).collect()
}

/// The page under the policy, which is the plain one pixel for pixel. On a busy machine Chromium now and then takes its
/// picture before all is drawn, of either page; a policy that keeps something out does so every time.
fn same_under_the_policy(width: u32, scheme: Scheme) -> RgbImage {
    let mut differences = Vec::new();
    for _ in 0..4 {
        let plain = screenshot(Sent::Plainly, width, scheme);
        let strict = screenshot(Sent::UnderThePolicy, width, scheme);
        let differing =
            plain.pixels().zip(strict.pixels()).filter(|(one, other)| one != other).count();
        if plain.dimensions() == strict.dimensions() && differing == 0 {
            return strict;
        }
        differences.push(differing);
    }
    panic!(
        "{width} {scheme:?}: another picture under the policy; pixels that differ, in four attempts: {differences:?}"
    );
}

/// The share of pixels that a test holds for, 0..=1.
fn share(picture: &RgbImage, is_one: impl Fn([u8; 3]) -> bool) -> f64 {
    let count = picture.pixels().filter(|pixel| is_one(pixel.0)).count();
    count as f64 / f64::from(picture.width() * picture.height())
}

fn is_near(to: [u8; 3]) -> impl Fn([u8; 3]) -> bool {
    move |pixel| pixel.iter().zip(to).all(|(one, other)| one.abs_diff(other) < 12)
}

fn the_strictest_policy_changes_nothing_of_the_page_on_any_screen() {
    for width in [1000, 390] {
        for (scheme, paper, curve) in [
            (Scheme::Light, [0xf6, 0xf7, 0xf9], [0x0b, 0x63, 0xce]),
            (Scheme::Dark, [0x0f, 0x13, 0x18], [0x5a, 0xa7, 0xff]),
        ] {
            let strict = same_under_the_policy(width, scheme);
            let context = format!("{width} {scheme:?}");
            assert!(share(&strict, is_near(paper)) > 0.1, "{context}: the page has no colour");
            assert!(share(&strict, is_near(curve)) > 0.0005, "{context}: there is no curve");
            assert!(share(&strict, |pixel| pixel == [0; 3]) < 0.01, "{context}: black areas");
        }
    }
}

fn a_page_without_its_style_sheet_still_has_pictures() {
    let alone = screenshot(Sent::WithoutTheStyleSheet, 1000, Scheme::Light);
    assert!(share(&alone, |pixel| pixel == [255; 3]) > 0.7, "it is not on white paper");
    assert!(share(&alone, is_near([0x0b, 0x63, 0xce])) > 0.0005, "there is no curve");
    assert!(share(&alone, |pixel| pixel == [0; 3]) < 0.05, "black areas");
}

fn every_text_can_be_read_and_every_picture_is_named_on_any_screen() {
    for width in [1280, 390] {
        for scheme in [Scheme::Light, Scheme::Dark] {
            let faults = faults("report.html", width, scheme);
            assert!(faults.is_empty(), "{width} {scheme:?}: {faults:#?}");
        }
    }
    // That the script would notice.
    let page = RUN.run().join("bad.html");
    let texts = "<p>a</p>".repeat(60);
    let bad = "<p style='color:#999;background:#fff'>pale</p><img src='gone.png'><h4>deep</h4><p style='width:2000px'>wide</p>";
    std::fs::write(&page, format!("<!DOCTYPE html><html><body><h1>a</h1>{texts}{bad}")).unwrap();
    let faults = faults("bad.html", 390, Scheme::Light).join("\n");
    for fault in [
        "contrast 2.85",
        "without words",
        "not there",
        "deep is a heading",
        "no language",
        "pixels wide",
    ] {
        assert!(faults.contains(fault), "{fault}: {faults}");
    }
}

fn one_file_alone_asks_for_nothing() {
    expect_code(&RUN.burgeon(&["report", "runs/growing-0001", "--single"]), 0);
    let alone = tempfile::tempdir().unwrap();
    let page = alone.path().join("report-single.html");
    std::fs::copy(RUN.run().join("report-single.html"), &page).unwrap();
    let picture = alone.path().join("page.png");
    let output = chromium(&alone.path().join("profile"), 1000, Scheme::Light)
        .arg(format!("--screenshot={}", picture.display()))
        .arg(format!("file://{}", page.display()))
        .output()
        .unwrap();
    assert_eq!(said(&output.stderr), Vec::<String>::new());
    let text = std::fs::read_to_string(&page).unwrap();
    for outside in ["src=\"report/", "href=\"report/", "http://", "https://"] {
        assert!(!text.contains(outside), "{outside}");
    }
    assert!(text.contains("data:image/png;base64,"));
    let drawn = image::open(picture).unwrap().to_rgb8();
    assert!(share(&drawn, is_near([0xf6, 0xf7, 0xf9])) > 0.1, "the page has no colour");
}
