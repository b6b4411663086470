//! A mail through a real Postfix, with its own configuration, queue and port, into a mailbox.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::mail;
use crate::skipping::{Group, tests};
use crate::support::{Bench, expect_code, stderr, stdout};

/// Whose mailbox it is; any user that is not root.
const KEEPER: u32 = 65534;

pub fn group() -> Group {
    Group {
        name: "postfix",
        missing: missing(),
        tests: tests![
            mail_passes_postfix_whole,
            postfix_refuses_a_wrong_login,
            the_subject_of_a_build_is_in_any_letters
        ],
    }
}

fn missing() -> Option<String> {
    if !is_root() {
        return Some("Postfix has to be started by root".into());
    }
    for (program, package) in [
        ("postfix", "postfix"),
        ("saslpasswd2", "sasl2-bin"),
        ("openssl", "openssl"),
        ("python3", "python3"),
    ] {
        let found = Command::new("sh").args(["-c", "command -v \"$0\"", program]).output();
        if !found.is_ok_and(|found| found.status.success()) {
            return Some(format!("no {program} (apt-get install {package})"));
        }
    }
    None
}

fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output();
    id.is_ok_and(|id| id.stdout.trim_ascii() == b"0")
}

struct Postfix {
    folder: tempfile::TempDir,
    port: u16,
    tls_port: u16,
}

impl Drop for Postfix {
    fn drop(&mut self) {
        self.control("stop");
    }
}

impl Postfix {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        // Its processes run as users of their own.
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        mail::certify(folder.path());
        let free = || TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let postfix = Self { folder, port: free(), tls_port: free() };
        postfix.configure();
        let started = postfix.control("start");
        assert!(started.0, "{}\n{}", started.1, postfix.log());
        let since = Instant::now();
        while std::net::TcpStream::connect(("127.0.0.1", postfix.tls_port)).is_err() {
            assert!(since.elapsed() < Duration::from_secs(30), "{}", postfix.log());
            sleep(Duration::from_millis(50));
        }
        postfix
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn configure(&self) {
        for name in ["etc", "etc/sasl", "queue", "data", "mail"] {
            fs::create_dir(self.at(name)).unwrap();
        }
        let owner = |path: &Path, name: &str| {
            let status = Command::new("chown").arg(name).arg(path).status();
            assert!(status.unwrap().success());
        };
        owner(&self.at("data"), "postfix");
        chown(self.at("mail"), Some(KEEPER), Some(KEEPER)).unwrap();
        let here = self.folder.path().display();
        let main = format!(
            "compatibility_level = 3.6
myhostname = localhost
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
queue_directory = {here}/queue
data_directory = {here}/data
maillog_file = {here}/queue/log
maillog_file_prefixes = {here}
virtual_mailbox_domains = example.org
virtual_mailbox_base = {here}/mail
virtual_mailbox_maps = static:box/
virtual_uid_maps = static:{KEEPER}
virtual_gid_maps = static:{KEEPER}
smtpd_tls_cert_file = {here}/server.pem
smtpd_tls_key_file = {here}/server.key
smtpd_tls_security_level = encrypt
smtpd_tls_auth_only = yes
smtpd_sasl_auth_enable = yes
smtpd_sasl_type = cyrus
smtpd_sasl_path = smtpd
smtpd_sasl_local_domain = example.org
cyrus_sasl_config_path = {here}/etc/sasl
smtpd_relay_restrictions = permit_sasl_authenticated, reject
smtpd_recipient_restrictions = permit_sasl_authenticated, reject
"
        );
        fs::write(self.at("etc/main.cf"), main).unwrap();
        let (port, tls) = (self.port, self.tls_port);
        let services = format!(
            "127.0.0.1:{port} inet n - n - - smtpd
127.0.0.1:{tls} inet n - n - - smtpd -o smtpd_tls_wrappermode=yes
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
proxymap unix - - n - - proxymap
error unix - - n - - error
retry unix - - n - - error
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
postlog unix-dgram n - n - 1 postlogd
"
        );
        fs::write(self.at("etc/master.cf"), services).unwrap();
        let sasl = format!(
            "pwcheck_method: auxprop\nauxprop_plugin: sasldb\nsasldb_path: {here}/etc/sasl/users\nmech_list: PLAIN LOGIN\n"
        );
        fs::write(self.at("etc/sasl/smtpd.conf"), sasl).unwrap();
        let mut command = Command::new("saslpasswd2");
        command
            .args(["-c", "-p", "-u", "example.org", "-f"])
            .arg(self.at("etc/sasl/users"))
            .arg("ann");
        let mut adding = command.stdin(Stdio::piped()).spawn().unwrap();
        std::io::Write::write_all(&mut adding.stdin.take().unwrap(), b"canary-7").unwrap();
        assert!(adding.wait().unwrap().success());
        owner(&self.at("etc/sasl/users"), "postfix");
    }

    /// Whether it did what it was told, and what it said.
    fn control(&self, what: &str) -> (bool, String) {
        let output =
            Command::new("postfix").arg("-c").arg(self.at("etc")).arg(what).output().unwrap();
        (output.status.success(), stdout(&output) + &stderr(&output))
    }

    fn log(&self) -> String {
        fs::read_to_string(self.at("queue/log")).unwrap_or_default()
    }

