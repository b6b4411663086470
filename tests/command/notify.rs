//! Mail about a study, whatever happens to the study, to the mail server, and to burgeon itself.
//!
//! `BURGEON_TEST_MAIL_KILLS=60 cargo test --test command notify::` is the long form.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Child, Output, Stdio};
use std::time::{Duration, Instant};

use burgeon::unstable::sys::{CounterRng, Purpose, counter_seed};

use crate::smtp::{Reaction, SmtpServer, Step};
use crate::support::{Bench, SmallStudy, expect_code, stderr, stdout};

const PASSED: f64 = 0.01;
const MISSED: f64 = 1.0;

/// One quick trial.
fn study(gate: f64, notify: &str) -> String {
    let study = SmallStudy {
        name: "growing",
        data: "source = \"synthetic\"",
        train: 200,
        validation: 100,
        units: 4,
        epochs: 2,
        gate,
    };
    format!("{}[notify]\n{notify}\n", study.text())
}

fn mail(server: &SmtpServer, more: &str) -> String {
    format!(
        "mail = {{ to = [\"ann@example.org\"], from = \"burgeon@example.org\", \
         server = \"localhost\", security = \"none\", port = {}{more} }}",
        server.port
    )
}

fn bench(gate: f64, server: &SmtpServer) -> Bench {
    Bench::with_study(&study(gate, &mail(server, "")))
}

fn subjects(server: &SmtpServer) -> Vec<String> {
    server.deliveries().iter().map(|delivery| delivery.header("Subject")).collect()
}

fn flush(bench: &Bench) -> Output {
    bench.burgeon(&["notify", "--flush", "--now", "runs/growing-0001"])
}

#[test]
fn acceptance_and_rejection_are_told_and_the_exit_code_is_the_studys() {
    for (gate, code, word) in [(PASSED, 0, "accepted"), (MISSED, 3, "rejected")] {
        let server = SmtpServer::start();
        let bench = bench(gate, &server);
        let output = bench.burgeon(&["tune", "study.toml"]);
        expect_code(&output, code);
        assert!(stdout(&output).contains("ann@example.org"), "{}", stdout(&output));
        let [subject] = &subjects(&server)[..] else { panic!("{:?}", subjects(&server)) };
        assert!(subject.starts_with(&format!("[burgeon] growing {word}: ")), "{subject}");
        let data = &server.deliveries()[0].data;
        for part in ["text/plain", "text/html", "image/png", "report.html", "cid", "inline"] {
            assert!(part == "cid" || data.contains(part), "no {part}");
        }
        // Resumed, it is over and told already.
        expect_code(&bench.burgeon(&["resume", "runs/growing-0001"]), code);
        assert_eq!(server.deliveries().len(), 1);
        // Extended, it is told anew.
        let more = ["resume", "runs/growing-0001", "--more-epochs", "1"];
        expect_code(&bench.burgeon(&more), code);
        let ids: BTreeSet<_> =
            server.deliveries().iter().map(|mail| mail.header("Message-ID")).collect();
        assert_eq!(ids.len(), 2);
    }
}

#[test]
fn messages_of_a_build_without_a_study_are_listed_and_sent() {
    let server = SmtpServer::start();
    server.react_at(Step::From, Reaction::Answer("450 later".into()));
    let bench = bench(PASSED, &server);
    expect_code(&bench.burgeon(&["tune", "study.toml"]), 0);
    let build = bench.path().join("builds/12");
    fs::create_dir_all(&build).unwrap();
    fs::rename(bench.path().join("runs/growing-0001/outbox"), build.join("outbox")).unwrap();
    let listed = bench.burgeon(&["notify", "builds/12"]);
    expect_code(&listed, 0);
    assert!(stdout(&listed).contains("waits until"), "{}", stdout(&listed));
    server.accept();
    expect_code(&bench.burgeon(&["notify", "--flush", "--now", "builds/12"]), 0);
    assert_eq!(subjects(&server).len(), 1);
    expect_code(&bench.burgeon(&["notify", "builds"]), 1);
}

#[test]
fn a_study_whose_time_is_up_says_so() {
    let server = SmtpServer::start();
    let text = study(MISSED, &mail(&server, "")).replace("epochs = 2", "epochs = 9000");
    let bench = Bench::with_study(&text.replace("trials = 1", "trials = 1\nseconds = 0.3"));
    expect_code(&bench.burgeon(&["tune", "study.toml"]), 3);
    assert!(
        subjects(&server)[0].starts_with("[burgeon] growing out of time"),
        "{:?}",
        subjects(&server)
    );
}

