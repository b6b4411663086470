//! Webhooks: genuine and forged ones, and many at once.

use std::io::Write;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use ring::hmac::{HMAC_SHA256, Key, sign};

use super::bench::{Bench, NEW_SECRET, Reply, SECRET};
use crate::chain::{Delivery, DeliveryOutcome};

pub(super) fn signed(secret: &str, body: &str) -> String {
    hex::encode(sign(&Key::new(HMAC_SHA256, secret.as_bytes()), body.as_bytes()))
}

pub(super) fn push(branch: &str, commit: &str) -> String {
    serde_json::json!({ "ref": format!("refs/heads/{branch}"), "after": commit }).to_string()
}

pub(super) fn commit(n: usize) -> String {
    format!("{n:040x}")
}

/// A call as GitHub makes it.
fn github(bench: &Bench, secret: &str, delivery: &str, body: &str) -> Reply {
    let signature = format!("sha256={}", signed(secret, body));
    let headers = [
        ("X-GitHub-Event", "push"),
        ("X-GitHub-Delivery", delivery),
        ("X-Hub-Signature-256", &*signature),
    ];
    bench.ask("POST /hooks/digits", &headers, body.as_bytes())
}

/// The calls that are listed, once there are as many: refused ones are answered before they are on disk.
fn listed(bench: &Bench, count: usize) -> Vec<Delivery> {
    let deadline = Instant::now() + Duration::from_secs(5);
    loop {
        let listed = bench.store.deliveries(None, 50).unwrap();
        if listed.len() >= count || Instant::now() > deadline {
            return listed;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn genuine_pushes_of_all_senders_are_queued_and_on_disk_before_the_answer() {
    let bench = Bench::open();
    let body = push("main", &commit(1));
    assert_eq!(github(&bench, SECRET, "1", &body).status, 202);
    assert_eq!(bench.woken.load(Ordering::SeqCst), 1);
    let body = push("main", &commit(2));
    let gitea = [
        ("X-Gitea-Event", "push"),
        ("X-GitHub-Event", "push"),
        ("X-Gitea-Delivery", "2"),
        ("X-Gitea-Signature", &*signed(NEW_SECRET, &body)),
    ];
    assert_eq!(bench.ask("POST /hooks/digits", &gitea, body.as_bytes()).status, 202);
    let body = push("main", &commit(3));
    let gitlab =
        [("X-Gitlab-Event", "Push Hook"), ("X-Gitlab-Token", SECRET), ("X-Gitlab-Event-UUID", "3")];
    assert_eq!(bench.ask("POST /hooks/digits", &gitlab, body.as_bytes()).status, 202);
    let body = format!("{{\"branch\":\"main\",\"commit\":\"{}\"}}", commit(4));
    let now = jiff::Timestamp::now().as_second();
    let signature = crate::notify::signature(SECRET.as_bytes(), now, body.as_bytes());
    let (signature, now) = (format!("sha256={signature}"), now.to_string());
    let generic = |delivery: &'static str| {
        [
            ("X-Burgeon-Signature", signature.clone()),
            ("X-Burgeon-Timestamp", now.clone()),
            ("X-Burgeon-Delivery", delivery.to_owned()),
        ]
    };
    let ask = |delivery| {
        let headers = generic(delivery);
        let headers: Vec<(&str, &str)> =
            headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        bench.ask("POST /hooks/digits", &headers, body.as_bytes()).status
    };
    assert_eq!([ask("4"), ask("4"), ask("overheard")], [202, 200, 401]);
    let listed = listed(&bench, 5);
    let sources: Vec<&str> = listed.iter().rev().map(|one| one.source.as_str()).collect();
    assert_eq!(sources, ["github", "gitea", "gitlab", "generic", "generic"]);
    let builds = bench.store.builds(None, None, 10).unwrap();
    assert_eq!(
        builds.iter().map(|build| build.commit_id.clone()).rev().collect::<Vec<_>>(),
        [1, 2, 3, 4].map(commit)
    );
}

#[test]
fn what_comes_again_or_concerns_nothing_starts_nothing() {
    let bench = Bench::open();
    let body = push("main", &commit(1));
    assert_eq!(github(&bench, SECRET, "1", &body).status, 202);
    let again = github(&bench, SECRET, "1", &body);
    assert_eq!((again.status, again.body.trim()), (200, "This delivery was received before."));
    let known = github(&bench, SECRET, "2", &body);
    assert_eq!((known.status, known.body.trim()), (200, "The commit already has build 1."));
    let other = github(&bench, SECRET, "3", &push("other", &commit(9)));
    assert!(
        other.status == 200 && other.body.contains("another branch; only main is built"),
        "{other:?}"
    );
    let broken = github(&bench, SECRET, "4", "no json");
    assert!(broken.status == 400 && broken.body.contains("not the expected JSON"), "{broken:?}");
    let signature = format!("sha256={}", signed(SECRET, "{}"));
    let ping = [
        ("X-GitHub-Event", "ping"),
        ("X-GitHub-Delivery", "5"),
        ("X-Hub-Signature-256", &*signature),
    ];
    assert!(bench.ask("POST /hooks/digits", &ping, b"{}").body.contains("the webhook works"));
    assert_eq!(bench.store.builds(None, None, 10).unwrap().len(), 1);
    assert_eq!(bench.store.deliveries(None, 10).unwrap().len(), 5);
    assert_eq!(bench.woken.load(Ordering::SeqCst), 1);
}

#[test]
fn forged_calls_are_refused_and_listed_and_tell_nothing() {
    let bench = Bench::open();
    let body = push("main", &commit(1));
    let forged = github(&bench, "guessed", "1", &body);
    assert_eq!(forged.status, 401);
    assert!(!forged.body.contains("signature is wrong"), "{forged:?}");
    let good = format!("sha256={}", signed(SECRET, &body));
    for headers in [
        vec![],
        vec![("X-GitHub-Event", "push")],
        vec![("X-GitHub-Event", "push"), ("X-Hub-Signature-256", "sha256=")],
        vec![("X-Gitlab-Event", "Push Hook"), ("X-Hub-Signature-256", &*good)],
        vec![("X-Burgeon-Signature", &*good), ("X-Burgeon-Timestamp", "now")],
    ] {
        assert_eq!(bench.ask("POST /hooks/digits", &headers, body.as_bytes()).status, 401);
    }
    let without = bench.ask(
        "POST /hooks/letters",
        &[("X-Gitlab-Event", "x"), ("X-Gitlab-Token", "x")],
        b"{}",
    );
    assert_eq!(without.status, 401, "a repository without secrets");
    let unknown = bench.ask("POST /hooks/other", &[], b"{}");
    assert_eq!((unknown.status, unknown.body.trim()), (404, "There is no such repository."));
    let listed = listed(&bench, 7);
    assert!(listed.len() == 7 && listed.iter().all(|one| one.outcome == DeliveryOutcome::Refused));
    assert!(bench.store.builds(None, None, 10).unwrap().is_empty());
    let page = bench.page("/deliveries").body;
    assert!(
        page.contains("the signature is wrong") && page.contains("the repository has no secret")
    );
}

#[test]
fn a_replaced_secret_counts_at_once() {
    let bench = Bench::open();
    std::fs::write(bench.folder.path().join("secret"), "rotated\n").unwrap();
    let body = push("main", &commit(1));
    assert_eq!(github(&bench, SECRET, "1", &body).status, 401);
    assert_eq!(github(&bench, "rotated", "1", &body).status, 202);
}

#[test]
fn bodies_are_bounded() {
    let bench = Bench::open();
    let long = "x".repeat((1 << 20) + 1);
    let reply = github(&bench, SECRET, "1", &long);
    assert_eq!(reply.status, 413, "{reply:?}");
    let head = format!("POST /hooks/digits HTTP/1.1\r\nHost: {}\r\n", bench.address);
    // Chunks without end.
    let mut stream = bench.connect();
    stream.write_all(format!("{head}Transfer-Encoding: chunked\r\n\r\n").as_bytes()).unwrap();
    let chunk = [b"10000\r\n".as_slice(), &vec![b'x'; 0x10000], b"\r\n"].concat();
    let mut sent = 0;
    while sent < 64 << 20 && stream.write_all(&chunk).is_ok() {
        sent += chunk.len();
    }
    assert!(sent < 16 << 20, "{sent} bytes were taken");
    let claimed = bench
        .raw(format!("{head}Content-Length: 99999999999\r\nConnection: close\r\n\r\n").as_bytes());
    assert_eq!(Reply::parse(&claimed).unwrap().status, 413);
    let exactly = "x".repeat(1 << 20);
    assert_eq!(
        github(&bench, SECRET, "2", &exactly).status,
        400,
        "as long as is allowed, and no JSON"
    );
}