    fn arrived(&self) -> Vec<PathBuf> {
        let new = fs::read_dir(self.at("mail/box/new")).into_iter().flatten().flatten();
        let mut mails: Vec<PathBuf> = new.map(|entry| entry.path()).collect();
        mails.sort();
        mails
    }

    /// Waits for so many mails; what Python finds in them.
    fn mails(&self, number: usize) -> Vec<Value> {
        let since = Instant::now();
        while self.arrived().len() < number {
            assert!(since.elapsed() < Duration::from_secs(60), "{}", self.log());
            sleep(Duration::from_millis(50));
        }
        self.arrived().iter().map(|path| mail::parsed(path)).collect()
    }
}

fn bench(server: &Postfix, security: &str, password: &str) -> Bench {
    let port = if security == "tls" { server.tls_port } else { server.port };
    mail::bench(port, security, &server.at("ca.pem"), password)
}

fn mail_passes_postfix_whole() {
    let server = Postfix::start();
    for (round, security) in [(1, "starttls"), (2, "tls")] {
        let bench = bench(&server, security, "canary-7");
        let examined = bench.burgeon(&["doctor", "study.toml"]);
        assert!(stdout(&examined).contains("takes the login of ann"), "{}", stdout(&examined));
        assert_eq!(server.arrived().len(), 2 * round - 2, "nothing was sent");
        let output = bench.burgeon(&["tune", "study.toml"]);
        expect_code(&output, 0);
        let mails = server.mails(2 * round);
        assert_eq!(mails.len(), 2 * round, "{}", server.log());
        for mail in &mails {
            mail::check(mail);
            assert_eq!(mail["headers"]["Return-Path"], "<burgeon@example.org>");
            let received = mail["headers"]["Received"].as_str().unwrap();
            assert!(received.contains("ESMTPSA"), "over TLS with a login: {received}");
        }
        let mut to: Vec<&str> =
            mails.iter().map(|mail| mail["headers"]["Delivered-To"].as_str().unwrap()).collect();
        to.sort_unstable();
        to.dedup();
        assert_eq!(to, ["ann@example.org", "bob@example.org"]);
    }
    assert!(!server.log().contains("canary"), "the log knows no password");
}

fn postfix_refuses_a_wrong_login() {
    let server = Postfix::start();
    let bench = bench(&server, "starttls", "canary-6");
    let examined = bench.burgeon(&["doctor", "study.toml"]);
    expect_code(&examined, 1);
    assert!(stdout(&examined).contains("535"), "{}", stdout(&examined));
    let output = bench.burgeon(&["tune", "study.toml"]);
    expect_code(&output, 0);
    assert!(stderr(&output).contains("535"), "{}", stderr(&output));
    fs::write(bench.path().join("password"), "canary-7").unwrap();
    expect_code(&bench.burgeon(&["notify", "--flush", "--parked"]), 0);
    server.mails(2).iter().for_each(mail::check);
}

fn the_subject_of_a_build_is_in_any_letters() {
    let server = Postfix::start();
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::create_dir(at("work")).unwrap();
    fs::write(at("work/README"), "nothing that trains\n").unwrap();
    for arguments in [
        &["init", "--quiet", "--initial-branch", "größer-日本"][..],
        &["add", "--all"],
        &["commit", "--quiet", "--message", "Größer"],
    ] {
        let git = Command::new("git")
            .args(["-c", "user.name=Änn", "-c", "user.email=ann@example.org"])
            .args(arguments)
            .current_dir(at("work"))
            .status();
        assert!(git.unwrap().success());
    }
    fs::write(at("password"), "canary-7\n").unwrap();
    let config = format!(
        "listen = \"127.0.0.1:0\"\n[notify.mail]\nto = [\"ann@example.org\"]\nfrom = \"burgeon@example.org\"\n\
         server = \"localhost\"\nport = {}\nuser = \"ann\"\npassword-file = \"password\"\nca-file = {:?}\n\
         [[repository]]\nname = \"digits\"\nbranch = \"größer-日本\"\nurl = {:?}\n",
        server.port,
        server.at("ca.pem"),
        at("work"),
    );
    fs::write(at("server.toml"), config).unwrap();
    let mut service = Command::new(env!("CARGO_BIN_EXE_burgeon"))
        .args(["serve", "--config"])
        .arg(at("server.toml"))
        .stdout(Stdio::null())
        .stderr(fs::File::create(at("log")).unwrap())
        .spawn()
        .unwrap();
    let since = Instant::now();
    while server.arrived().is_empty() && since.elapsed() < Duration::from_secs(60) {
        sleep(Duration::from_millis(50));
    }
    service.kill().unwrap();
    service.wait().unwrap();
    let said = fs::read_to_string(at("log")).unwrap();
    assert_eq!(server.arrived().len(), 1, "{said}\n{}", server.log());
    let mail = mail::parsed(&server.arrived()[0]);
    let subject = mail["headers"]["Subject"].as_str().unwrap();
    assert!(subject.contains("digits größer-日本 ") && subject.contains("broken"), "{subject}");
    assert_eq!(mail["defects"], serde_json::json!([]));
    assert!(mail["parts"][0]["text"].as_str().unwrap().contains("Änn"), "{mail}");
}
