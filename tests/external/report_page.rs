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
    format!("http://{address}/report.html")
}

fn answer(mut stream: TcpStream, folder: &Path, sent: Sent) -> std::io::Result<()> {
    let mut request = BufReader::new(&stream).lines();
    let first = request.next().transpose()?.unwrap_or_default();
    while request.next().transpose()?.is_some_and(|line| !line.is_empty()) {}
    let name = first.split(' ').nth(1).unwrap_or_default().trim_start_matches('/');
    let kind = match Path::new(name).extension().and_then(|extension| extension.to_str()) {
        Some("css") => "text/css",
        Some("svg") => "image/svg+xml",
        _ => "text/html",
    };
    let is_missing = kind == "text/css" && sent == Sent::WithoutTheStyleSheet;
    let found = std::fs::read(folder.join(name)).ok().filter(|_| !is_missing);
    let status = if found.is_some() { "200 OK" } else { "404 Not Found" };
    let body = found.unwrap_or_default();
    let policy = match sent {
        Sent::UnderThePolicy => format!("Content-Security-Policy: {JENKINS}\r\n"),
        Sent::Plainly | Sent::WithoutTheStyleSheet => String::new(),
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

/// The page on a screen of some width.
fn screenshot(sent: Sent, width: u32, scheme: Scheme) -> RgbImage {
    let folder = tempfile::tempdir().unwrap();
    let picture = folder.path().join("page.png");
    let chromium = (*CHROMIUM).unwrap();
    // Blink's own numbers for prefers-color-scheme.
    let scheme = match scheme {
        Scheme::Dark => 0,
        Scheme::Light => 1,
    };
    let output = Command::new(chromium)
        .args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--hide-scrollbars",
            "--no-first-run",
        ])
        .arg(format!("--user-data-dir={}", folder.path().join("profile").display()))
        .arg(format!("--blink-settings=preferredColorScheme={scheme}"))
        .arg(format!("--window-size={width},1600"))
        .arg(format!("--screenshot={}", picture.display()))
        .arg(serve(RUN.run(), sent))
        .output()
        .unwrap();
    assert!(picture.is_file(), "{}", String::from_utf8_lossy(&output.stderr));
    // For people to look at: BURGEON_TEST_PICTURES=DIR keeps them.
    if let Some(keep) = std::env::var_os("BURGEON_TEST_PICTURES") {
        let name = match sent {
            Sent::Plainly => "plain",
            Sent::UnderThePolicy => "policy",
            Sent::WithoutTheStyleSheet => "alone",
        };
        let name = format!("{name}-{width}-{scheme}.png");
        std::fs::copy(&picture, Path::new(&keep).join(name)).unwrap();
    }
    image::open(picture).unwrap().to_rgb8()
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
