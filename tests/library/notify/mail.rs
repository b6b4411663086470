//! Mail, and a server that does at each step what it should or should not.

use std::fs;
use std::time::Duration;

use burgeon::unstable::notify::{Existing, Flush, MessageState, Messages};

use super::{Run, announcement};
use crate::smtp::{Reaction, SmtpServer, Step};

const STEPS: [Step; 8] = [
    Step::Greeting,
    Step::Hello,
    Step::Login,
    Step::From,
    Step::To,
    Step::Data,
    Step::Content,
    Step::Quit,
];

fn settings(server: &SmtpServer, more: &str) -> String {
    format!(
        "mail = {{ to = [\"Ann Lee <ann@example.org>\"], from = \"burgeon@example.org\", \
         server = \"127.0.0.1\", port = {}, {more} }}",
        server.port
    )
}

fn plain(server: &SmtpServer) -> Run {
    Run::new(&settings(server, "security = \"none\""))
}

/// With a login, so that every step is taken.
fn with_login(server: &SmtpServer) -> (Run, tempfile::NamedTempFile) {
    let password = tempfile::NamedTempFile::new().unwrap();
    fs::write(password.path(), "canary-7\n").unwrap();
    let login = format!("user = \"ann\", password-file = {:?}", password.path());
    (Run::new(&settings(server, &format!("security = \"none\", {login}"))), password)
}

#[test]
fn a_message_is_on_disk_before_anything_is_tried_and_gone_once_it_is_sent() {
    let server = SmtpServer::start();
    let run = plain(&server);
    run.queue();
    assert_eq!(server.connections(), 0);
    assert_eq!(run.states(), [MessageState::Waiting]);
    let stored = fs::read_to_string(run.outbox().folder().join("finished-0.mail-0.eml")).unwrap();
    assert!(run.send().is_all_sent());
    let [delivery] = &server.deliveries()[..] else { panic!("{:?}", server.deliveries()) };
    assert_eq!(delivery.data, stored);
    assert_eq!(
        (delivery.from.as_str(), &delivery.to[..]),
        ("burgeon@example.org", &["ann@example.org".to_owned()][..])
    );
    assert_eq!(
        delivery.header("Subject"),
        "[burgeon] seedling rejected: 70.00 % on validation images"
    );
    assert_eq!(run.states(), [MessageState::Sent]);
    assert!(!run.kept().contains("Content-Type"), "the content takes room for ever");
    // Told once is told.
    run.queue();
    assert!(run.send().sent.is_empty());
    assert_eq!(server.deliveries().len(), 1);
}

#[test]
fn whatever_goes_wrong_at_whatever_step_the_message_arrives_once_the_server_is_well() {
    let later = [
        Reaction::Answer("451 try again".into()),
        Reaction::Close,
        Reaction::Hang,
        Reaction::Drip,
        Reaction::Answer("nonsense".into()),
    ];
    for step in STEPS {
        for reaction in &later {
            let server = SmtpServer::start();
            let (run, _password) = with_login(&server);
            run.queue();
            server.react_at(step, reaction.clone());
            let flushed = run.send_within(Duration::from_millis(700));
            let what = format!("{reaction:?} at {step:?}: {flushed:?}");
            // A farewell that fails is no failure: the message was taken over before.
            let is_farewell = step == Step::Quit;
            assert_eq!(flushed.is_all_sent(), is_farewell, "{what}");
            assert_eq!(flushed.parked, [], "{what}");
            if is_farewell {
                continue;
            }
            let [waiting] = &flushed.waiting[..] else { panic!("{what}") };
            assert!(waiting.next_at.is_some() && waiting.error.is_some(), "{what}");
            // Not tried again before its time.
            let connections = server.connections();
            let due = Flush::new(Messages::Due).run(&run.outbox(), &mut || true).unwrap();
            assert_eq!((due.waiting.len(), server.connections()), (1, connections), "{what}");
            server.accept();
            assert!(run.send().is_all_sent(), "{what}");
            let deliveries = server.deliveries();
            assert_eq!(deliveries.len(), 1, "{what}");
            assert_eq!(deliveries[0].header("Message-ID"), run.messages()[0].id, "{what}");
        }
    }
}

