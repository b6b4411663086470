//! The states of commits, told to stand-ins that take what the documentation of each service says and refuse the rest.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::config::{Config, Forge, StatusSpec};
use super::status::{Posted, Scope, post};
use super::store::{BuildRequest, BuildRow, Cause, Queued, Store, Verdict};

const TOKEN: &str = "canary-11";
const COMMIT: &str = "0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a";

/// One request.
#[derive(Debug, Clone)]
struct Asking {
    line: String,
    headers: BTreeMap<String, String>,
    body: Value,
}

/// An answer: code, more headers, body.
type Answer = (u16, String, String);

/// A service that answers as `answer` says, which is given what came before.
struct Standin {
    address: String,
    asked: Arc<Mutex<Vec<Asking>>>,
}

impl Standin {
    fn new(answer: impl Fn(&Asking, &[Asking]) -> Answer + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&asked);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let mut stream = BufReader::new(stream);
                let Some(asking) = read(&mut stream) else { continue };
                let (code, more, said) = answer(&asking, &kept.lock().unwrap());
                kept.lock().unwrap().push(asking);
                let length = said.len();
                let _ = write!(
                    stream.get_mut(),
                    "HTTP/1.1 {code} X\r\nContent-Length: {length}\r\nConnection: close\r\n{more}\r\n{said}"
                );
            }
        });
        Self { address, asked }
    }

    fn asked(&self) -> Vec<Asking> {
        self.asked.lock().unwrap().clone()
    }
}

fn read(stream: &mut impl BufRead) -> Option<Asking> {
    let mut line = String::new();
    stream.read_line(&mut line).ok()?;
    let mut headers = BTreeMap::new();
    loop {
        let mut header = String::new();
        stream.read_line(&mut header).ok()?;
        let Some((name, value)) = header.trim_end().split_once(": ") else { break };
        headers.insert(name.to_lowercase(), value.to_owned());
    }
    let length = headers.get("content-length").map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    stream.read_exact(&mut body).ok()?;
    Some(Asking {
        line: line.trim_end().to_owned(),
        headers,
        body: serde_json::from_slice(&body).ok()?,
    })
}

fn refused(code: u16, why: &str) -> Answer {
    (code, String::new(), serde_json::json!({ "message": why }).to_string())
}

/// Whether the body is an object of these keys, all with texts, the first of which are there.
fn check_body(asking: &Asking, needed: &[&str], more: &[&str]) -> Result<(), Answer> {
    let wrong = |why: String| Err(refused(422, &why));
    let Some(body) = asking.body.as_object() else { return wrong("no object".into()) };
    for (key, value) in body {
        if !(needed.contains(&&**key) || more.contains(&&**key)) {
            return wrong(format!("{key} is not known"));
        }
        if !value.is_string() {
            return wrong(format!("{key} is no text"));
        }
    }
    match needed.iter().find(|key| !body.contains_key(**key)) {
        Some(key) => wrong(format!("{key} is missing")),
        None => Ok(()),
    }
}

/// GitHub, "Create a commit status": https://docs.github.com/en/rest/commits/statuses
fn github(asking: &Asking, _: &[Asking]) -> Answer {
    if asking.line != format!("POST /repos/ann/digits/statuses/{COMMIT} HTTP/1.1") {
        return refused(404, "Not Found");
    }
    let header = |name: &str| asking.headers.get(name).map(String::as_str);
    if header("authorization") != Some(&format!("Bearer {TOKEN}")) {
        return refused(401, "Bad credentials");
    }
    if header("user-agent").is_none() || header("x-github-api-version") != Some("2022-11-28") {
        return refused(403, "Request forbidden by administrative rules");
    }
    if let Err(answer) = check_body(asking, &["state"], &["target_url", "description", "context"]) {
        return answer;
    }
    let description = asking.body["description"].as_str().unwrap_or_default();
    if !["error", "failure", "pending", "success"].contains(&asking.body["state"].as_str().unwrap())
        || description.chars().count() > 140
    {
        return refused(422, "Validation Failed");
    }
    (201, String::new(), "{\"id\":1}".into())
}

