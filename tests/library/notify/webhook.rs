//! Webhooks: what is asked of a server, how it is signed, and what its answers mean.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use burgeon::unstable::notify::{MessageState, signature};

use super::Run;

#[derive(Debug, Clone)]
struct Request {
    first_line: String,
    headers: BTreeMap<String, String>,
    body: String,
}

/// Answers each request with the next of these statuses, the last one for ever.
fn serve(statuses: &'static [u16]) -> (String, Arc<Mutex<Vec<Request>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    let requests: Arc<Mutex<Vec<Request>>> = Arc::default();
    let kept = Arc::clone(&requests);
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let mut lines = Vec::new();
            loop {
                let mut line = String::new();
                reader.read_line(&mut line).unwrap();
                match line.trim_end() {
                    "" => break,
                    line => lines.push(line.to_owned()),
                }
            }
            let header = |line: &String| {
                let (name, value) = line.split_once(": ").unwrap();
                (name.to_lowercase(), value.to_owned())
            };
            let headers: BTreeMap<_, _> = lines[1..].iter().map(header).collect();
            let mut body = vec![0; headers["content-length"].parse().unwrap()];
            reader.read_exact(&mut body).unwrap();
            let mut requests = kept.lock().unwrap();
            let status = statuses[requests.len().min(statuses.len() - 1)];
            let body = String::from_utf8(body).unwrap();
            requests.push(Request { first_line: lines[0].clone(), headers, body });
            drop(requests);
            if status == 0 {
                // No answer, and no end.
                std::mem::forget(stream);
                continue;
            }
            let answer = format!(
                "HTTP/1.1 {status} x\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
            );
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    (url, requests)
}

#[test]
fn a_request_is_signed_and_repeated_under_the_same_identifier() {
    let (url, requests) = serve(&[500, 204]);
    let secret = tempfile::NamedTempFile::new().unwrap();
    fs::write(secret.path(), "canary-8\n").unwrap();
    let run =
        Run::new(&format!("webhook = [{{ url = \"{url}\", secret-file = {:?} }}]", secret.path()));
    run.queue();
    let flushed = run.send();
    assert!(flushed.waiting[0].error.as_ref().unwrap().contains("500"), "{flushed:?}");
    assert!(run.send().is_all_sent());
    let requests = requests.lock().unwrap().clone();
    assert_eq!(requests.len(), 2);
    for request in &requests {
        assert_eq!(request.first_line, "POST /hook HTTP/1.1");
        let header = |name: &str| request.headers[name].clone();
        assert_eq!(header("content-type"), "application/json");
        assert_eq!(header("x-burgeon-event"), "rejected");
        assert_eq!(header("x-burgeon-delivery"), run.messages()[0].id);
        let timestamp: i64 = header("x-burgeon-timestamp").parse().unwrap();
        let signed = signature(b"canary-8", timestamp, request.body.as_bytes());
        assert_eq!(header("x-burgeon-signature"), format!("sha256={signed}"));
        let body: serde_json::Value = serde_json::from_str(&request.body).unwrap();
        assert_eq!(body["event"], "rejected");
        assert_eq!(body["study"], "seedling");
        assert_eq!(body["validation_accuracy"], 0.7);
        assert_eq!(body["required_accuracy"], 0.8);
        assert_eq!(body["at"], "2026-01-02T03:04:05.000Z");
        assert_eq!(body["id"], run.messages()[0].id.as_str());
    }
    assert_eq!(requests[0].body, requests[1].body);
    assert!(!run.kept().contains("canary-8"));
}

#[test]
fn slack_gets_a_text_in_which_nothing_is_a_command() {
    let (url, requests) = serve(&[200]);
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), format!("{url}?canary-9\n")).unwrap();
    let run =
        Run::new(&format!("webhook = [{{ url-file = {:?}, template = \"slack\" }}]", file.path()));
    run.queue();
    assert!(run.send().is_all_sent());
    let requests = requests.lock().unwrap().clone();
    let body: serde_json::Value = serde_json::from_str(&requests[0].body).unwrap();
    assert_eq!(
        body,
        serde_json::json!({ "text": "*seedling rejected: 70.00 % on validation images*\n\
            Rejected: 70 % &lt;is&gt; below 80 % &amp; more." })
    );
    assert!(!requests[0].headers.contains_key("x-burgeon-signature"));
    let shown = format!("{} {:?}", run.kept(), run.messages());
    assert!(!shown.contains("canary-9"), "{shown}");
}

#[test]
fn refusals_and_moves_are_parked_and_silence_is_waited_for() {
    for (statuses, state) in [
        (&[404][..], MessageState::Parked),
        (&[302], MessageState::Parked),
        (&[429], MessageState::Waiting),
        (&[503], MessageState::Waiting),
        (&[0], MessageState::Waiting),
    ] {
        let (url, requests) = serve(statuses);
        let run = Run::new(&format!("webhook = [{{ url = \"{url}\" }}]"));
        run.queue();
        run.send_within(Duration::from_millis(600));
        assert_eq!(run.states(), [state], "{statuses:?}: {:?}", run.messages());
        assert_eq!(requests.lock().unwrap().len(), 1);
    }
    let run = Run::new("webhook = [{ url = \"http://127.0.0.1:1/\" }]");
    run.queue();
    assert_eq!(run.send().waiting.len(), 1);
    assert!(run.messages()[0].to.contains("http://127.0.0.1:1"), "{:?}", run.messages());
}

#[test]
fn an_address_in_a_file_is_checked_as_one_in_the_study_is() {
    for wrong in ["http://example.org/", "https://u:p@example.org/", "file:///etc/passwd"] {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), wrong).unwrap();
        let run = Run::new(&format!("webhook = [{{ url-file = {:?} }}]", file.path()));
        run.queue();
        let flushed = run.send();
        let why = flushed.waiting[0].error.as_ref().unwrap();
        assert!(why.contains("the address of the webhook"), "{why}");
        assert!(!why.contains("example.org"), "{why}");
    }
}