#[test]
fn what_is_refused_for_good_is_parked_and_sent_on_request_alone() {
    for step in [Step::Greeting, Step::Login, Step::From, Step::To, Step::Data, Step::Content] {
        let server = SmtpServer::start();
        let (run, _password) = with_login(&server);
        run.queue();
        server.react_at(step, Reaction::Answer("550 never".into()));
        let flushed = run.send();
        let [parked] = &flushed.parked[..] else { panic!("{step:?}: {flushed:?}") };
        assert!(parked.error.as_ref().unwrap().contains("never"), "{step:?}: {parked}");
        assert!(parked.to_string().contains("parked after 1 try"), "{parked}");
        server.accept();
        assert_eq!(run.send().parked.len(), 1, "{step:?}");
        assert_eq!(server.deliveries(), [], "{step:?}");
        let asked = Flush::new(Messages::Parked).run(&run.outbox(), &mut || true).unwrap();
        assert!(asked.is_all_sent(), "{step:?}: {asked:?}");
        assert_eq!(server.deliveries().len(), 1, "{step:?}");
    }
}

#[test]
fn a_server_that_took_it_over_but_could_not_say_so_gets_it_again_under_the_same_identifier() {
    let server = SmtpServer::start();
    let run = plain(&server);
    run.queue();
    // Taken over, and the answer lost with the connection: nobody can know.
    server.react(|connection, step, _| match (connection, step) {
        (0, Step::Content) => Reaction::Hang,
        _ => Reaction::Proceed,
    });
    assert_eq!(run.send_within(Duration::from_millis(500)).waiting.len(), 1);
    assert!(run.send().is_all_sent());
    let id = server.deliveries()[0].header("Message-ID");
    assert_eq!(id, run.messages()[0].id);
}

#[test]
fn delays_grow_from_try_to_try() {
    let server = SmtpServer::start();
    let run = plain(&server);
    run.queue();
    server.react_at(Step::Greeting, Reaction::Answer("421 busy".into()));
    let mut before = None;
    for attempts in 1..=6_u32 {
        let flushed = run.send();
        let message = &flushed.waiting[0];
        assert_eq!(message.attempts, attempts);
        // Each delay is at least 1.2 times the last one: doubled, give or take a quarter.
        assert!(message.next_at > before, "{message:?} {before:?}");
        before = message.next_at;
    }
}

#[test]
fn a_server_without_encryption_gets_neither_login_nor_message() {
    let server = SmtpServer::start();
    let password = tempfile::NamedTempFile::new().unwrap();
    fs::write(password.path(), "canary-7\n").unwrap();
    let login = format!("user = \"ann\", password-file = {:?}", password.path());
    let run = Run::new(&settings(&server, &login));
    run.queue();
    let flushed = run.send();
    let why = flushed.waiting[0].error.as_ref().unwrap();
    assert!(why.contains("STARTTLS"), "{why}");
    let said = server.commands();
    assert!(said.iter().all(|line| line.starts_with("EHLO ") || line == "QUIT"), "{said:?}");
    assert_eq!(server.deliveries(), []);
    // And one that only pretends to speak TLS.
    let run = Run::new(&settings(&server, &format!("security = \"tls\", {login}")));
    run.queue();
    assert_eq!(run.send_within(Duration::from_millis(700)).waiting.len(), 1);
    assert!(server.commands().iter().all(|line| !line.contains("canary")));
}

#[test]
fn one_address_that_is_refused_keeps_no_other_from_its_mail() {
    let server = SmtpServer::start();
    let to = "to = [\"gone@example.org\", \"ann@example.org\", \"bob@example.org\"]";
    let text = settings(&server, "security = \"none\"")
        .replace("to = [\"Ann Lee <ann@example.org>\"]", to);
    let run = Run::new(&text);
    run.queue();
    server.react(|_, step, said| match step {
        Step::To if said.contains("gone@") => Reaction::Answer("550 no such user".into()),
        _ => Reaction::Proceed,
    });
    let flushed = run.send();
    assert_eq!((flushed.sent.len(), flushed.parked.len()), (2, 1), "{flushed:?}");
    let deliveries = server.deliveries();
    let to: Vec<_> = deliveries.iter().map(|delivery| delivery.to.concat()).collect();
    assert_eq!(to, ["ann@example.org", "bob@example.org"]);
    assert_eq!(deliveries[0].data, deliveries[1].data);
}

#[test]
fn a_password_that_a_server_sends_back_is_not_kept() {
    let server = SmtpServer::start();
    let (run, _password) = with_login(&server);
    run.queue();
    server.react(|_, step, said| match step {
        Step::Login => {
            Reaction::Answer(format!("535 no {said} canary-7 \u{1b}[31m{}", "x".repeat(900)))
        }
        _ => Reaction::Proceed,
    });
    let flushed = run.send();
    let shown = format!("{flushed:?} {} {}", flushed.parked[0], run.kept());
    // base64 of \0ann\0canary-7
    for secret in ["canary-7", "AGFubgBjYW5hcnktNw", "Y2FuYXJ5LTc"] {
        assert!(!shown.contains(secret), "{shown}");
    }
    assert!(!shown.contains('\u{1b}') && flushed.parked[0].error.as_ref().unwrap().len() < 400);
    assert!(server.commands().concat().contains("AGFubgBjYW5hcnktNw"), "it was used");
}