#[test]
fn no_mail_server_changes_what_a_study_comes_to() {
    for (reaction, code) in [
        (Reaction::Drip, 0),
        (Reaction::Close, 0),
        (Reaction::Answer("450 later".into()), 0),
        (Reaction::Answer("550 never".into()), 0),
    ] {
        let server = SmtpServer::start();
        server.react_at(Step::From, reaction.clone());
        let bench = bench(PASSED, &server);
        let output = bench.burgeon(&["tune", "study.toml"]);
        expect_code(&output, code);
        let said = stderr(&output);
        assert!(said.contains("not sent") && said.contains("notify --flush"), "{said}");
        let listed = bench.burgeon(&["notify", "runs/growing-0001"]);
        expect_code(&listed, 0);
        let parked = reaction == Reaction::Answer("550 never".into());
        let word = if parked { "parked" } else { "waits until" };
        assert!(stdout(&listed).contains(word), "{}", stdout(&listed));
        server.accept();
        // Before its time, nothing is tried; and what is left makes the command fail.
        let early = bench.burgeon(&["notify", "--flush"]);
        expect_code(&early, 1);
        assert_eq!(server.deliveries(), []);
        assert!(stderr(&early).contains(if parked { "1 parked" } else { "1 message" }));
        let sent = bench.burgeon(&["notify", "--flush", "--parked"]);
        expect_code(&sent, 0);
        assert!(stdout(&sent).contains("sent"), "{}", stdout(&sent));
        assert_eq!(server.deliveries().len(), 1);
        expect_code(&flush(&bench), 0);
        assert_eq!(server.deliveries().len(), 1);
    }
}

#[test]
fn messages_are_listed_as_json_too_and_what_is_no_run_is_named() {
    let server = SmtpServer::start();
    server.react_at(Step::Greeting, Reaction::Answer("421 busy".into()));
    let bench = bench(PASSED, &server);
    expect_code(&bench.burgeon(&["tune", "study.toml"]), 0);
    let listed = bench.burgeon(&["notify", "--json"]);
    expect_code(&listed, 0);
    let lines: serde_json::Value = serde_json::from_str(&stdout(&listed)).unwrap();
    assert_eq!(lines[0]["state"], "waiting");
    assert_eq!(lines[0]["run"], "runs/growing-0001");
    assert_eq!(lines[0]["attempts"], 1);
    assert!(lines[0]["error"].as_str().unwrap().contains("busy"), "{lines}");
    expect_code(&bench.burgeon(&["notify", "--flush", "nowhere"]), 1);
    // A folder that cannot be read keeps no other run from being listed.
    let circle = bench.runs().join("circle");
    std::os::unix::fs::symlink("circle", &circle).unwrap();
    let listed = bench.burgeon(&["notify", "--json"]);
    expect_code(&listed, 1);
    assert!(stdout(&listed).contains("growing-0001"), "{}", stdout(&listed));
    fs::remove_file(circle).unwrap();
    expect_code(&bench.burgeon(&["notify", "--now"]), 2);
    // Another server by --set, for one that was named wrongly.
    let other = SmtpServer::start();
    let set = format!("notify.mail.port={}", other.port);
    let flushed = bench.burgeon(&["notify", "--flush", "runs/growing-0001", "--set", &set]);
    expect_code(&flushed, 0);
    assert_eq!((other.deliveries().len(), server.deliveries().len()), (1, 0));
}

#[test]
fn a_stop_while_mail_is_sent_ends_in_time_and_resuming_sends_it() {
    let server = SmtpServer::start();
    server.react_at(Step::Data, Reaction::Hang);
    let bench = bench(PASSED, &server);
    let mut child = start(&bench, &["tune", "study.toml"]);
    while !server.commands().iter().any(|line| line == "DATA") {
        std::thread::sleep(Duration::from_millis(5));
    }
    // What is promised to whoever asks for a stop.
    let since = Instant::now();
    signal(&child, libc::SIGTERM);
    let status = child.wait().unwrap();
    assert!(since.elapsed() < Duration::from_secs(5), "{:?}", since.elapsed());
    assert_eq!(status.code(), Some(143));
    assert_eq!(server.deliveries(), []);
    server.accept();
    expect_code(&bench.burgeon(&["resume", "runs/growing-0001"]), 0);
    assert_eq!(server.deliveries().len(), 1);
}

#[test]
fn an_error_is_told() {
    let server = SmtpServer::start();
    let mut told = 0;
    for step in [60, 75, 90] {
        let bench = bench(PASSED, &server);
        let mut command = bench.command(&["tune", "study.toml"]);
        let output = command.env("BURGEON_FAULT", format!("eio@{step}")).output().unwrap();
        if output.status.code() == Some(1) {
            told += 1;
            let subject = subjects(&server).pop().unwrap();
            assert!(subject.starts_with("[burgeon] growing failed"), "{step}: {subject}");
        }
    }
    assert!(told > 0, "the fault was never reached");
    assert!(server.deliveries().len() >= told);
}

#[test]
fn a_supervisor_that_gives_up_tells() {
    let server = SmtpServer::start();
    let bench = bench(PASSED, &server);
    let supervise = ["supervise", "--delay", "0.01", "--", "tune", "study.toml"];
    let mut command = bench.command(&supervise);
    // Each trainer dies at the same place.
    let output = command.env("BURGEON_FAULT", "crash@40").output().unwrap();
    expect_code(&output, 1);
    assert!(stderr(&output).contains("gave up"), "{}", stderr(&output));
    let [subject] = &subjects(&server)[..] else { panic!("{}", stderr(&output)) };
    assert!(subject.contains("given up by its supervisor"), "{subject}");
}

