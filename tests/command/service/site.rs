//! A service of its own, with a repository that is pushed to.

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use crate::smtp::SmtpServer;
use crate::support::listening;

/// A study on the built-in digits that is over within seconds, with a gate and a seed of its own.
pub fn study(gate: f64, seed: u64) -> String {
    format!(
        "name = \"pushed\"\n[data]\nsource = \"synthetic\"\ntrain = 600\nvalidation = 200\n[model]\nlayers = [{{ dense = {{ units = 32 }} }}]\n\
         [train]\nepochs = 2\nseed = {seed}\ncheckpoint = {{ every-steps = 3 }}\n[gate]\naccuracy = {gate}\n[tune]\ntrials = 1\n"
    )
}

/// A developer's repository, the bare one that it is pushed to, and a service that builds it.
pub struct Site {
    pub folder: TempDir,
    pub mail: SmtpServer,
    pub service: Option<Child>,
}

impl Drop for Site {
    fn drop(&mut self) {
        self.kill();
    }
}

impl Site {
    /// `more` is added to the configuration of the repository.
    pub fn new(more: &str) -> Self {
        let site =
            Self { folder: TempDir::new().unwrap(), mail: SmtpServer::start(), service: None };
        fs::create_dir(site.at("work")).unwrap();
        site.git("work", &["init", "--quiet", "--initial-branch", "main"]);
        site.git(
            "work",
            &["init", "--quiet", "--bare", "--initial-branch", "main", "../digits.git"],
        );
        let config = format!(
            "listen = \"127.0.0.1:0\"\nfolder = \"state\"\n\
             [notify.mail]\nto = [\"ann@example.org\"]\nfrom = \"burgeon@example.org\"\nserver = \"127.0.0.1\"\n\
             port = {}\nsecurity = \"none\"\n\
             [[repository]]\nname = \"digits\"\nurl = {:?}\n{more}\n",
            site.mail.port,
            site.at("digits.git"),
        );
        fs::write(site.at("server.toml"), config).unwrap();
        // As a server of repositories would tell of a push.
        let hook = format!(
            "#!/bin/sh\nexec {} chain trigger digits --post-receive --config {}\n",
            env!("CARGO_BIN_EXE_burgeon"),
            site.at("server.toml").display()
        );
        fs::write(site.at("digits.git/hooks/post-receive"), hook).unwrap();
        use std::os::unix::fs::PermissionsExt;
        let executable = fs::Permissions::from_mode(0o755);
        fs::set_permissions(site.at("digits.git/hooks/post-receive"), executable).unwrap();
        site
    }

    pub fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn git(&self, folder: &str, arguments: &[&str]) -> String {
        let git = Command::new("git")
            .args(["-c", "user.name=Ann", "-c", "user.email=ann@example.org"])
            .args(arguments)
            .current_dir(self.at(folder))
            .output()
            .unwrap();
        assert!(git.status.success(), "{}", String::from_utf8_lossy(&git.stderr));
        String::from_utf8(git.stdout).unwrap().trim().to_owned()
    }

    /// Commits these files and pushes them; the commit.
    pub fn push(&self, files: &[(&str, &str)]) -> String {
        for (name, content) in files {
            fs::write(self.at("work").join(name), content).unwrap();
        }
        self.git("work", &["add", "--all"]);
        self.git("work", &["commit", "--quiet", "--allow-empty", "--message", "a push"]);
        let said = self.git("work", &["push", "--quiet", "../digits.git", "main"]);
        assert_eq!(said, "", "the hook");
        self.git("work", &["rev-parse", "HEAD"])
    }

    pub fn burgeon(&self, arguments: &[&str]) -> Output {
        let config = self.at("server.toml");
        Command::new(env!("CARGO_BIN_EXE_burgeon"))
            .args(arguments)
            .env("BURGEON_CONFIG", config)
            .output()
            .unwrap()
    }

    /// Starts the service; the address that it listens on.
    pub fn serve(&mut self) -> String {
        let log =
            fs::OpenOptions::new().create(true).append(true).open(self.at("service.log")).unwrap();
        let (service, address) = listening(
            Command::new(env!("CARGO_BIN_EXE_burgeon"))
                .arg("serve")
                .env("BURGEON_CONFIG", self.at("server.toml"))
                .stdin(Stdio::null())
                .stderr(log),
        );
        self.service = Some(service);
        assert!(address.starts_with("http://"), "{address}\n{}", self.log());
        address
    }

    pub fn log(&self) -> String {
        fs::read_to_string(self.at("service.log")).unwrap_or_default()
    }

    pub fn kill(&mut self) {
        if let Some(mut service) = self.service.take() {
            let _ = service.kill();
            let _ = service.wait();
        }
    }

    /// Kills the processes of this site's trainings whose command line has these words.
    pub fn kill_training(&self, words: &str) {
        let pattern = format!("{words} {}", self.at("state/builds").display());
        Command::new("pkill").args(["-9", "-f", "--", &pattern]).status().unwrap();
    }

    /// The builds, oldest first.
    pub fn builds(&self) -> Vec<Value> {
        let output = self.burgeon(&["chain", "--json", "status", "--most", "1000"]);
        let text = String::from_utf8(output.stdout).unwrap();
        let mut builds: Vec<Value> =
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        builds.reverse();
        builds
    }

    /// Waits until there are so many builds and all have ended; the builds, oldest first.
    pub fn ended(&self, number: usize) -> Vec<Value> {
        self.until(|builds| {
            builds.len() == number && builds.iter().all(|build| build["state"] == "ended")
        })
    }

    pub fn until(&self, is_done: impl Fn(&[Value]) -> bool) -> Vec<Value> {
        let since = Instant::now();
        loop {
            let builds = self.builds();
            if is_done(&builds) {
                return builds;
            }
            assert!(since.elapsed() < Duration::from_secs(180), "{builds:#?}\n{}", self.log());
            sleep(Duration::from_millis(100));
        }
    }

    /// Waits for so many mails; their subjects, in the order in which they came.
    pub fn mails(&self, number: usize) -> Vec<String> {
        let since = Instant::now();
        loop {
            let mails = self.mail.deliveries();
            if mails.len() >= number {
                return mails.iter().map(|mail| mail.header("Subject")).collect();
            }
            assert!(
                since.elapsed() < Duration::from_secs(60),
                "{} mails\n{}",
                mails.len(),
                self.log()
            );
            sleep(Duration::from_millis(50));
        }
    }

    pub fn production(&self) -> PathBuf {
        fs::canonicalize(self.at("state/models/digits/production")).unwrap()
    }

    pub fn build_log(&self, build: &Value) -> String {
        fs::read_to_string(self.at("state/builds").join(build["id"].to_string()).join("log.txt"))
            .unwrap()
    }
}

pub fn stage<'a>(build: &'a Value, name: &str) -> &'a Value {
    let stages = build["stages"].as_array().unwrap();
    stages.iter().find(|stage| stage["name"] == name).unwrap_or(&Value::Null)
}
