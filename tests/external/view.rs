//! The pages of the service in Chromium: kept fresh by their script, changed by their forms, under their own policy.

use std::fs;
use std::io::{Read, Write};
use std::process::{Command, Stdio};

use serde_json::json;
use tempfile::TempDir;

use crate::browser::{Browser, Running};
use crate::report_page::CHROMIUM;
use crate::skipping::{Group, tests};
use crate::support::listening;

const BURGEON: &str = env!("CARGO_BIN_EXE_burgeon");

/// A study on the built-in digits that is over within seconds.
const STUDY: &str = "name = \"pushed\"\n[data]\nsource = \"synthetic\"\ntrain = 600\nvalidation = 200\n\
     [model]\nlayers = [{ dense = { units = 32 } }]\n[train]\nepochs = 2\n[gate]\naccuracy = 0.3\n[tune]\ntrials = 1\n";

pub fn group() -> Group {
    Group {
        name: "view",
        missing: CHROMIUM
            .is_none()
            .then(|| "there is no Chromium here (apt-get install chromium)".into()),
        tests: tests![pages_stay_fresh_and_their_forms_work],
    }
}

/// A repository with one commit, and a service that builds it; its address.
fn service(folder: &TempDir) -> (Running, String) {
    let at = |name: &str| folder.path().join(name);
    fs::create_dir(at("digits")).unwrap();
    fs::write(at("digits/study.toml"), STUDY).unwrap();
    for arguments in [
        &["init", "--quiet", "--initial-branch", "main"][..],
        &["add", "--all"],
        &["commit", "--quiet", "--message", "<b>the first</b>"],
    ] {
        let git = Command::new("git")
            .args(["-c", "user.name=Ann", "-c", "user.email=ann@example.org"])
            .args(arguments)
            .current_dir(at("digits"))
            .status();
        assert!(git.unwrap().success());
    }
    let config = at("server.toml");
    let text = format!(
        "listen = \"127.0.0.1:0\"\n[[repository]]\nname = \"digits\"\nurl = {:?}\npoll-seconds = 0\n",
        at("digits")
    );
    fs::write(&config, text).unwrap();
    let mut command = Command::new(BURGEON);
    let (service, address) =
        listening(command.args(["serve", "--config"]).arg(&config).stderr(Stdio::null()));
    (Running(service), address)
}

fn pages_stay_fresh_and_their_forms_work() {
    let folder = TempDir::new().unwrap();
    let (_service, address) = service(&folder);
    let mut browser = Browser::start(folder.path());

    browser.open(&format!("{address}/repositories/digits"));
    browser.value("[...document.querySelectorAll('button')].find(b => b.textContent.startsWith('Build the newest')).click()");
    browser.wait_for("location.pathname === '/builds/1' && !!document.querySelector('.badge')");
    // The page itself changes: were it loaded again, it would forget this.
    browser.value("window.isTheSame = true");
    browser.wait_for("document.querySelector('.badge').textContent === 'accepted'");
    browser.wait_for("document.getElementById('log').textContent.includes('validation accuracy')");
    assert_eq!(browser.value("window.isTheSame"), true);
    browser.wait_for(
        "!!document.querySelector('#trials svg') && !!document.querySelector('#files a')",
    );
    let row = "document.getElementById('trials').closest('#stages li').querySelector('strong').textContent";
    assert_eq!(
        browser.value(row),
        "train",
        "the trials stand in the row of the stage that trains them"
    );
    assert_eq!(browser.value("document.querySelector('.message').textContent"), "<b>the first</b>");

    browser.open(&address);
    browser.value("window.isTheSame = true");
    let again = request(&address, "POST /api/builds/1/retry");
    assert!(again.starts_with("HTTP/1.1 202"), "{again}");
    browser.wait_for("document.querySelectorAll('#builds tbody tr').length === 2");
    browser.wait_for("document.querySelector('#build-2 .badge').textContent === 'accepted'");
    assert_eq!(browser.value("window.isTheSame"), true);

    // The first thing that a keyboard reaches leads past the links at the top.
    let tab = json!({ "type": "keyDown", "key": "Tab", "code": "Tab", "windowsVirtualKeyCode": 9 });
    browser.open(&address);
    browser.call("Input.dispatchKeyEvent", tab);
    assert_eq!(browser.value("document.activeElement.className"), "skip");
    let outline = browser.value("getComputedStyle(document.activeElement).outlineStyle");
    assert_eq!(outline, "solid", "what has the focus is seen");

    for width in [390, 1280] {
        let screen =
            json!({ "width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600 });
        browser.call("Emulation.setDeviceMetricsOverride", screen);
        for path in ["/", "/builds/1", "/repositories/digits", "/deliveries"] {
            browser.open(&format!("{address}{path}"));
            let wide = browser.value("document.documentElement.scrollWidth");
            assert!(wide.as_u64().unwrap() <= width, "{path} at {width}: {wide}");
        }
    }
    assert_eq!(browser.complaints, Vec::<String>::new());
}

/// Makes a request without a body, and returns the answer.
fn request(address: &str, line: &str) -> String {
    let host = address.trim_start_matches("http://");
    let mut stream = std::net::TcpStream::connect(host).unwrap();
    let request = format!(
        "{line} HTTP/1.1\r\nHost: {host}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}
