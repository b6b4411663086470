//! The stream of changes, and the end of the service.

use std::io::{BufRead, BufReader, Read, Write};
use std::time::{Duration, Instant};

use super::bench::{Bench, asked};

fn subscribe(bench: &Bench) -> BufReader<std::net::TcpStream> {
    let mut stream = bench.connect();
    let request = format!("GET /live HTTP/1.1\r\nHost: {}\r\n\r\n", bench.address);
    stream.write_all(request.as_bytes()).unwrap();
    let mut stream = BufReader::new(stream);
    line(&mut stream, "retry: ");
    stream
}

/// Reads until a line begins with something.
fn line(stream: &mut BufReader<std::net::TcpStream>, start: &str) -> String {
    loop {
        let mut line = String::new();
        assert!(stream.read_line(&mut line).unwrap() > 0, "it ended before {start}");
        if line.starts_with(start) {
            return line;
        }
    }
}

#[test]
fn changes_are_told_within_a_second_or_two_and_streams_end_with_the_service() {
    let mut bench = Bench::open();
    bench.fill();
    let mut stream = subscribe(&bench);
    // The first look is what later ones are compared with.
    std::thread::sleep(Duration::from_millis(2600));
    bench.store.ask_to_stop(5).unwrap();
    let began = Instant::now();
    assert_eq!(line(&mut stream, "data: ").trim(), "data: {\"builds\":[5],\"deliveries\":false}");
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    let mut others: Vec<_> = (0..20).map(|_| subscribe(&bench)).collect();
    let began = Instant::now();
    bench.stop.request();
    bench.thread.take().unwrap().join().unwrap();
    let took = began.elapsed();
    assert!(took < Duration::from_secs(5), "{took:?}");
    for stream in others.iter_mut().chain([&mut stream]) {
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).unwrap();
        assert!(rest.ends_with(b"0\r\n\r\n"), "cut off: {:?}", String::from_utf8_lossy(&rest));
    }
}

#[test]
fn streams_are_bounded() {
    let bench = Bench::open();
    let streams: Vec<_> = (0..64).map(|_| subscribe(&bench)).collect();
    assert_eq!(bench.ask("GET /live", &[], b"").status, 503);
    assert_eq!(bench.page("/").status, 200);
    drop(streams);
    bench.store.enqueue(asked("a")).unwrap();
}

#[test]
fn the_service_ends_though_requests_are_half_sent() {
    let mut bench = Bench::open();
    let half: Vec<_> =
        ["", "GET / HT", "POST /hooks/digits HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nab"]
            .iter()
            .map(|text| {
                let mut stream = bench.connect();
                stream.write_all(text.as_bytes()).unwrap();
                stream
            })
            .collect();
    std::thread::sleep(Duration::from_millis(200));
    let began = Instant::now();
    bench.stop.request();
    bench.thread.take().unwrap().join().unwrap();
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    drop(half);
}
