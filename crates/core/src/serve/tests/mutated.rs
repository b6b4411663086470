//! Requests that were right once, and then changed at random, from many sides at once.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::bench::{Bench, SECRET, asked};
use super::bursts::resident_kb;
use super::deliveries::signed;
use super::rights::log_in;
use crate::sys::CounterRng;

const THREADS: u64 = 6;

/// A number below another one, or 0.
fn below(dice: &mut CounterRng, most: usize) -> usize {
    dice.below(most.max(1) as u32) as usize
}

/// What the fuzzing of `fuzz/fuzz_targets/http.rs` begins with, with lengths and signatures that are right.
fn seeds() -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/seeds/http");
    let mut files: Vec<_> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let seed = |path: &std::path::PathBuf| {
        let bytes = std::fs::read(path).unwrap();
        let Ok(text) = String::from_utf8(bytes.clone()) else { return bytes };
        let body = text.split_once("\r\n\r\n").map_or("", |(_, body)| body).to_owned();
        let text = text.replace("@length@", &body.len().to_string());
        text.replace("@signed@", &signed(SECRET, &body)).into_bytes()
    };
    files.iter().map(seed).collect()
}

fn mutated(seeds: &[Vec<u8>], dice: &mut CounterRng) -> Vec<u8> {
    let mut bytes = seeds[below(dice, seeds.len())].clone();
    for _ in 0..below(dice, 6) {
        let (at, length) = (below(dice, bytes.len()), below(dice, 40));
        let end = (at + length).min(bytes.len());
        match below(dice, 6) {
            0 if !bytes.is_empty() => bytes[at] ^= 1 << below(dice, 8),
            1 => drop(bytes.drain(at..end)),
            2 => {
                let piece = bytes[at..end].repeat(1 + below(dice, 200));
                bytes.splice(at..at, piece);
            }
            3 => {
                let other = &seeds[below(dice, seeds.len())];
                let from = below(dice, other.len());
                bytes.truncate(at);
                bytes.extend_from_slice(&other[from..]);
            }
            4 => bytes.truncate(at),
            _ => {
                let word: [&[u8]; 6] =
                    [b"\r\n", b"\0", b"\xff\xfe", b"Content-Length: 99999999999\r\n", b"%", b"@"];
                bytes.splice(at..at, word[below(dice, word.len())].iter().copied());
            }
        }
    }
    bytes
}