fn start(bench: &Bench, arguments: &[&str]) -> Child {
    let mut command = bench.command(arguments);
    command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

fn signal(child: &Child, number: i32) {
    // SAFETY: sends a signal to a child that was not waited for.
    unsafe { libc::kill(child.id().try_into().unwrap(), number) };
}

fn kills() -> usize {
    std::env::var("BURGEON_TEST_MAIL_KILLS").map_or(8, |kills| kills.parse().unwrap())
}

#[test]
fn killed_at_random_moments_every_study_is_told_under_one_identifier() {
    let mut rng = CounterRng::new(counter_seed(15, 0, Purpose::Policy, 0, 0));
    let (mut killed, mut repeats) = (0, 0);
    while killed < kills() {
        let server = SmtpServer::start();
        // Slow enough to be killed at any step.
        server.react(|_, _, _| {
            std::thread::sleep(Duration::from_millis(15));
            Reaction::Proceed
        });
        let bench = bench(PASSED, &server);
        for _ in 0..3 {
            let before = server.connections();
            let mut child = start(&bench, &["tune", "study.toml", "--resume", "auto"]);
            // Killed around the time when it sends, or, if it has sent already, at any time.
            while server.connections() == before && child.try_wait().unwrap().is_none() {
                std::thread::sleep(Duration::from_millis(1));
            }
            std::thread::sleep(Duration::from_millis(u64::from(rng.below(160))));
            child.kill().unwrap();
            if child.wait().unwrap().code().is_none() {
                killed += 1;
            }
        }
        let run = bench.path().join("runs/growing-0001");
        assert!(run.join("study.toml").exists());
        expect_code(&bench.burgeon(&["resume", "runs/growing-0001"]), 0);
        expect_code(&flush(&bench), 0);
        let ids: BTreeSet<_> =
            server.deliveries().iter().map(|mail| mail.header("Message-ID")).collect();
        assert_eq!(ids.len(), 1, "after {killed} kills: {:?}", subjects(&server));
        repeats += server.deliveries().len() - 1;
    }
    eprintln!("{killed} kills, {repeats} mails repeated under the same identifier");
}

#[test]
fn a_password_is_nowhere_but_where_it_was_put() {
    const CANARY: &str = "canary-4711";
    for login in [
        ", user = \"ann\", password-file = \"secret/password\"",
        ", user = \"ann\", password-variable = \"SMTP_CANARY\"",
    ] {
        let server = SmtpServer::start();
        server.react(|_, step, said| match step {
            Step::Login => Reaction::Answer(format!("535 not with {said} {CANARY}")),
            _ => Reaction::Proceed,
        });
        let bench = Bench::with_study(&study(PASSED, &mail(&server, login)));
        let secret = bench.path().join("secret");
        fs::create_dir(&secret).unwrap();
        fs::write(secret.join("password"), CANARY).unwrap();
        let run = |arguments: &[&str]| {
            let mut command = bench.command(arguments);
            command.env("SMTP_CANARY", CANARY).stdout(Stdio::piped()).stderr(Stdio::piped());
            let mut child = command.spawn().unwrap();
            let mut lines = Vec::new();
            while child.try_wait().unwrap().is_none() {
                lines.extend(fs::read(format!("/proc/{}/cmdline", child.id())).unwrap_or_default());
                std::thread::sleep(Duration::from_millis(2));
            }
            let output = child.wait_with_output().unwrap();
            let lines = String::from_utf8_lossy(&lines).into_owned();
            (format!("{lines}{}{}", stdout(&output), stderr(&output)), output)
        };
        let (said, output) = run(&["tune", "study.toml", "--json"]);
        expect_code(&output, 0);
        let (again, output) = run(&["notify", "--flush", "--parked"]);
        expect_code(&output, 1);
        let (shown, _) = run(&["report", "runs/growing-0001"]);
        assert!(said.contains("535") || again.contains("535"), "it was not even tried: {said}");
        // base64 of the password, and of \0ann\0 with it.
        let forms = [CANARY, "Y2FuYXJ5LTQ3MTE", "AGFubgBjYW5hcnktNDcxM"];
        let mut files = Vec::new();
        read_all(&bench.path().join("runs"), &mut files);
        assert!(files.len() > 10_000);
        for form in forms {
            assert!(
                ![&said, &again, &shown].iter().any(|text| text.contains(form)),
                "{said}{again}"
            );
            let found = files.windows(form.len()).any(|window| window == form.as_bytes());
            assert!(!found, "{form} is in the run folder");
        }
    }
}

fn read_all(folder: &Path, content: &mut Vec<u8>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            read_all(&path, content);
        } else {
            content.extend(fs::read(path).unwrap());
        }
    }
}
