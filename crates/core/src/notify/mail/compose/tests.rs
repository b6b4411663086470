//! Tests of `notify::mail::compose`.

use super::*;
use crate::notify::announcement::{AnnouncementKind, one_line};
use crate::report::Figures;
use crate::spec::MailSecurity;
use crate::sys::CounterRng;

fn announcement(study: &str) -> Announcement {
    Announcement {
        key: "finished-0".into(),
        origin: b"a run".to_vec(),
        what: AnnouncementKind::Accepted,
        at: "2026-01-02T03:04:05Z".parse().unwrap(),
        study: study.into(),
        run: "runs/a-0001".into(),
        sentence: ".\r\nQUIT\r\n.hidden\nbare\rcr".into(),
        rows: vec![("trials".into(), "1".into())],
        figures: Figures {
            best_trial: Some(1),
            validation_accuracy: Some(0.98),
            test_accuracy: None,
            parameters: Some(10),
            trials: 1,
            seconds: 1.0,
        },
        measured: "on validation images".into(),
        threshold: Some(0.8),
        curves: vec![vec![0.5, 0.98]],
        page: Some("<p>.\r\n.\r\n</p>".into()),
        lists: Vec::new(),
        programs: Vec::new(),
    }
}

#[test]
fn lists_are_told_and_programs_are_attached_as_they_are() {
    let message = Announcement {
        lists: vec![("What was changed".into(), vec!["trial 2: <b> & more".into()])],
        programs: vec![("model.py".into(), "import os\n\n.\nprint('ö')\n".into())],
        ..announcement("s")
    };
    let message = compose(&message, &one_to("a@example.org", "b@example.org")).unwrap();
    only_its_own(&message);
    let text = String::from_utf8(message).unwrap();
    let bodies: Vec<(&str, Vec<u8>)> = text
        .split("\r\n--burgeon-")
        .filter_map(|part| part.split_once("\r\n\r\n"))
        .filter_map(|(head, body)| {
            use base64::Engine;
            let body: String = body.split_whitespace().collect();
            let bytes = base64::engine::general_purpose::STANDARD.decode(body).ok()?;
            Some((head, bytes))
        })
        .collect();
    let of = |kind: &str| {
        let found = bodies.iter().find(|(head, _)| head.contains(kind)).unwrap();
        String::from_utf8(found.1.clone()).unwrap()
    };
    assert_eq!(of("text/x-python"), "import os\n\n.\nprint('ö')\n");
    assert!(of("text/plain").contains("What was changed:\r\n- trial 2: <b> & more"));
    assert!(
        of("text/html").contains("<li>trial 2: &lt;b&gt; &amp; more</li>"),
        "{}",
        of("text/html")
    );
}

fn mail(to: &[String], from: &str) -> MailSpec {
    MailSpec {
        to: to.to_vec(),
        from: from.into(),
        server: "localhost".into(),
        port: None,
        security: MailSecurity::None,
        user: None,
        password_file: None,
        password_variable: None,
        ca_file: None,
    }
}

fn one_to(to: &str, from: &str) -> MailSpec {
    mail(&[to.into()], from)
}

/// The headers of the whole message, in order, unfolded.
fn headers(message: &[u8]) -> Vec<(String, String)> {
    let text = std::str::from_utf8(message).unwrap();
    let head = text.split("\r\n\r\n").next().unwrap();
    let mut headers: Vec<(String, String)> = Vec::new();
    for line in head.split("\r\n") {
        match line.strip_prefix([' ', '\t']) {
            Some(more) => headers.last_mut().unwrap().1 += more,
            None => {
                let (name, value) = line.split_once(": ").unwrap();
                headers.push((name.into(), value.into()));
            }
        }
    }
    headers
}

const HEADERS: [&str; 9] = [
    "Auto-Submitted",
    "Content-Type",
    "Date",
    "From",
    "MIME-Version",
    "Message-ID",
    "Subject",
    "To",
    "X-Burgeon-Event",
];

fn only_its_own(message: &[u8]) {
    assert!(is_sendable(message));
    let headers = headers(message);
    let mut names: Vec<&str> = headers.iter().map(|(name, _)| name.as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, HEADERS, "{headers:?}");
}