/// Says what is like the seeds from many sides, for as many seconds as `BURGEON_TEST_MUTATED_SECONDS` says (600 measures in
/// full), while `healthy` asks what has to be answered.
pub(in crate::serve) fn storm(address: SocketAddr, seeds: &[Vec<u8>], mut healthy: impl FnMut()) {
    let seconds =
        std::env::var("BURGEON_TEST_MUTATED_SECONDS").map_or(4, |seconds| seconds.parse().unwrap());
    let (sent, is_over) = (AtomicU64::new(0), AtomicBool::new(false));
    let (mut asked, mut longest, mut before, mut most) = (0, Duration::ZERO, 0, 0);
    let began = Instant::now();
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let (sent, is_over) = (&sent, &is_over);
            scope.spawn(move || {
                let mut dice = CounterRng::new(thread);
                while !is_over.load(Ordering::Relaxed) {
                    speak(address, &mutated(seeds, &mut dice), &mut dice);
                    sent.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        while began.elapsed() < Duration::from_secs(seconds) {
            let asking = Instant::now();
            healthy();
            longest = longest.max(asking.elapsed());
            asked += 1;
            // Once everything is warm.
            if began.elapsed() > Duration::from_secs(seconds) / 4 && before == 0 {
                before = resident_kb();
            }
            most = most.max(resident_kb());
            std::thread::sleep(Duration::from_millis(10));
        }
        is_over.store(true, Ordering::Relaxed);
    });
    let grown = most.saturating_sub(before);
    eprintln!(
        "{} mutated requests in {seconds} s; {asked} times healthy ones answered, at the longest in {longest:.1?}; \
         {before} kB of memory, {grown} kB more at most",
        sent.load(Ordering::Relaxed)
    );
    assert!(sent.load(Ordering::Relaxed) > 50 && asked > 2);
    assert!(longest < Duration::from_secs(10), "{longest:?}");
    assert!(grown < 128 << 10, "{grown} kB");
}

#[test]
fn mutated_requests_from_many_sides_keep_nobody_out() {
    let bench = Bench::guarded();
    bench.fill();
    let seeds = seeds();
    assert!(seeds.len() > 30, "{}", seeds.len());
    storm(bench.address, &seeds, || {
        // From another address than those that guess tokens.
        assert_eq!(bench.page("/healthz").status, 200);
        assert_eq!(bench.page("/login").status, 200);
    });
    let page = bench.ask("GET /api/builds", &[("Authorization", "Bearer read-token")], b"");
    // It may have to wait for the wrong tokens of this address.
    assert!([200, 429].contains(&page.status), "{page:?}");
}

/// The seeds as browsers send them that are logged in, on pages and in what scripts of pages ask for.
fn seeds_of_session(bench: &Bench, token: &str) -> Vec<Vec<u8>> {
    let (_, cookie) = log_in(bench, token);
    let page = bench.ask("GET /repositories/digits", &[("Cookie", &cookie)], b"");
    // Readers get no buttons, and so no form token.
    let form = page.form_token_if_any().unwrap_or_else(|| "0".repeat(64));
    let own =
        format!("Cookie: {cookie}\r\nX-Form-Token: {form}\r\nSec-Fetch-Site: same-origin\r\n");
    let seed = |bytes: Vec<u8>| {
        // Within the body of one, there is another one with the token for changes.
        let text = String::from_utf8(bytes).ok()?.replace("change-token", "read-token");
        // Webhooks need no session, and a session that is over is nobody's.
        let (line, rest) = text.split_once("\r\n").filter(|(line, _)| !line.contains("/hooks/"))?;
        if line.contains("/logout") || line.contains("/login") {
            return None;
        }
        let (head, body) = rest.split_once("\r\n\r\n")?;
        let body = body.replace("@form@", &form);
        let kept = head.lines().filter(|line| {
            !["Authorization", "Cookie", "Content-Length", "Sec-Fetch"]
                .iter()
                .any(|name| line.starts_with(name))
        });
        let head: String = kept.map(|line| format!("{line}\r\n")).collect();
        let length = format!("Content-Length: {}\r\n", body.len());
        Some(format!("{line}\r\n{own}{head}{length}\r\n{body}").into_bytes())
    };
    seeds().into_iter().filter_map(seed).collect()
}

#[test]
fn mutated_requests_of_sessions_keep_nobody_out() {
    let bench = Bench::guarded();
    bench.fill();
    let (_, cookie) = log_in(&bench, "change-token");
    storm(bench.address, &seeds_of_session(&bench, "change-token"), || {
        let own = [("Cookie", &*cookie)];
        for path in ["/", "/builds/1", "/repositories/digits", "/deliveries", "/builds/1/log"] {
            assert_eq!(bench.ask(&format!("GET {path}"), &own, b"").status, 200, "{path}");
        }
    });
    // What the mutated ones began is whole, and more can be begun.
    assert!(bench.store.enqueue(asked(&"c".repeat(40))).is_ok());
    assert!(bench.woken.load(Ordering::SeqCst) > 0, "no change was asked for");
}

#[test]
fn no_mutated_request_of_a_reader_changes_anything() {
    let bench = Bench::guarded();
    bench.fill();
    let all =
        || format!("{:?}", (1..20).map(|id| bench.store.build(id).unwrap()).collect::<Vec<_>>());
    let before = all();
    let (_, cookie) = log_in(&bench, "read-token");
    storm(bench.address, &seeds_of_session(&bench, "read-token"), || {
        assert_eq!(bench.ask("GET /", &[("Cookie", &*cookie)], b"").status, 200);
    });
    assert_eq!(all(), before);
    assert_eq!(bench.woken.load(Ordering::SeqCst), 0);
}

/// Says something on a connection of its own, in one piece or a few, and listens or not.
fn speak(address: SocketAddr, bytes: &[u8], dice: &mut CounterRng) {
    let Ok(mut stream) = TcpStream::connect(address) else { return };
    let _ = stream.set_read_timeout(Some(Duration::from_millis(300)));
    let (first, second) = bytes.split_at(below(dice, bytes.len() + 1));
    let _ = stream.write_all(first);
    if below(dice, 4) == 0 {
        std::thread::sleep(Duration::from_millis(1));
    }
    let _ = stream.write_all(second);
    match below(dice, 3) {
        0 => {}
        1 => {
            let _ = stream.shutdown(Shutdown::Write);
            let _ = stream.read_to_end(&mut Vec::new());
        }
        _ => {
            let mut reply = [0; 8192];
            let read = stream.read(&mut reply).unwrap_or(0);
            let reply = &reply[..read];
            assert!(
                reply.is_empty() || reply.starts_with(b"HTTP/1."),
                "{}",
                String::from_utf8_lossy(reply)
            );
            assert!(!reply.starts_with(b"HTTP/1.1 500"), "{}", String::from_utf8_lossy(bytes));
        }
    }
}
