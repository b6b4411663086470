//! Sends one request over and over on several connections and counts the answers.
//!
//! `client PORT REQUEST_FILE CONNECTIONS SECONDS` prints answers a second. `serving.py` compiles it (`rustc -O`), as a client in
//! Python would take most of the core that the server needs.

use std::error::Error;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [port, file, connections, seconds] = &arguments[..] else {
        return Err("usage: client PORT REQUEST_FILE CONNECTIONS SECONDS".into());
    };
    let (port, request) = (port.parse()?, std::fs::read(file)?);
    let time = Duration::from_secs_f64(seconds.parse()?);
    let connections: usize = connections.parse()?;
    let began = Instant::now();
    let answers: Result<u64, String> = std::thread::scope(|scope| {
        let run = || connection(port, &request, began + time).map_err(|error| error.to_string());
        let threads: Vec<_> = (0..connections).map(|_| scope.spawn(run)).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().map_err(|_| "a thread panicked".to_owned())?)
            .sum()
    });
    println!("{:.1}", answers? as f64 / began.elapsed().as_secs_f64());
    Ok(())
}

/// Answers until `end` on one connection.
fn connection(port: u16, request: &[u8], end: Instant) -> Result<u64, Box<dyn Error>> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_nodelay(true)?;
    let (mut buffer, mut answers) = (vec![0; 1 << 16], 0);
    while Instant::now() < end {
        stream.write_all(request)?;
        read_answer(&mut stream, &mut buffer)?;
        answers += 1;
    }
    Ok(answers)
}

/// Reads an answer of known length to its end; it must be 200.
fn read_answer(stream: &mut TcpStream, buffer: &mut [u8]) -> Result<(), Box<dyn Error>> {
    let mut filled = 0;
    loop {
        let read = stream.read(&mut buffer[filled..])?;
        if read == 0 {
            return Err("the server hung up".into());
        }
        filled += read;
        let Some(end) = buffer[..filled].windows(4).position(|four| four == b"\r\n\r\n") else {
            continue;
        };
        let head = std::str::from_utf8(&buffer[..end])?.to_ascii_lowercase();
        if !head.lines().next().is_some_and(|line| line.contains(" 200 ")) {
            return Err(head.into());
        }
        let length = head.lines().find_map(|line| line.strip_prefix("content-length:"));
        let length: usize = length.ok_or("an answer without its length")?.trim().parse()?;
        while filled < end + 4 + length {
            let read = stream.read(&mut buffer[filled..])?;
            if read == 0 {
                return Err("the server hung up".into());
            }
            filled += read;
        }
        return Ok(());
    }
}
