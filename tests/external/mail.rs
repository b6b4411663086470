//! Mail over TLS with a login to a real server, read back by a program that is not ours.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::skipping::{Group, tests};
use crate::support::{Bench, expect_code, stderr};

pub fn group() -> Group {
    Group {
        name: "mail",
        missing: missing(),
        tests: tests![
            mail_arrives_whole_over_tls_with_a_login,
            a_wrong_password_is_refused_and_the_right_one_sends_it_later,
            a_server_with_another_certificate_gets_nothing
        ],
    }
}

pub fn missing() -> Option<String> {
    let runs = |program: &str, arguments: &[&str]| {
        let output = Command::new(program).args(arguments).output();
        output.is_ok_and(|output| output.status.success())
    };
    if !runs("python3", &["-c", "import aiosmtpd.smtp"]) {
        return Some("no aiosmtpd for Python (pip install aiosmtpd)".into());
    }
    (!runs("openssl", &["version"])).then(|| "no openssl".into())
}

/// Beside this file.
fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/external/mail").join(name)
}

/// A server of its own authority, for `localhost`.
pub struct Server {
    folder: tempfile::TempDir,
    process: Child,
    pub port: u16,
}

impl Drop for Server {
    fn drop(&mut self) {
        // It ends with its standard input, too, if this fails.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Server {
    pub fn start(mode: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        certify(folder.path());
        let path = |name: &str| folder.path().join(name);
        let mut process = Command::new("python3")
            .arg(script("server.py"))
            .args([folder.path(), Path::new(mode), &path("server.pem"), &path("server.key")])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // It warns of what is meant here.
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let port = line.trim().parse().unwrap();
        Self { folder, process, port }
    }

    pub fn ca(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    pub fn taken(&self) -> usize {
        (1..)
            .take_while(|number| self.folder.path().join(format!("{number}.json")).exists())
            .count()
    }

    pub fn about(&self, number: usize) -> Value {
        let text = fs::read(self.folder.path().join(format!("{number}.json"))).unwrap();
        serde_json::from_slice(&text).unwrap()
    }

    /// What Python finds in a message that was taken over.
    pub fn parsed(&self, number: usize) -> Value {
        parsed(&self.folder.path().join(format!("{number}.eml")))
    }
}

/// What Python finds in a message.
pub fn parsed(message: &Path) -> Value {
    let output = Command::new("python3").arg(script("parse.py")).arg(message).output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Makes an authority, and a certificate of it for `localhost`.
pub fn certify(folder: &Path) {
    let openssl = |arguments: &str| {
        let output = Command::new("openssl")
            .args(arguments.split(' '))
            .current_dir(folder)
            .output()
            .unwrap();
        assert!(output.status.success(), "openssl {arguments}: {}", stderr(&output));
    };
    openssl(
        "req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -days 30 -subj /CN=authority",
    );
    openssl("req -newkey rsa:2048 -nodes -keyout server.key -out server.csr -subj /CN=localhost");
    fs::write(folder.join("names"), "subjectAltName=DNS:localhost\nbasicConstraints=CA:FALSE\n")
        .unwrap();
    openssl(
        "x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 30 -extfile names -out server.pem",
    );
}

/// A study that is told of by mail, to a server on this machine.
pub fn bench(port: u16, security: &str, ca: &Path, password: &str) -> Bench {
    let bench = Bench::with_study(&format!(
        r#"
name = "growing"
[data]
source = "synthetic"
train = 1000
validation = 200
[model]
layers = [{{ dense = {{ units = 16 }} }}]
[train]
epochs = 3
[gate]
accuracy = 0.2
[tune]
trials = 1
[notify]
mail = {{ to = ["Änn \"Lee\", of R&D <ann@example.org>", "bob@example.org"], from = "burgeon <burgeon@example.org>", server = "localhost", port = {port}, security = "{security}", user = "ann", password-file = "password", ca-file = {ca:?} }}
"#,
    ));
    fs::write(bench.path().join("password"), password).unwrap();
    bench
}

fn mail_arrives_whole_over_tls_with_a_login() {
    for security in ["tls", "starttls"] {
        let server = Server::start(security);
        let bench = bench(server.port, security, &server.ca(), "canary-7");
        let output = bench.burgeon(&["tune", "study.toml"]);
        expect_code(&output, 0);
        assert_eq!(server.taken(), 2, "{}", stderr(&output));
        for (number, to) in [(1, "ann@example.org"), (2, "bob@example.org")] {
            let about = server.about(number);
            assert_eq!(about["from"], "burgeon@example.org");
            assert_eq!(about["to"], serde_json::json!([to]));
            assert_eq!(
                (&about["encrypted"], &about["authenticated"]),
                (&true.into(), &true.into())
            );
            check(&server.parsed(number));
        }
        assert_eq!(server.parsed(1)["headers"], server.parsed(2)["headers"]);
    }
}

/// Whether the message about that study is whole.
pub fn check(mail: &Value) {
    assert_eq!(mail["defects"], serde_json::json!([]), "{mail}");
    let subject = mail["headers"]["Subject"].as_str().unwrap();
    assert!(subject.starts_with("[burgeon] growing accepted: "), "{subject}");
    assert_eq!(
        mail["to"],
        serde_json::json!([["Änn \"Lee\", of R&D", "ann@example.org"], ["", "bob@example.org"]])
    );
    assert_eq!(
        mail["structure"],
        serde_json::json!([
            "multipart/mixed",
            "multipart/alternative",
            "text/plain",
            "multipart/related",
            "text/html",
            "image/png",
            "text/html"
        ])
    );
    let parts = mail["parts"].as_array().unwrap();
    let [text, html, picture, report] = &parts[..] else { panic!("{mail}") };
    let content = |part: &Value| part["text"].as_str().unwrap().to_owned();
    assert!(content(text).contains("Accepted: trial 1"), "{mail}");
    assert!(content(text).contains("validation accuracy"), "{mail}");
    // The picture is the one that the page shows.
    let id = picture["id"].as_str().unwrap().trim_matches(['<', '>']).to_owned();
    assert!(content(html).contains(&format!("src=\"cid:{id}\"")), "{}", content(html));
    assert_eq!(picture["disposition"], "inline");
    assert_eq!(picture["starts"], "89504e470d0a1a0a");
    assert!(picture["bytes"].as_u64().unwrap() > 2000, "{picture}");
    assert_eq!(
        (&report["disposition"], &report["filename"]),
        (&"attachment".into(), &"report.html".into())
    );
    assert!(content(report).contains("</html>") && content(report).contains("<style>"));
}

fn a_wrong_password_is_refused_and_the_right_one_sends_it_later() {
    let server = Server::start("starttls");
    let bench = bench(server.port, "starttls", &server.ca(), "canary-6");
    let output = bench.burgeon(&["tune", "study.toml"]);
    expect_code(&output, 0);
    let said = stderr(&output);
    assert!(said.contains("parked") && said.contains("535"), "{said}");
    assert_eq!(server.taken(), 0);
    fs::write(bench.path().join("password"), "canary-7").unwrap();
    expect_code(&bench.burgeon(&["notify", "--flush", "--parked"]), 0);
    assert_eq!(server.taken(), 2);
}

fn a_server_with_another_certificate_gets_nothing() {
    for security in ["tls", "starttls"] {
        let (server, other) = (Server::start(security), Server::start(security));
        let bench = bench(server.port, security, &other.ca(), "canary-7");
        let output = bench.burgeon(&["tune", "study.toml"]);
        expect_code(&output, 0);
        let said = stderr(&output);
        assert!(said.contains("certificate"), "{said}");
        assert_eq!(server.taken(), 0);
    }
}
