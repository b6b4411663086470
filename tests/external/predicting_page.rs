//! The page of the predicting server in Chromium: log in, draw, drop, promote, see the alarm; under its own policy.

use std::io::{Read, Write};
use std::net::TcpStream;

use serde_json::json;

use crate::browser::{Browser, Running};
use crate::report_page::CHROMIUM;
use crate::skipping::{Group, tests};
use crate::support::{Bench, expect_code, listening};

const TOKEN: &str = "a token that may change";

pub fn group() -> Group {
    Group {
        name: "predicting_page",
        missing: CHROMIUM
            .is_none()
            .then(|| "there is no Chromium here (apt-get install chromium)".into()),
        tests: tests![a_person_draws_drops_promotes_and_sees_the_alarm],
    }
}

/// A registry with two versions, and a server of it; its address.
fn server() -> (Bench, Running, String) {
    let study = |seed: u32| {
        format!(
            "name = \"digits\"\n[data]\nsource = \"synthetic\"\ntrain = 1200\nvalidation = 200\n[model]\nlayers = [{{ dense = {{ units = 32 }} }}]\n\
             [train]\nepochs = {}\nseed = {seed}\n[gate]\naccuracy = 0.3\n",
            2 + 3 * seed
        )
    };
    let bench = Bench::with_study(&study(1));
    for (seed, run) in [(1, "runs/digits-0001"), (2, "runs/digits-0002")] {
        std::fs::write(bench.study(), study(seed)).unwrap();
        expect_code(&bench.burgeon(&["train", "study.toml"]), 0);
        expect_code(&bench.burgeon(&["registry", "add", run]), 0);
    }
    expect_code(&bench.burgeon(&["registry", "promote", "production", "1", "--force"]), 0);
    std::fs::write(bench.path().join("token"), TOKEN).unwrap();
    let serve = ["serve", "--registry", "registry", "--listen", "127.0.0.1:0", "--window", "20"];
    let (server, address) =
        listening(bench.command(&serve).args(["--change-token-file", "token", "--log", "error"]));
    (bench, Running(server), address)
}

