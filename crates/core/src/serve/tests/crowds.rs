//! Connections that want to do harm, and requests that are answered nevertheless.

use std::io::Write;
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::bench::Bench;
use super::bursts::resident_kb;

/// `BURGEON_TEST_CONNECTIONS=20000` measures in full.
#[test]
fn idle_and_slow_connections_keep_nobody_out() {
    let total: usize =
        std::env::var("BURGEON_TEST_CONNECTIONS").map_or(3000, |count| count.parse().unwrap());
    let bench = Bench::open();
    bench.fill();
    let before = resident_kb();
    let is_over = AtomicBool::new(false);
    let (mut asked, mut longest) = (0, Duration::ZERO);
    std::thread::scope(|scope| {
        let crowd = scope.spawn(|| {
            // No more than this process may have open; the oldest are closed by the service already.
            let mut open: std::collections::VecDeque<TcpStream> = std::collections::VecDeque::new();
            for n in 0..total {
                let Ok(mut stream) = TcpStream::connect(bench.address) else { continue };
                let _ = match n % 4 {
                    0 => Ok(()),
                    1 => stream.write_all(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: "),
                    2 => stream.write_all(b"POST /hooks/digits HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\nx"),
                    _ => stream.write_all(b"POST /hooks/digits HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab"),
                };
                open.push_back(stream);
                if open.len() > 4000 {
                    open.pop_front();
                }
            }
            // One byte now and then keeps nothing alive.
            for stream in open.iter_mut().rev().take(500) {
                let _ = stream.write_all(b"x");
            }
            std::thread::sleep(Duration::from_secs(1));
            is_over.store(true, Ordering::SeqCst);
        });
        while !is_over.load(Ordering::SeqCst) {
            let began = Instant::now();
            assert_eq!(bench.page("/").status, 200);
            longest = longest.max(began.elapsed());
            asked += 1;
            std::thread::sleep(Duration::from_millis(20));
        }
        crowd.join().unwrap();
    });
    let grown = resident_kb().saturating_sub(before);
    eprintln!(
        "{total} bad connections: {asked} pages in between, the longest in {longest:.1?}; {grown} kB more memory"
    );
    assert!(asked > 5 && longest < Duration::from_secs(5), "{asked} {longest:?}");
    assert!(grown < 100 << 10, "{grown} kB");
}

#[test]
fn a_head_that_does_not_end_is_cut_off() {
    let bench = Bench::open();
    let mut stream = bench.connect();
    let began = Instant::now();
    stream.write_all(b"GET / HTTP/1.1\r\n").unwrap();
    while stream.write_all(b"X-A: b\r\n").is_ok() {
        std::thread::sleep(Duration::from_millis(200));
        assert!(began.elapsed() < Duration::from_secs(14));
    }
    let long = format!("GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX: {}\r\n\r\n", "x".repeat(100_000));
    let reply = bench.raw(long.as_bytes());
    assert!(
        reply.is_empty() || reply.starts_with(b"HTTP/1.1 431"),
        "{}",
        String::from_utf8_lossy(&reply)
    );
}

/// Requests of one connection, from nonsense to nearly right.
fn requests() -> impl Strategy<Value = Vec<u8>> {
    let method = prop::sample::select(vec!["GET", "POST", "HEAD", "PUT", "OPTIONS", "\0", "get"]);
    let path = prop_oneof![
        prop::sample::select(vec![
            "/",
            "/builds/1",
            "/builds/1/files/report.html",
            "/hooks/digits",
            "/login",
            "/live/",
            "/api/builds",
            "*",
            "http://x/",
            "/builds/1/cancel"
        ])
        .prop_map(str::to_owned),
        "/[a-z]{0,9}/[ -~]{0,40}",
        "\\PC{0,40}",
    ];
    let header = prop_oneof![
        "[A-Za-z-]{1,20}: [ -~]{0,40}",
        prop::sample::select(vec![
            "Host: 127.0.0.1",
            "Host: \u{e9}",
            "Content-Length: 5",
            "Content-Length: -1",
            "Transfer-Encoding: chunked",
            "Authorization: Bearer x",
            "Authorization: Bearer",
            "Cookie: burgeon-session=",
            "Cookie: ;;=;",
            "X-GitHub-Event: push",
            "X-Hub-Signature-256: sha256=zz",
            "X-Gitlab-Event: Push Hook",
            "X-Gitlab-Token: \u{ff}",
            "X-Burgeon-Signature: sha256=",
            "X-Burgeon-Timestamp: 99999999999999999999",
            "Expect: 100-continue",
            "Connection: close",
            "Upgrade: h2c",
            "Origin: null",
        ])
        .prop_map(str::to_owned),
    ];
    let headers = prop::collection::vec(header, 0..6);
    let body = prop::collection::vec(any::<u8>(), 0..200);
    let formed = (method, path, headers, body).prop_map(|(method, path, headers, body)| {
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n{}\r\n\r\n",
            headers.join("\r\n")
        );
        [head.into_bytes(), body].concat()
    });
    prop_oneof![4 => formed, 1 => prop::collection::vec(any::<u8>(), 0..500)]
}

#[test]
fn random_requests_break_nothing() {
    let bench = Bench::open();
    bench.fill();
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig {
        cases: 400,
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    runner
        .run(&requests(), |bytes| {
            let mut stream = bench.connect();
            let _ = stream.write_all(&bytes);
            // Whoever says nothing more gets what can be answered, and is left.
            let _ = stream.shutdown(std::net::Shutdown::Write);
            let mut reply = Vec::new();
            let _ = std::io::Read::read_to_end(&mut stream, &mut reply);
            let is_answer = reply.is_empty()
                || reply.starts_with(b"HTTP/1.1 ")
                || reply.starts_with(b"HTTP/1.0 ");
            prop_assert!(is_answer, "{}", String::from_utf8_lossy(&reply));
            prop_assert!(
                !reply.starts_with(b"HTTP/1.1 500"),
                "{}",
                String::from_utf8_lossy(&bytes)
            );
            Ok(())
        })
        .unwrap();
    assert_eq!(bench.page("/").status, 200);
}