#[test]
fn a_missing_password_is_waited_for() {
    let server = SmtpServer::start();
    let (run, password) = with_login(&server);
    run.queue();
    let path = password.path().to_path_buf();
    drop(password);
    let flushed = run.send();
    let why = flushed.waiting[0].error.clone().unwrap();
    assert!(why.contains("password") && why.contains(&*path.to_string_lossy()), "{why}");
    assert_eq!(server.connections(), 0);
    fs::write(&path, "canary-7").unwrap();
    assert!(run.send().is_all_sent());
    fs::remove_file(path).unwrap();
}

#[test]
fn other_settings_make_the_message_anew_unless_it_is_sent() {
    let (wrong, right) = (SmtpServer::start(), SmtpServer::start());
    wrong.react_at(Step::From, Reaction::Answer("550 never".into()));
    let run = plain(&wrong);
    run.queue();
    assert_eq!(run.send().parked.len(), 1);
    let notify = plain(&right).notify.clone();
    run.outbox().queue(&announcement(), &notify, Existing::Keep).unwrap();
    assert_eq!(run.states(), [MessageState::Parked]);
    run.outbox().queue(&announcement(), &notify, Existing::Adapt).unwrap();
    assert!(run.send().is_all_sent());
    assert_eq!(right.deliveries().len(), 1);
    run.outbox().queue(&announcement(), &run.notify, Existing::Adapt).unwrap();
    assert_eq!(run.states(), [MessageState::Sent]);
}

#[test]
fn damage_on_disk_is_shown_and_nothing_damaged_is_sent() {
    let server = SmtpServer::start();
    let run = plain(&server);
    run.queue();
    let content = run.outbox().folder().join("finished-0.mail-0.eml");
    let mut bytes = fs::read(&content).unwrap();
    bytes.extend(b"\r\n.\r\nMAIL FROM:<x@evil.org>\r\n");
    fs::write(&content, bytes).unwrap();
    let flushed = run.send();
    assert!(flushed.parked[0].error.as_ref().unwrap().contains("not what was written"));
    assert_eq!(server.connections(), 0);
    fs::write(run.outbox().folder().join("finished-0.mail-0.entry.json"), "{").unwrap();
    assert_eq!(run.states(), [MessageState::Damaged]);
    assert_eq!(run.send().parked.len(), 1);
    // Made again from the record, it is as good as new.
    run.queue();
    assert!(run.send().is_all_sent());
}

#[test]
fn who_is_asked_to_stop_stops_and_leaves_the_message_as_it_was() {
    let server = SmtpServer::start();
    let run = plain(&server);
    run.queue();
    server.react_at(Step::Greeting, Reaction::Hang);
    let before = run.messages();
    let mut asked = 0;
    let mut keep_going = || {
        asked += 1;
        asked < 6
    };
    Flush::new(Messages::Due).run(&run.outbox(), &mut keep_going).unwrap();
    assert_eq!(run.messages(), before);
    assert_eq!(asked, 6);
}

#[test]
fn a_message_that_no_server_takes_for_five_days_is_parked_and_shown() {
    let server = SmtpServer::start();
    let run = plain(&server);
    run.queue();
    server.react_at(Step::Greeting, Reaction::Answer("421 busy".into()));
    let path = run.outbox().folder().join("finished-0.mail-0.entry.json");
    let mut entry: serde_json::Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    entry["queued_at"] = "2020-01-01T00:00:00Z".into();
    fs::write(&path, entry.to_string()).unwrap();
    // A run that nobody has flushed for long is tried a few times all the same.
    for _ in 0..4 {
        run.send();
        assert_eq!(run.states(), [MessageState::Waiting]);
    }
    run.send();
    let [message] = &run.messages()[..] else { panic!() };
    assert_eq!((message.state, message.attempts), (MessageState::Parked, 5));
    let shown = message.to_string();
    assert!(shown.contains("parked after 5 tries"), "{shown}");
    assert!(shown.contains("not accepted for five days: "), "{shown}");
    let connections = server.connections();
    run.send();
    assert_eq!(server.connections(), connections, "tried although it is parked");
}
