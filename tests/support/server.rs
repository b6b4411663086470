//! A web server for tests, on this machine alone.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// What a server answers to a request for `name`.
type Answer = dyn Fn(&str, &mut TcpStream) -> std::io::Result<()> + Send + Sync;

/// A server on this machine, gone with the test process.
pub struct Server {
    pub address: String,
    pub requests: Arc<AtomicUsize>,
}

/// Answers every request on a thread of its own.
pub fn serve(
    answer: impl Fn(&str, &mut TcpStream) -> std::io::Result<()> + Send + Sync + 'static,
) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}/mnist/", listener.local_addr().unwrap());
    let requests = Arc::new(AtomicUsize::new(0));
    let (answer, counter): (Arc<Answer>, _) = (Arc::new(answer), Arc::clone(&requests));
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let (answer, counter) = (Arc::clone(&answer), Arc::clone(&counter));
            thread::spawn(move || handle(stream, &*answer, &counter));
        }
    });
    Server { address, requests }
}

fn handle(mut stream: TcpStream, answer: &Answer, counter: &AtomicUsize) -> Option<()> {
    let mut lines = BufReader::new(stream.try_clone().ok()?).lines();
    let request = lines.next()?.ok()?;
    while !lines.next()?.ok()?.is_empty() {}
    counter.fetch_add(1, Ordering::Relaxed);
    let name = request.split(' ').nth(1)?.rsplit('/').next()?;
    // A client that hangs up is part of the tests.
    let _ = answer(name, &mut stream);
    Some(())
}

/// Sends a body as an answer that is well.
pub fn send(stream: &mut TcpStream, body: &[u8]) -> std::io::Result<()> {
    write!(
        stream,
        "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    )?;
    stream.write_all(body)
}