/// Gitea and Forgejo, `repoCreateStatus` with a `CreateStatusOption`: https://docs.gitea.com/api
fn gitea(asking: &Asking, _: &[Asking]) -> Answer {
    if asking.line != format!("POST /api/v1/repos/ann/digits/statuses/{COMMIT} HTTP/1.1") {
        return refused(404, "GetCommit");
    }
    if asking.headers.get("authorization") != Some(&format!("token {TOKEN}")) {
        return refused(401, "token is required");
    }
    if asking.headers.get("content-type").map(String::as_str) != Some("application/json") {
        return refused(422, "Unsupported Content-Type");
    }
    if let Err(answer) = check_body(asking, &["state"], &["target_url", "description", "context"]) {
        return answer;
    }
    let states = ["pending", "success", "error", "failure", "warning"];
    if !states.contains(&asking.body["state"].as_str().unwrap()) {
        return refused(422, "[State]: Invalid");
    }
    (201, String::new(), "{\"id\":1}".into())
}

/// GitLab, "Set commit pipeline status": https://docs.gitlab.com/api/commits/#set-commit-pipeline-status
fn gitlab(asking: &Asking, before: &[Asking]) -> Answer {
    // The path of a project is one part of the address.
    if asking.line != format!("POST /api/v4/projects/lab%2Fann%2Fdigits/statuses/{COMMIT} HTTP/1.1")
    {
        return refused(404, "404 Project Not Found");
    }
    if asking.headers.get("private-token").map(String::as_str) != Some(TOKEN) {
        return refused(401, "401 Unauthorized");
    }
    let more = ["ref", "name", "context", "target_url", "description"];
    if let Err((_, _, said)) = check_body(asking, &["state"], &more) {
        return (400, String::new(), said);
    }
    let state = asking.body["state"].as_str().unwrap();
    if !["pending", "running", "success", "failed", "canceled", "skipped"].contains(&state) {
        return (400, String::new(), "{\"error\":\"state does not have a valid value\"}".into());
    }
    // Of one that runs, what it does already is no change.
    let last = before.last().and_then(|last| last.body["state"].as_str());
    if last == Some(state) && ["pending", "running"].contains(&state) {
        let why = format!(
            "Cannot transition status via :run from :{state} (Reason(s): Status cannot transition via \"run\")"
        );
        return refused(400, &why);
    }
    (201, String::new(), "{\"id\":1}".into())
}

/// A folder with the token, a configuration, and a build in each state that is told.
struct Bench {
    folder: tempfile::TempDir,
    config: Config,
    store: Store,
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("token"), format!("{TOKEN}\n")).unwrap();
        let text = "public-url = \"https://ci.example.org/\"\n";
        let config = Config::parse(&PathBuf::from("server.toml"), folder.path(), text).unwrap();
        Self { folder, config, store: Store::in_memory() }
    }

    fn spec(&self, kind: Forge, api: String) -> StatusSpec {
        StatusSpec { kind, api, token_file: self.folder.path().join("token") }
    }

    /// A build that waits, runs or ended.
    fn build(&self, runs: bool, verdict: Option<Verdict>) -> BuildRow {
        let asked = BuildRequest {
            repository: "digits",
            branch: "main",
            commit: COMMIT,
            cause: Cause::Asked,
        };
        let (Queued::New(id) | Queued::Known(id)) = self.store.enqueue(asked).unwrap();
        if runs {
            self.store.start(id).unwrap();
        }
        if let Some(verdict) = verdict {
            self.store.set_accuracy(id, Some(0.9612), Some(0.9)).unwrap();
            self.store.end(id, verdict, "").unwrap();
        }
        self.store.build(id).unwrap().unwrap()
    }
}

fn seconds(told: &Posted) -> Option<u64> {
    match told {
        Posted::RetryLater { after, .. } => after.map(|after| after.as_secs()),
        _ => None,
    }
}

