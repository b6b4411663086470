//! A service that runs, and a client that says exactly what it is told.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::chain::{
    BuildRequest, Cause, Config, Health, Places, Queued, StageName, StageState, Store, Verdict,
};
use crate::report::samples::{accepted, records};
use crate::serve::{Service, serve};
use crate::sys::signals::StopFlag;

/// The secret of the repository `digits`, and the one that replaces it.
pub(super) const SECRET: &str = "It's a Secret to Everybody";
pub(super) const NEW_SECRET: &str = "the next secret";

/// A service that runs until it is dropped.
pub(super) struct Bench {
    pub(super) store: Arc<Store>,
    pub(super) places: Places,
    pub(super) address: SocketAddr,
    pub(super) stop: StopFlag,
    pub(super) woken: Arc<AtomicUsize>,
    pub(super) health: Arc<Health>,
    pub(super) folder: tempfile::TempDir,
    pub(super) thread: Option<JoinHandle<()>>,
}

/// What was answered.
#[derive(Debug, Clone)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) head: String,
    pub(super) body: String,
}

impl Bench {
    /// A service without tokens: for everybody on this machine.
    pub(super) fn open() -> Self {
        Self::with("")
    }

    /// A service with the tokens `read-token` and `change-token`.
    pub(super) fn guarded() -> Self {
        Self::with("[access]\nread-token-file = \"read\"\nchange-token-file = \"change\"\n")
    }

    /// A service with more in its configuration.
    pub(super) fn with(more: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in [
            ("secret", SECRET),
            ("new", NEW_SECRET),
            ("read", "read-token"),
            ("change", "change-token"),
        ] {
            std::fs::write(folder.path().join(name), format!("{text}\n")).unwrap();
        }
        let text = format!(
            "listen = \"127.0.0.1:0\"\n{more}\n\
             [[repository]]\nname = \"digits\"\nurl = \"/srv/digits.git\"\ngate = 0.8\nsecret-files = [\"secret\", \"new\"]\n\
             [[repository]]\nname = \"letters\"\nurl = \"/srv/letters.git\"\n"
        );
        let config = Config::parse(Path::new("server.toml"), folder.path(), &text).unwrap();
        let places = Places::new(&config.folder);
        let store = Arc::new(Store::open(&places.database()).unwrap());
        Self::run(folder, config, store, places)
    }

    fn run(folder: tempfile::TempDir, config: Config, store: Arc<Store>, places: Places) -> Self {
        let woken = Arc::new(AtomicUsize::new(0));
        let health = Arc::new(Health::default());
        let counted = Arc::clone(&woken);
        let service = Service {
            config: Arc::new(config),
            store: Arc::clone(&store),
            places: places.clone(),
            health: Arc::clone(&health),
            wake: Arc::new(move || {
                counted.fetch_add(1, Ordering::SeqCst);
            }),
        };
        let stop = StopFlag::new();
        let (tell, told) = mpsc::channel();
        let flag = stop.clone();
        let thread = std::thread::spawn(move || {
            serve(service, &flag, &mut |address| tell.send(address).unwrap()).unwrap();
        });
        let address = told.recv_timeout(Duration::from_secs(10)).unwrap();
        Self { store, places, address, stop, woken, health, folder, thread: Some(thread) }
    }

