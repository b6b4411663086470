//! Commit statuses, posted to the service that hosts the repository.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::site::{Site, study};

/// A service that hosts repositories: accepts every request but the first, and records it.
fn forge() -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}/repos/ann/digits", listener.local_addr().unwrap());
    let requests = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&requests);
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut text = String::new();
            let mut buffer = [0; 4096];
            // The body comes with the head, or right after it.
            stream.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
            while let Ok(read @ 1..) = stream.read(&mut buffer) {
                text += &String::from_utf8_lossy(&buffer[..read]);
                if text.ends_with('}') {
                    break;
                }
            }
            // The first one fails, and is tried again.
            let status = if kept.lock().unwrap().is_empty() { "503 Later" } else { "201 Created" };
            kept.lock().unwrap().push(text);
            let _ = write!(
                stream,
                "HTTP/1.1 {status}\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{{}}"
            );
        }
    });
    (address, requests)
}

#[test]
fn the_state_of_a_commit_is_told_until_it_is_taken() {
    let (api, requests) = forge();
    let mut site = Site::new(&format!(
        "study = \"study.toml\"\nstatus = {{ kind = \"github\", api = {api:?}, token-file = \"token\" }}\n"
    ));
    fs::write(site.at("token"), "canary-9\n").unwrap();
    site.serve();
    let commit = site.push(&[("study.toml", &study(0.3, 1))]);
    site.ended(1);
    let since = Instant::now();
    let told = loop {
        let requests = requests.lock().unwrap().clone();
        if requests.len() > 1 && requests.last().is_some_and(|last| last.contains("\"success\"")) {
            break requests;
        }
        assert!(since.elapsed() < Duration::from_secs(60), "{requests:#?}\n{}", site.log());
        sleep(Duration::from_millis(100));
    };
    assert!(told.len() >= 2, "tried again: {told:#?}");
    for request in &told {
        assert!(
            request.starts_with(&format!("POST /repos/ann/digits/statuses/{commit} ")),
            "{request}"
        );
        assert!(request.to_lowercase().contains("authorization: bearer canary-9"), "{request}");
    }
    // The token is nowhere but in its file.
    let found =
        Command::new("grep").args(["-rl", "canary-9"]).arg(site.folder.path()).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&found.stdout).trim(), site.at("token").to_str().unwrap());
}