#[test]
fn each_service_takes_what_its_documentation_says() {
    type Service = fn(&Asking, &[Asking]) -> Answer;
    let services: [(Forge, Service, &str, [&str; 5]); 3] = [
        (
            Forge::Github,
            github,
            "/repos/ann/digits",
            ["pending", "pending", "success", "failure", "error"],
        ),
        (
            Forge::Gitea,
            gitea,
            "/api/v1/repos/ann/digits/",
            ["pending", "pending", "success", "failure", "error"],
        ),
        (
            Forge::Gitlab,
            gitlab,
            "/api/v4/projects/lab%2Fann%2Fdigits",
            ["pending", "running", "success", "failed", "canceled"],
        ),
    ];
    for (kind, service, path, words) in services {
        let (bench, standin) = (Bench::new(), Standin::new(service));
        let spec = bench.spec(kind, format!("{}{path}", standin.address));
        for (runs, verdict) in [
            (false, None),
            (true, None),
            (true, Some(Verdict::Accepted)),
            (true, Some(Verdict::NotPassed)),
            (true, Some(Verdict::Cancelled)),
        ] {
            let build = bench.build(runs, verdict);
            assert_eq!(
                post(&bench.config, &spec, &build),
                Posted::Accepted,
                "{kind:?} {verdict:?}"
            );
            if verdict.is_none() {
                bench.store.end(build.id, Verdict::Cancelled, "").unwrap();
            }
        }
        let asked = standin.asked();
        let told: Vec<&str> =
            asked.iter().map(|asking| asking.body["state"].as_str().unwrap()).collect();
        assert_eq!(told, words, "{kind:?}");
        assert_eq!(asked[2].body["description"], "96.12 % on held-out data");
        assert_eq!(asked[2].body["target_url"], "https://ci.example.org/builds/3");
    }
}

#[test]
fn the_path_of_a_gitlab_project_is_encoded_where_it_is_not() {
    let (bench, standin) = (Bench::new(), Standin::new(gitlab));
    let build = bench.build(true, Some(Verdict::Failed));
    for path in ["/api/v4/projects/lab/ann/digits", "/api/v4/projects/lab%2Fann%2Fdigits/"] {
        let spec = bench.spec(Forge::Gitlab, format!("{}{path}", standin.address));
        assert_eq!(post(&bench.config, &spec, &build), Posted::Accepted, "{path}");
    }
    let asked = standin.asked();
    assert_eq!(
        (&asked[0].body["ref"], &asked[0].body["state"]),
        (&"main".into(), &"failed".into())
    );
}

#[test]
fn a_state_that_gitlab_has_already_is_told() {
    let (bench, standin) = (Bench::new(), Standin::new(gitlab));
    let spec = bench
        .spec(Forge::Gitlab, format!("{}/api/v4/projects/lab%2Fann%2Fdigits", standin.address));
    let build = bench.build(true, None);
    assert_eq!(post(&bench.config, &spec, &build), Posted::Accepted);
    // Its answer was lost, or the service began anew.
    assert_eq!(post(&bench.config, &spec, &build), Posted::Accepted);
    assert_eq!(standin.asked().len(), 2);
}

#[test]
fn errors_and_rates_are_taken_as_they_are_meant() {
    let bench = Bench::new();
    let build = bench.build(true, Some(Verdict::Accepted));
    let reset = jiff::Timestamp::now().as_second() + 90;
    let answered = |code: u16, headers: String, kind| {
        let standin = Standin::new(move |_, _| {
            (code, headers.clone(), format!("{{\"message\":\"no {TOKEN} here\\u0007\"}}"))
        });
        post(&bench.config, &bench.spec(kind, standin.address), &build)
    };
    let plain = |code| answered(code, String::new(), Forge::Github);
    for code in [408, 500, 502, 503, 504] {
        let told = plain(code);
        assert!(
            matches!(&told, Posted::RetryLater { scope: Scope::Service, after: None, .. }),
            "{told:?}"
        );
    }
    for code in [301, 307, 401, 403, 404] {
        let told = plain(code);
        assert!(
            matches!(&told, Posted::RetryLater { scope: Scope::Commit, .. }),
            "{code}: {told:?}"
        );
    }
    for code in [400, 410, 413, 422] {
        let Posted::Rejected(why) = plain(code) else { panic!("{code}") };
        assert!(why.contains(&format!("answered {code}")) && why.contains("no … here"), "{why}");
        assert!(!why.contains(TOKEN) && !why.contains('\u{7}'), "{why}");
    }
    // GitHub: "If the retry-after response header is present …", and "x-ratelimit-remaining is 0".
    let told = answered(403, "Retry-After: 60\r\n".into(), Forge::Github);
    assert_eq!(seconds(&told), Some(60), "{told:?}");
    assert!(matches!(told, Posted::RetryLater { scope: Scope::Service, .. }));
    let used_up = format!("X-RateLimit-Remaining: 0\r\nX-RateLimit-Reset: {reset}\r\n");
    for code in [403, 429] {
        let told = answered(code, used_up.clone(), Forge::Github);
        assert!((80..=91).contains(&seconds(&told).unwrap()), "{told:?}");
    }
    let told = answered(
        403,
        format!("X-RateLimit-Remaining: 9\r\nX-RateLimit-Reset: {reset}\r\n"),
        Forge::Github,
    );
    assert_eq!(seconds(&told), None, "the rate is no matter: {told:?}");
    // GitLab: "RateLimit-Reset", "Retry-After".
    let told = answered(
        429,
        format!("RateLimit-Remaining: 0\r\nRateLimit-Reset: {reset}\r\n"),
        Forge::Gitlab,
    );
    assert!((80..=91).contains(&seconds(&told).unwrap()), "{told:?}");
    let told = answered(429, "Retry-After: 9999999\r\n".into(), Forge::Gitlab);
    assert_eq!(seconds(&told), Some(3600), "nobody makes it wait for longer");
    // Nobody is there.
    let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let told = post(&bench.config, &bench.spec(Forge::Gitea, format!("http://{gone}")), &build);
    assert!(matches!(told, Posted::RetryLater { scope: Scope::Service, .. }), "{told:?}");
    std::fs::remove_file(bench.folder.path().join("token")).unwrap();
    let told = post(&bench.config, &bench.spec(Forge::Gitea, format!("http://{gone}")), &build);
    assert!(matches!(&told, Posted::RetryLater { why, .. } if why.contains("token")), "{told:?}");
}