    /// A connection.
    pub(super) fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream
    }

    /// Sends bytes and reads until the other end closes.
    pub(super) fn raw(&self, bytes: &[u8]) -> Vec<u8> {
        let mut stream = self.connect();
        let _ = stream.write_all(bytes);
        let mut reply = Vec::new();
        let _ = stream.read_to_end(&mut reply);
        reply
    }

    /// Makes a request with these headers.
    pub(super) fn ask(&self, line: &str, headers: &[(&str, &str)], body: &[u8]) -> Reply {
        let has_host = headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host"));
        let host = if has_host { String::new() } else { format!("Host: {}\r\n", self.address) };
        let mut request = format!("{line} HTTP/1.1\r\n{host}Connection: close\r\n");
        if !body.is_empty() || line.starts_with("POST") {
            request += &format!("Content-Length: {}\r\n", body.len());
        }
        for (name, value) in headers {
            request += &format!("{name}: {value}\r\n");
        }
        let reply = self.raw(&[request.as_bytes(), b"\r\n", body].concat());
        Reply::parse(&reply)
            .unwrap_or_else(|| panic!("{line}: {}", String::from_utf8_lossy(&reply)))
    }

    /// Gets a page as a browser does.
    pub(super) fn page(&self, path: &str) -> Reply {
        self.ask(&format!("GET {path}"), &[("Accept", "text/html")], b"")
    }

    /// Fills the record with a build that was accepted, one that was not, one that broke, one that runs and one that
    /// waits.
    pub(super) fn fill(&self) {
        let (store, places) = (&self.store, &self.places);
        let ends = [
            (Some(0.9612), Verdict::Accepted, "97.9 % on held-out data reaches the gate of 80 %"),
            (Some(0.6421), Verdict::NotPassed, "64.21 % is below the gate of 80 % after 8 trials"),
            (None, Verdict::Failed, "train: the program ended with exit code 1"),
            (Some(0.8718), Verdict::Accepted, "87.18 % on held-out data reaches the gate of 80 %"),
        ];
        for (n, (accuracy, verdict, why)) in (1..).zip(ends) {
            let id =
                self.begin(&format!("{n:x}").repeat(40), "ann@example.org", "Grow the first layer");
            let last =
                if verdict == Verdict::Failed { StageName::Train } else { StageName::Notify };
            for stage in StageName::ALL.iter().filter(|stage| !stage.is_of_growth()) {
                store.begin_stage(id, *stage).unwrap();
                let is_broken = verdict == Verdict::Failed && *stage == last;
                let state = if is_broken { StageState::Failed } else { StageState::Done };
                store.end_stage(id, *stage, state, "as it should").unwrap();
                if *stage == last {
                    break;
                }
            }
            store.set_accuracy(id, accuracy, Some(0.8)).unwrap();
            store.set_run(id, "runs/seedling-0001").unwrap();
            self.write_run(id);
            store.end(id, verdict, why).unwrap();
        }
        let id = self.begin(&"a".repeat(40), "Ben", "Train longer");
        store.begin_stage(id, StageName::Pull).unwrap();
        store.end_stage(id, StageName::Pull, StageState::Done, "12 files").unwrap();
        store.begin_stage(id, StageName::Detect).unwrap();
        std::fs::create_dir_all(places.build(id)).unwrap();
        std::fs::write(places.log(id), "pull: 12 files\n\u{1b}[32mtrial 1\u{1b}[0m\n").unwrap();
        let commit = "b".repeat(40);
        store.enqueue(asked(&commit)).unwrap();
    }

    /// Queues and starts a build.
    pub(super) fn begin(&self, commit: &str, author: &str, message: &str) -> i64 {
        let (Queued::New(id) | Queued::Known(id)) = self.store.enqueue(asked(commit)).unwrap();
        self.store.start(id).unwrap();
        self.store.set_commit(id, commit, author, message).unwrap();
        id
    }

    /// Writes the run of a build.
    pub(super) fn write_run(&self, id: i64) {
        let run = self.places.build(id).join("runs/seedling-0001");
        std::fs::create_dir_all(run.join("best")).unwrap();
        let lines = records(accepted()).into_iter().map(|one| one.to_line().unwrap() + "\n");
        std::fs::write(run.join("events.jsonl"), lines.collect::<String>()).unwrap();
        std::fs::write(run.join("accuracy.txt"), "0.9612\n").unwrap();
        std::fs::write(run.join("report.html"), "<!DOCTYPE html>\n<title>run</title>").unwrap();
        std::fs::write(run.join("best/model.onnx"), vec![7; 300_000]).unwrap();
        std::fs::write(self.places.log(id), "pull\ndetect\ntrain\n").unwrap();
    }
}

pub(super) fn asked(commit: &str) -> BuildRequest<'_> {
    BuildRequest { repository: "digits", branch: "main", commit, cause: Cause::Push }
}

impl Drop for Bench {
    fn drop(&mut self) {
        self.stop.request();
        if let Some(Err(panic)) = self.thread.take().map(JoinHandle::join)
            && !std::thread::panicking()
        {
            std::panic::resume_unwind(panic);
        }
    }
}

impl Reply {
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let at = bytes.windows(4).position(|four| four == b"\r\n\r\n")?;
        let head = String::from_utf8_lossy(&bytes[..at]).into_owned();
        let status = head.get(9..12)?.parse().ok()?;
        let body = &bytes[at + 4..];
        let body = if head.to_lowercase().contains("transfer-encoding: chunked") {
            unchunked(body)
        } else {
            body.to_vec()
        };
        Some(Self { status, body: String::from_utf8_lossy(&body).into_owned(), head })
    }

    /// The value of a header.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (found, value) = line.split_once(": ")?;
            found.eq_ignore_ascii_case(name).then_some(value)
        })
    }

    /// What a form on the page proves itself with.
    pub(super) fn form_token(&self) -> String {
        self.form_token_if_any().unwrap()
    }

    pub(super) fn form_token_if_any(&self) -> Option<String> {
        let (_, rest) = self.body.split_once("name=\"form\" value=\"")?;
        Some(rest.split('"').next().unwrap().to_owned())
    }
}

fn unchunked(mut body: &[u8]) -> Vec<u8> {
    let mut whole = Vec::new();
    while let Some(at) = body.windows(2).position(|two| two == b"\r\n") {
        let length = std::str::from_utf8(&body[..at]).ok();
        let Some(length) = length.and_then(|text| usize::from_str_radix(text, 16).ok()) else {
            break;
        };
        let Some(piece) = body.get(at + 2..at + 2 + length).filter(|piece| !piece.is_empty())
        else {
            break;
        };
        whole.extend_from_slice(piece);
        body = body.get(at + 4 + length..).unwrap_or_default();
    }
    whole
}
