//! Tests of `run`, beside an engine that is played: what real ones do for a moment only.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use super::*;
use crate::job::tests::job;
use crate::settings::LABEL;

const YEAR_1: &str = "0001-01-01T00:00:00Z";
const LONG_AGO: &str = "2020-01-01T00:00:00Z";

/// Answers a request, by its method and path, with a status and a body.
type Answer = Box<dyn FnMut(&str) -> (u16, Value) + Send>;

/// An engine of one container, which it lists as made and not yet started.
struct Played {
    socket: PathBuf,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Drop for Played {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.socket);
    }
}

impl Played {
    fn new(name: &str, mut answer: Answer) -> Self {
        let name = format!("burgeon-played-{name}-{}.sock", std::process::id());
        let socket = std::env::temp_dir().join(name);
        let _ = std::fs::remove_file(&socket);
        let listener = UnixListener::bind(&socket).unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let requests = asked.clone();
        // It ends with the test.
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let request = read_request(&stream);
                let (status, body) = match request.as_str() {
                    "GET /_ping" => (200, json!("OK")),
                    "GET /version" => (200, json!({ "ApiVersion": "1.41" })),
                    "GET /containers/json" => {
                        let labels = json!({ LABEL: job().label });
                        (200, json!([{ "Id": "a", "Labels": labels, "State": "created" }]))
                    }
                    "GET /containers/a/logs" => (200, Value::Null),
                    _ => answer(&request),
                };
                requests.lock().unwrap().push(request);
                reply(&stream, status, &body);
            }
        });
        Self { socket, asked }
    }

    fn run(&self) -> Result<Ended, ContainerError> {
        let mut job = job();
        job.limits.seconds = None;
        Engine::connect(Some(&self.socket)).unwrap().run(&job, &mut |_| (), &|| false)
    }

    fn times(&self, request: &str) -> usize {
        self.asked.lock().unwrap().iter().filter(|asked| *asked == request).count()
    }
}

/// Method and path, without the version of the interface and without what is asked for in detail.
fn read_request(stream: &UnixStream) -> String {
    let mut reader = BufReader::new(stream);
    let (mut first, mut length) = (String::new(), 0);
    reader.read_line(&mut first).unwrap();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        let line = line.trim().to_ascii_lowercase();
        if line.is_empty() {
            break;
        }
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
    }
    reader.read_exact(&mut vec![0; length]).unwrap();
    let mut words = first.split_whitespace();
    let (method, path) = (words.next().unwrap(), words.next().unwrap());
    let path = path.split('?').next().unwrap();
    let version = path.strip_prefix("/v").and_then(|rest| rest.find('/').map(|at| &rest[at..]));
    let is_versioned = version.is_some() && !path.starts_with("/version");
    format!("{method} {}", version.filter(|_| is_versioned).unwrap_or(path))
}

fn reply(mut stream: &UnixStream, status: u16, body: &Value) {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let text = match status {
        204 | 304 => format!("HTTP/1.1 {status} X\r\nConnection: close\r\n\r\n"),
        _ => format!(
            "HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        ),
    };
    stream.write_all(text.as_bytes()).unwrap();
}

/// What the engine says of the container.
fn state(status: &str, started: &str) -> (u16, Value) {
    let limits = json!({ "Memory": 1 << 30, "PidsLimit": 64, "NanoCpus": 1_500_000_000_i64 });
    let state = json!({ "Status": status, "Running": false, "StartedAt": started, "ExitCode": 7 });
    (200, json!({ "Id": "a", "HostConfig": limits, "State": state }))
}

fn refusal(status: u16) -> (u16, Value) {
    (status, json!({ "message": "as a test may" }))
}

#[test]
fn a_container_that_is_listed_before_it_is_known_is_waited_for() {
    let (mut looks, mut runs) = (0, false);
    let played = Played::new(
        "listed",
        Box::new(move |request| match request {
            "GET /containers/a/json" if runs => state("exited", LONG_AGO),
            "GET /containers/a/json" => {
                looks += 1;
                if looks < 3 { refusal(404) } else { state("created", YEAR_1) }
            }
            "POST /containers/a/start" => {
                runs = true;
                (204, Value::Null)
            }
            _ => refusal(500),
        }),
    );
    assert_eq!(played.run().unwrap(), Ended::Exited(7));
    assert_eq!(played.times("POST /containers/a/start"), 1);
}

#[test]
fn a_container_that_is_gone_before_it_is_known_is_an_error_that_says_so() {
    let played = Played::new("gone", Box::new(|_| refusal(404)));
    let error = played.run().unwrap_err();
    assert!(matches!(error, ContainerError::Gone { .. }), "{error}");
}

#[test]
fn a_container_that_has_run_since_it_was_listed_is_not_started_again() {
    let played = Played::new(
        "has-run",
        Box::new(|request| match request {
            "GET /containers/a/json" => state("exited", LONG_AGO),
            _ => refusal(500),
        }),
    );
    assert_eq!(played.run().unwrap(), Ended::Exited(7));
    assert_eq!(played.times("POST /containers/a/start"), 0);
}

#[test]
fn the_end_of_a_container_that_somebody_else_started_is_kept() {
    let mut was_asked = false;
    let played = Played::new(
        "kept",
        Box::new(move |request| match request {
            "GET /containers/a/json" if was_asked => state("exited", LONG_AGO),
            "GET /containers/a/json" => state("created", YEAR_1),
            "POST /containers/a/start" => {
                was_asked = true;
                refusal(500)
            }
            _ => refusal(500),
        }),
    );
    assert_eq!(played.run().unwrap(), Ended::Exited(7));
    assert_eq!(played.times("DELETE /containers/a"), 0);
}

#[test]
fn a_container_that_cannot_be_started_is_removed() {
    let played = Played::new(
        "refused",
        Box::new(|request| match request {
            "GET /containers/a/json" => state("created", YEAR_1),
            "DELETE /containers/a" => (204, Value::Null),
            _ => refusal(500),
        }),
    );
    let error = played.run().unwrap_err();
    assert!(matches!(error, ContainerError::Refused { doing: "start", .. }), "{error}");
    assert_eq!(played.times("DELETE /containers/a"), 1);
}