/// A service with one repository whose states are told to a stand-in.
fn chain(kind: &str, api: &str, folder: &std::path::Path) -> Arc<super::Chain> {
    std::fs::write(folder.join("token"), TOKEN).unwrap();
    let text = format!(
        "[[repository]]\nname = \"digits\"\nurl = \"/nowhere.git\"\npoll-seconds = 0\n\
         status = {{ kind = \"{kind}\", api = \"{api}\", token-file = \"token\" }}\n"
    );
    let config = Config::parse(&PathBuf::from("server.toml"), folder, &text).unwrap();
    Arc::new(super::Chain::open(config, "/nowhere/burgeon".into()).unwrap())
}

fn until(what: &str, is_so: impl Fn() -> bool) {
    let since = Instant::now();
    while !is_so() {
        assert!(since.elapsed() < Duration::from_secs(60), "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_state_is_told_again_when_the_service_is_back_and_given_up_when_it_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    // Down at first; then it refuses the first commit and takes the second.
    let standin = Standin::new(|asking, before| match before.len() {
        0 => (503, "Retry-After: 1\r\n".into(), String::new()),
        _ if asking.line.contains(COMMIT) => refused(422, "No commit found for SHA"),
        _ => (201, String::new(), "{}".into()),
    });
    let chain =
        chain("gitea", &format!("{}/api/v1/repos/ann/digits", standin.address), folder.path());
    let end = |commit: &str| {
        let asked =
            BuildRequest { repository: "digits", branch: "main", commit, cause: Cause::Push };
        let (Queued::New(id) | Queued::Known(id)) = chain.store.enqueue(asked).unwrap();
        chain.store.start(id).unwrap();
        chain.store.end(id, Verdict::Accepted, "").unwrap();
        std::fs::create_dir_all(chain.places.build(id)).unwrap();
        id
    };
    let (refused, taken) = (end(COMMIT), end(&"b".repeat(40)));
    // Without a commit there is nothing to tell.
    let nothing =
        BuildRequest { repository: "digits", branch: "dev", commit: "", cause: Cause::Asked };
    let (Queued::New(nothing) | Queued::Known(nothing)) = chain.store.enqueue(nothing).unwrap();
    chain.store.ask_to_stop(nothing).unwrap();
    let working = Arc::clone(&chain);
    let work = std::thread::spawn(move || working.work());
    until("all are settled", || chain.store.without_status().unwrap().is_empty());
    // The first failure was of the service: the second commit was not tried as long as that lasted.
    let lines: Vec<String> = standin.asked().iter().map(|asking| asking.line.clone()).collect();
    let told = |line: &String| if line.contains(COMMIT) { refused } else { taken };
    assert_eq!(lines.iter().map(told).collect::<Vec<_>>(), [refused, refused, taken], "{lines:?}");
    let log = std::fs::read_to_string(chain.places.log(refused)).unwrap();
    assert!(log.contains("could not be posted") && log.contains("No commit found"), "{log}");
    assert!(!log.contains(TOKEN));
    chain.stop();
    work.join().unwrap().unwrap();
}
