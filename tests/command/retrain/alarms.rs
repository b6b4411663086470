//! Alarms are told by mail.

use super::*;
use crate::smtp::{Reaction, Step};

#[test]
fn an_alarm_and_its_end_are_told_once_while_no_answer_waits_and_a_kill_loses_neither() {
    let bench = registry();
    let mail = SmtpServer::start();
    mail.react_at(Step::Greeting, Reaction::Hang);
    tell(&bench, &mail);
    let server = Server::of(&bench);
    let turned = rotated(7, 200);
    server.show(&turned);
    server.until_alarm();
    // Its message is on disk, and the mail server is silent: predictions go on.
    let began = Instant::now();
    while mail.connections() == 0 {
        assert!(began.elapsed() < Duration::from_secs(30));
        server.classify(&turned[..1]);
    }
    assert!((0..20).all(|_| server.classify(&turned[..1]).1 == "1"));
    drop(server);
    assert_eq!(mail.deliveries(), []);
    let waits = bench.burgeon(&["notify", "registry", "--json"]);
    expect_code(&waits, 0);
    let waiting: Value = serde_json::from_str(&stdout(&waits)).unwrap();
    assert_eq!(waiting[0]["title"], "digits drift alarm", "{waiting}");
    mail.accept();
    let server = Server::of(&bench);
    let told = mails(&mail, 1);
    assert_eq!(told[0].header("Message-ID"), waiting[0]["id"]);
    assert_eq!(told[0].header("Subject"), "[burgeon] digits drift alarm");
    let [text, html] = bodies(&told[0]);
    for part in [
        "images that version 1 is asked about",
        "Kolmogorov-Smirnov, p",
        "counts from 0.05",
        "suspicious",
        "level",
        "50 images, 20",
        "POST /feedback",
        "/registry",
    ] {
        assert!(text.contains(part) && html.contains(part), "{part}: {text}");
    }
    // What it was accepted on comes again: over, once; and what drifts again is another alarm.
    let request = DataRequest { train: Some(400), ..DataRequest::synthetic(3) };
    let digits = load(&request, &mut |_| {}).unwrap().dataset.train;
    let digit = |at: usize| (digits.image(at).to_vec(), digits.label(at).to_string());
    server.show(&(0..400).map(digit).collect::<Vec<Digit>>());
    let told = mails(&mail, 2);
    assert_eq!(told[1].header("Subject"), "[burgeon] digits drift alarm over");
    assert!(bodies(&told[1])[0].contains("resemble those that it was accepted on"));
    server.show(&turned);
    let told = mails(&mail, 3);
    assert_eq!(told[2].header("Subject"), "[burgeon] digits drift alarm");
    let ids: std::collections::BTreeSet<String> =
        told.iter().map(|mail| mail.header("Message-ID")).collect();
    assert_eq!(ids.len(), 3);
}
