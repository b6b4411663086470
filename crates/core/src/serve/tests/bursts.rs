//! Webhooks in bursts, genuine, replayed and forged: how long they take, and what they start.

use std::io::{Read, Write};
use std::time::{Duration, Instant};

use super::bench::{Bench, Reply, SECRET};
use super::deliveries::{commit, push, signed};
use crate::chain::DeliveryOutcome;

/// What one call of a crowd is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Genuine,
    Replayed,
    Forged,
}

/// 200 at once, again and again: a third genuine, a third replayed, a third forged. `BURGEON_TEST_DELIVERIES=10000`
/// measures in full.
#[test]
fn bursts_are_answered_in_time_and_start_what_is_genuine_once() {
    const BURST: usize = 200;
    let total =
        std::env::var("BURGEON_TEST_DELIVERIES").map_or(1200, |count| count.parse().unwrap());
    let bench = Bench::open();
    let mut times = Vec::new();
    let mut genuine = 0;
    let began = Instant::now();
    let every = Duration::from_secs_f64(60.0 * BURST as f64 / 10_000.0);
    for burst in 0..total / BURST {
        let due = began + every * burst as u32;
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        let kinds = (0..BURST).map(|n| match n % 3 {
            0 => Kind::Genuine,
            1 => Kind::Replayed,
            _ => Kind::Forged,
        });
        let mut at = genuine;
        let calls: Vec<(Kind, Vec<u8>)> = kinds
            .map(|kind| {
                if kind == Kind::Genuine {
                    at += 1;
                }
                (kind, call(&bench, kind, at))
            })
            .collect();
        genuine = at;
        times.extend(burst_of(&bench, &calls));
    }
    let took = began.elapsed();
    times.sort_unstable();
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize];
    eprintln!(
        "{} deliveries in {took:.1?}: median {:.1?}, p99 {:.1?}, longest {:.1?}; memory {} kB",
        times.len(),
        at(0.5),
        at(0.99),
        at(1.0),
        resident_kb()
    );
    let listed = bench.store.deliveries(None, 1_000_000).unwrap();
    let count = |outcome| listed.iter().filter(|one| one.outcome == outcome).count();
    assert_eq!(count(DeliveryOutcome::Queued), genuine);
    assert_eq!(bench.store.builds(None, None, 1_000_000).unwrap().len(), genuine);
    assert!(count(DeliveryOutcome::Refused) <= 1000);
    // The figure that is asked for is 100 ms, on a machine that does nothing else.
    assert!(at(0.99) < Duration::from_secs(2), "{:?}", at(0.99));
}

fn call(bench: &Bench, kind: Kind, n: usize) -> Vec<u8> {
    let body = push("main", &commit(n));
    let secret = if kind == Kind::Forged { "guessed" } else { SECRET };
    let head = format!(
        "POST /hooks/digits HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nContent-Length: {}\r\n\
         X-GitHub-Event: push\r\nX-GitHub-Delivery: {n}\r\nX-Hub-Signature-256: sha256={}\r\n\r\n",
        bench.address,
        body.len(),
        signed(secret, &body)
    );
    [head.as_bytes(), body.as_bytes()].concat()
}

/// Makes all calls at once, each on its own connection; returns how long each took from connecting to the answer.
fn burst_of(bench: &Bench, calls: &[(Kind, Vec<u8>)]) -> Vec<Duration> {
    let gate = std::sync::Barrier::new(calls.len());
    let mut times = Vec::new();
    std::thread::scope(|scope| {
        let threads: Vec<_> = calls
            .iter()
            .map(|(kind, bytes)| {
                let gate = &gate;
                let call = move || {
                    gate.wait();
                    let began = Instant::now();
                    let mut stream = bench.connect();
                    stream.write_all(bytes).unwrap();
                    let mut reply = Vec::new();
                    stream.read_to_end(&mut reply).unwrap();
                    let took = began.elapsed();
                    let status = Reply::parse(&reply).unwrap().status;
                    match kind {
                        // The replay of one of the same burst may come before it.
                        Kind::Genuine | Kind::Replayed => {
                            assert!([200, 202].contains(&status), "{status}")
                        }
                        Kind::Forged => assert_eq!(status, 401),
                    }
                    took
                };
                std::thread::Builder::new().stack_size(256 << 10).spawn_scoped(scope, call).unwrap()
            })
            .collect();
        times.extend(threads.into_iter().map(|thread| thread.join().unwrap()));
    });
    times
}

/// The memory of this process.
pub(super) fn resident_kb() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.trim().split(' ').next()?.parse().ok()).unwrap_or(0)
}
