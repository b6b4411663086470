//! Repositories, and a service that builds what is pushed to them and mails what came of it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::mail::Server;
use crate::mnist_files::real_mnist;
use crate::support::listening;

const BURGEON: &str = env!("CARGO_BIN_EXE_burgeon");

/// The service, its repositories and its mail server, all of which are gone with it.
pub struct Site {
    pub mail: Server,
    folder: tempfile::TempDir,
    service: Option<Child>,
    since: Instant,
}

impl Drop for Site {
    fn drop(&mut self) {
        if let Some(mut service) = self.service.take() {
            let _ = Command::new("kill").arg(service.id().to_string()).status();
            let _ = service.wait();
        }
    }
}

impl Site {
    /// One bare repository for each name. `repository` is added to the configuration of each, `rule` is the only rule.
    pub fn new(names: &[&str], repository: &str, rule: &str) -> Self {
        let mail = Server::start("tls");
        let folder = tempfile::tempdir().unwrap();
        let mut site = Self { mail, folder, service: None, since: Instant::now() };
        fs::write(site.at("password"), "canary-7").unwrap();
        let mut text = format!(
            "listen = \"127.0.0.1:0\"\nfolder = \"state\"\nmax = 2\n\
             [notify.mail]\nto = [\"ann@example.org\"]\nfrom = \"burgeon@example.org\"\nserver = \"localhost\"\n\
             port = {}\nsecurity = \"tls\"\nuser = \"ann\"\npassword-file = \"password\"\nca-file = {:?}\n\
             [[rule]]\n{rule}\n",
            site.mail.port,
            site.mail.ca(),
        );
        let mnist = fs::canonicalize(real_mnist().unwrap()).unwrap();
        for name in names {
            let url = site.make_repository(name);
            text += &format!(
                "[[repository]]\nname = {name:?}\nurl = {url:?}\ndata = {mnist:?}\n{repository}\n"
            );
        }
        fs::write(site.at("server.toml"), text).unwrap();
        site.serve();
        site
    }

    fn make_repository(&self, name: &str) -> PathBuf {
        let (work, bare) = (self.work(name), self.at(&format!("{name}.git")));
        for (folder, bare) in [(&work, "--no-bare"), (&bare, "--bare")] {
            fs::create_dir(folder).unwrap();
            git(folder, &["init", "--quiet", "--initial-branch", "main", bare]);
        }
        let hook = bare.join("hooks/post-receive");
        let config = self.at("server.toml");
        let line = format!(
            "exec {BURGEON} chain trigger {name} --post-receive --config {}",
            config.display()
        );
        fs::write(&hook, format!("#!/bin/sh\n{line}\n")).unwrap();
        fs::set_permissions(&hook, fs::Permissions::from_mode(0o755)).unwrap();
        bare
    }

    /// Starts the service, and waits until it serves.
    pub fn serve(&mut self) {
        let log =
            fs::OpenOptions::new().create(true).append(true).open(self.at("service.log")).unwrap();
        let (service, _) = listening(
            Command::new(BURGEON)
                .args(["serve", "--config"])
                .arg(self.at("server.toml"))
                .stderr(log),
        );
        self.service = Some(service);
    }

    /// Kills the service, which leaves it no time for anything.
    pub fn kill(&mut self) {
        if let Some(mut service) = self.service.take() {
            service.kill().unwrap();
            service.wait().unwrap();
        }
    }

    pub fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The working tree of a repository.
    pub fn work(&self, name: &str) -> PathBuf {
        self.at(&format!("work-{name}"))
    }

    pub fn push(&mut self, name: &str) {
        let work = self.work(name);
        git(&work, &["add", "--all"]);
        git(&work, &["commit", "--quiet", "--allow-empty", "--message", "a push"]);
        self.since = Instant::now();
        git(&work, &["push", "--quiet", &format!("../{name}.git"), "main"]);
    }

    /// All builds, the newest first.
    pub fn builds(&self) -> Vec<Value> {
        let output = Command::new(BURGEON)
            .args(["chain", "--json", "status", "--most", "1000", "--config"])
            .arg(self.at("server.toml"))
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// A file of a build.
    pub fn of_build(&self, build: &Value, name: &str) -> PathBuf {
        self.at(&format!("state/builds/{}/{name}", build["id"]))
    }

    pub fn log_of(&self, build: &Value) -> String {
        fs::read_to_string(self.of_build(build, "log.txt")).unwrap_or_default()
    }

    /// The containers of its builds; `options` of `docker ps` say which. Other services may have theirs in the same engine.
    pub fn containers(&self, options: &[&str]) -> Vec<String> {
        let found = Command::new("docker")
            .args(["ps", "--no-trunc", "--filter", "label=io.burgeon.build"])
            .args(["--format", "{{.ID}} {{.Mounts}}"])
            .args(options)
            .output()
            .unwrap();
        assert!(found.status.success(), "{}", String::from_utf8_lossy(&found.stderr));
        // By name, as links on the way to it may have been followed.
        let own = self.folder.path().file_name().unwrap().to_str().unwrap();
        String::from_utf8(found.stdout)
            .unwrap()
            .lines()
            .filter(|line| line.contains(own))
            .filter_map(|line| line.split_whitespace().next().map(str::to_owned))
            .collect()
    }

    /// Pushes what is in the working tree; its build, once it has ended, and its log.
    pub fn built(&mut self, name: &str) -> (Value, String) {
        let before = self.builds().len();
        self.push(name);
        loop {
            let builds = self.builds();
            if builds.len() > before && builds[0]["state"] == "ended" {
                let log = self.log_of(&builds[0]);
                return (builds[0].clone(), log);
            }
            assert!(self.since.elapsed() < Duration::from_secs(600), "{builds:#?}");
            sleep(Duration::from_millis(200));
        }
    }

    /// Waits for a number of mails; the subject of the last.
    pub fn mailed(&self, number: usize) -> String {
        while self.mail.taken() < number {
            assert!(self.since.elapsed() < Duration::from_secs(660), "no mail");
            sleep(Duration::from_millis(100));
        }
        println!("from the push to the mail: {:.1} s", self.since.elapsed().as_secs_f64());
        let about = self.mail.about(number);
        assert_eq!((&about["encrypted"], &about["authenticated"]), (&true.into(), &true.into()));
        self.mail.parsed(number)["headers"]["Subject"].as_str().unwrap().to_owned()
    }
}

fn git(folder: &Path, arguments: &[&str]) {
    let git = Command::new("git")
        .args(["-c", "user.name=Ann", "-c", "user.email=ann@example.org"])
        .args(arguments)
        .current_dir(folder)
        .output()
        .unwrap();
    assert!(git.status.success(), "{}", String::from_utf8_lossy(&git.stderr));
}