/// Has images classified whose pixels are from 0 to 255 instead of from 0 to 1.
fn send_faulty(address: &str, images: usize) {
    let pixels: Vec<u32> = (0..images as u32 * 784).map(|at| at * 7919 % 256).collect();
    let input = json!({ "name": "images", "shape": [images, 1, 28, 28], "datatype": "FP32", "data": pixels });
    let body = json!({ "inputs": [input] }).to_string();
    let host = address.trim_start_matches("http://");
    let mut stream = TcpStream::connect(host).unwrap();
    let head = format!(
        "POST /v2/models/digits/infer HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {TOKEN}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all((head + &body).as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

/// The place of an element on the screen.
fn place(browser: &mut Browser, id: &str) -> [f64; 2] {
    browser.value(&format!("document.getElementById('{id}').scrollIntoView()"));
    let corner = format!(
        "(() => {{ const box = document.getElementById('{id}').getBoundingClientRect(); return [box.left, box.top]; }})()"
    );
    let corner = browser.value(&corner);
    [0, 1].map(|at| corner[at].as_f64().unwrap())
}

/// Draws a stroke from the top to the bottom of the pad.
fn draw(browser: &mut Browser) {
    browser.value("document.getElementById('answer').textContent = ''");
    let [left, top] = place(browser, "pad");
    for (kind, buttons, y) in [
        ("mousePressed", 1, 50.0),
        ("mouseMoved", 1, 120.0),
        ("mouseMoved", 1, 220.0),
        ("mouseReleased", 0, 220.0),
    ] {
        let event = json!({ "type": kind, "x": left + 140.0, "y": top + y, "button": "left", "buttons": buttons, "clickCount": 1 });
        browser.call("Input.dispatchMouseEvent", event);
    }
}

const ANSWER: &str = "document.getElementById('answer').textContent";
const SERVING: &str = "document.getElementById('decided').textContent";

fn a_person_draws_drops_promotes_and_sees_the_alarm() {
    let (bench, _server, address) = server();
    let mut browser = Browser::start(bench.path());
    browser.resize(1280);
    browser.open(&address);
    browser.wait_for("!document.getElementById('log-in').hidden");
    assert_eq!(browser.value("document.getElementById('versions').hidden"), true);
    browser.value("document.getElementById('log-in').click()");
    browser.wait_for("location.pathname === '/login' && !!document.getElementById('token')");
    browser.picture("login");
    browser.value(&format!("document.getElementById('token').value = '{TOKEN}'; document.querySelector('form button').click()"));
    browser.wait_for("location.pathname === '/' && !document.getElementById('versions')?.hidden");
    assert_eq!(browser.value("document.cookie"), "", "no script sees the cookie");

    draw(&mut browser);
    browser.wait_for(&format!("{ANSWER}.includes('by version 1')"));
    assert_eq!(browser.value("document.querySelectorAll('#bars progress').length"), 10);
    let drawn = browser.value("document.getElementById('pad').toDataURL()");

    // By keyboard alone: the pen goes down, is moved, and comes up.
    browser
        .value("document.getElementById('clear').click(); document.getElementById('pad').focus()");
    browser.value(&format!("{ANSWER} = ''"));
    browser.press(" ", 32);
    (0..8).for_each(|_| browser.press("ArrowUp", 38));
    browser.press(" ", 32);
    browser.wait_for(&format!("{ANSWER}.includes('by version 1')"));

    // A picture of what was drawn before is dropped on the pad, which then shows it.
    let file = bench.path().join("dropped.png");
    image::GrayImage::from_fn(60, 60, |x, y| {
        image::Luma([if (25..35).contains(&x) && (8..52).contains(&y) { 0 } else { 255 }])
    })
    .save(&file)
    .unwrap();
    browser.value(&format!("{ANSWER} = ''"));
    let [left, top] = place(&mut browser, "pad");
    for kind in ["dragEnter", "dragOver", "drop"] {
        let data = json!({ "items": [], "files": [file], "dragOperationsMask": 1 });
        let event = json!({ "type": kind, "x": left + 99.0, "y": top + 99.0, "data": data });
        browser.call("Input.dispatchDragEvent", event);
    }
    browser.wait_for(&format!("{ANSWER}.includes('by version 1')"));
    assert_ne!(browser.value("document.getElementById('pad').toDataURL()"), drawn);
    browser.value("document.getElementById('correct').requestSubmit()");
    browser.wait_for("document.getElementById('told').textContent === 'Recorded.'");

    // Judged first; with so few held-out images, refused or not is a matter of chance, and both are shown.
    browser.value("document.querySelector('[aria-label=\"Promote version 2\"]').click()");
    browser.wait_for(&format!("{SERVING} !== ''"));
    if browser.value(&format!("{SERVING}.startsWith('Refused')")) == true {
        browser.picture("refused");
        browser.value("document.querySelector('#decided button').click()");
    }
    browser.wait_for(&format!("{SERVING} === 'production is now version 2.'"));
    browser.wait_for("document.getElementById('watch').textContent.includes('version 2')");
    draw(&mut browser);
    browser.wait_for(&format!("{ANSWER}.includes('by version 2')"));

    assert_eq!(browser.value("document.getElementById('alarm').hidden"), true);
    for _ in 0..3 {
        send_faulty(&address, 20);
    }
    browser.wait_for("!document.getElementById('alarm').hidden");
    browser.wait_for("document.querySelectorAll('#charts svg').length === 6");
    let alarm = browser.value("document.getElementById('alarm').textContent");
    assert!(alarm.as_str().unwrap().contains("above the range"), "{alarm}");
    assert_ne!(browser.value("document.querySelectorAll('.alarmed, tr.is-suspicious').length"), 0);

    // What is chosen is in the address.
    browser.value("const m = document.getElementById('measure'); m.value = 'p'; m.dispatchEvent(new Event('change'))");
    browser.value("document.getElementById('window').focus()");
    browser.press("ArrowLeft", 37);
    let search = browser.value("location.search");
    assert_eq!(search, "?measure=p&window=2");
    browser.open(&format!("{address}/{}", search.as_str().unwrap()));
    browser.wait_for("document.getElementById('number').textContent.startsWith('2 of')");
    assert_eq!(browser.value("document.getElementById('measure').value"), "p");

    let mut reached = Vec::new();
    for _ in 0..40 {
        browser.press("Tab", 9);
        let id = browser.value("document.activeElement.id || document.activeElement.className || document.activeElement.textContent");
        reached.push(id.as_str().unwrap_or_default().to_owned());
    }
    for id in ["skip", "pad", "clear", "file", "measure", "window", "rollback"] {
        assert!(reached.iter().any(|found| found == id), "{id} is not reached: {reached:?}");
    }
    for width in [390, 1280] {
        browser.resize(width);
        browser.open(&address);
        browser.wait_for("document.querySelectorAll('#charts svg').length === 6");
        let wide = browser.value("document.documentElement.scrollWidth");
        assert!(wide.as_u64().unwrap() <= width, "at {width}: {wide}");
        browser.picture(&format!("predictions-{width}"));
    }

    browser.value("document.getElementById('rollback').click()");
    browser.wait_for(&format!("{SERVING} === 'production is now version 1.'"));
    browser.value("document.querySelector('#log-out button').click()");
    browser.wait_for("location.pathname === '/login'");
    browser.open(&address);
    browser.wait_for("!document.getElementById('log-in').hidden");
    // A refusal is an answer with a status of its own, of which Chromium's console tells.
    browser.complaints.retain(|text| !text.contains("status of 409"));
    assert_eq!(browser.complaints, Vec::<String>::new());
}