/// Letters that have a meaning in headers, commands, encodings or terminals, and words of them.
const PIECES: [&str; 40] = [
    "a",
    "Bcc: x@evil.org",
    "\r\n",
    "\n",
    "\r",
    "\0",
    "\u{85}",
    "\u{2028}",
    "\u{2029}",
    "\u{b}",
    "@",
    "<",
    ">",
    ",",
    ";",
    ":",
    "\"",
    "\\",
    "(",
    ")",
    "[",
    "]",
    " ",
    "\t",
    ".",
    "\r\n.\r\n",
    "=?utf-8?q?=0d=0aBcc:_x@evil.org?=",
    "%0d%0a",
    "é",
    "日本",
    "\u{202e}",
    "🌱",
    "-",
    "_",
    "ann",
    "example.org",
    "RCPT TO:<x@evil.org>",
    "\u{1b}[2J",
    "=",
    "?=",
];

fn text(rng: &mut CounterRng) -> String {
    let pieces = (0..=rng.below(12)).map(|_| PIECES[rng.below(PIECES.len() as u32) as usize]);
    let text: String = pieces.collect();
    // Half of them without control characters, which alone would be a reason to refuse them.
    if rng.below(2) == 0 { text } else { one_line(&text, 200) }
}

#[test]
fn no_text_becomes_a_header_of_its_own() {
    let mut rng = CounterRng::new(7);
    let (mut composed, mut refused) = (0, 0);
    for _ in 0..10_000 {
        let study = text(&mut rng);
        // An address that can be used, and a name or an address that perhaps cannot.
        let named = format!("{} <ann@example.org>", text(&mut rng));
        let wild = format!("{}@{}", text(&mut rng), text(&mut rng));
        let mail = match rng.below(4) {
            0 => mail(&[wild], "b@example.org"),
            1 => mail(&["ann@example.org".into()], &named),
            _ => mail(&[named, "bob@example.org".into()], "b@example.org"),
        };
        match compose_with(&announcement(&study), &mail, Some(vec![0])) {
            Ok(message) => {
                only_its_own(&message);
                composed += 1;
            }
            Err(MessageError::Address { .. } | MessageError::Subject { .. }) => refused += 1,
            Err(error) => panic!("{study:?} {mail:?}: {error}"),
        }
        // What comes from a run is cleaned, so that nobody is left untold.
        let plain = one_to("ann@example.org", "b@example.org");
        let cleaned = announcement(&one_line(&study, 200));
        only_its_own(&compose_with(&cleaned, &plain, Some(vec![0])).unwrap());
    }
    assert!(composed > 500 && refused > 500, "{composed} {refused}");
}

#[test]
fn a_name_arrives_as_a_name_and_the_address_stays_what_it_is() {
    for name in ["Ann, Lee", "\"Ann\" (x) <y@evil.org>", "Änn; bcc:z", "ann@evil.org"] {
        let mail = mail(&[format!("{name} <ann@example.org>")], "b@example.org");
        let message = compose(&announcement("s"), &mail).unwrap();
        let headers = headers(&message);
        let to = &headers.iter().find(|(name, _)| name == "To").unwrap().1;
        assert!(to.ends_with("<ann@example.org>"), "{to}");
        // Addresses are separated by commas, but for those in quotes.
        let outside: String = to.split('"').step_by(2).collect();
        assert!(!outside.contains(',') && outside.matches('@').count() == 1, "{to}");
    }
}

#[test]
fn the_same_event_gives_the_same_bytes_and_another_one_another_identifier() {
    let mail = mail(&["ann@example.org".into()], "b@example.org");
    let first = compose(&announcement("s"), &mail).unwrap();
    assert_eq!(first, compose(&announcement("s"), &mail).unwrap());
    let id = |announcement: &Announcement| message_id(announcement, &mail).unwrap();
    let other = Announcement { key: "finished-1".into(), ..announcement("s") };
    assert_ne!(id(&announcement("s")), id(&other));
    let elsewhere = Announcement { origin: b"another run".to_vec(), ..announcement("s") };
    assert_ne!(id(&announcement("s")), id(&elsewhere));
    assert!(id(&other).ends_with("@example.org>"), "{}", id(&other));
}

#[test]
fn what_servers_understand_differently_is_not_sendable() {
    assert!(is_sendable(b"A: b\r\n\r\ntext\r\n"));
    let long = [b"a".repeat(999), b"\r\n".to_vec()].concat();
    let wrong: [&[u8]; 9] = [
        b"",
        b"text",
        b"a\nb\r\n",
        b"a\rb\r\n",
        b"a\r\n.\r\n",
        b".\r\n",
        b"a\0\r\n",
        b"a\xff\r\n",
        &long,
    ];
    for wrong in wrong {
        assert!(!is_sendable(wrong), "{:?}", String::from_utf8_lossy(wrong));
    }
}
