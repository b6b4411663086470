//! `burgeon serve`: from a push to a published model and a mail, also if everything is killed on the way.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use crate::small_sets::{image_file, in_turn, label_file, square, write_set};
use crate::smtp::SmtpServer;

/// A study on the built-in digits that is over within seconds, with a gate and a seed of its own.
fn study(gate: f64, seed: u64) -> String {
    format!(
        "name = \"pushed\"\n[data]\nsource = \"synthetic\"\ntrain = 600\nvalidation = 200\n[model]\nlayers = [{{ dense = {{ units = 32 }} }}]\n\
         [train]\nepochs = 2\nseed = {seed}\ncheckpoint = {{ every-steps = 3 }}\n[gate]\naccuracy = {gate}\n[tune]\ntrials = 1\n"
    )
}

/// A developer's repository, the bare one that it is pushed to, and a service that builds it.
struct Site {
    folder: TempDir,
    mail: SmtpServer,
    service: Option<Child>,
}

impl Drop for Site {
    fn drop(&mut self) {
        self.kill();
    }
}

impl Site {
    /// `more` is added to the configuration of the repository.
    fn new(more: &str) -> Self {
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

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn git(&self, folder: &str, arguments: &[&str]) -> String {
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
    fn push(&self, files: &[(&str, &str)]) -> String {
        for (name, content) in files {
            fs::write(self.at("work").join(name), content).unwrap();
        }
        self.git("work", &["add", "--all"]);
        self.git("work", &["commit", "--quiet", "--allow-empty", "--message", "a push"]);
        let said = self.git("work", &["push", "--quiet", "../digits.git", "main"]);
        assert_eq!(said, "", "the hook");
        self.git("work", &["rev-parse", "HEAD"])
    }

    fn burgeon(&self, arguments: &[&str]) -> Output {
        let config = self.at("server.toml");
        Command::new(env!("CARGO_BIN_EXE_burgeon"))
            .args(arguments)
            .env("BURGEON_CONFIG", config)
            .output()
            .unwrap()
    }

    /// Starts the service; the address that it listens on.
    fn serve(&mut self) -> String {
        let log =
            fs::OpenOptions::new().create(true).append(true).open(self.at("service.log")).unwrap();
        let mut service = Command::new(env!("CARGO_BIN_EXE_burgeon"))
            .arg("serve")
            .env("BURGEON_CONFIG", self.at("server.toml"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(service.stdout.take().unwrap()).read_line(&mut line).unwrap();
        self.service = Some(service);
        let address =
            line.split_whitespace().last().unwrap_or_default().trim_end_matches('/').to_owned();
        assert!(address.starts_with("http://"), "{line}{}", self.log());
        address
    }

    fn log(&self) -> String {
        fs::read_to_string(self.at("service.log")).unwrap_or_default()
    }

    fn kill(&mut self) {
        if let Some(mut service) = self.service.take() {
            let _ = service.kill();
            let _ = service.wait();
        }
    }

    /// Kills the processes of this site's trainings whose command line has these words.
    fn kill_training(&self, words: &str) {
        let pattern = format!("{words} {}", self.at("state/builds").display());
        Command::new("pkill").args(["-9", "-f", "--", &pattern]).status().unwrap();
    }

    /// The builds, oldest first.
    fn builds(&self) -> Vec<Value> {
        let output = self.burgeon(&["chain", "--json", "status", "--most", "1000"]);
        let text = String::from_utf8(output.stdout).unwrap();
        let mut builds: Vec<Value> =
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        builds.reverse();
        builds
    }

    /// Waits until there are so many builds and all have ended; the builds, oldest first.
    fn ended(&self, number: usize) -> Vec<Value> {
        self.until(|builds| {
            builds.len() == number && builds.iter().all(|build| build["state"] == "ended")
        })
    }

    fn until(&self, is_done: impl Fn(&[Value]) -> bool) -> Vec<Value> {
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
    fn mails(&self, number: usize) -> Vec<String> {
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

    fn production(&self) -> PathBuf {
        fs::canonicalize(self.at("state/models/digits/production")).unwrap()
    }

    fn build_log(&self, build: &Value) -> String {
        fs::read_to_string(self.at("state/builds").join(build["id"].to_string()).join("log.txt"))
            .unwrap()
    }
}

fn stage<'a>(build: &'a Value, name: &str) -> &'a Value {
    let stages = build["stages"].as_array().unwrap();
    stages.iter().find(|stage| stage["name"] == name).unwrap_or(&Value::Null)
}

#[test]
fn a_push_is_pulled_trained_judged_published_and_told() {
    let mut site = Site::new("study = \"study.toml\"");
    let address = site.serve();
    let commit = site.push(&[("study.toml", &study(0.3, 1))]);
    let build = site.ended(1).remove(0);
    assert_eq!(ureq::get(format!("{address}/healthz")).call().unwrap().status(), 200);
    assert_eq!(build["verdict"], "accepted", "{build:#}\n{}", site.build_log(&build));
    assert_eq!(
        (&build["commit"], &build["author"], &build["message"]),
        (&commit.as_str().into(), &"Ann".into(), &"a push".into())
    );
    assert!(build["accuracy"].as_f64().unwrap() >= 0.3 && build["threshold"] == 0.3, "{build:#}");
    for name in ["pull", "detect", "train", "judge", "publish"] {
        assert_eq!(stage(&build, name)["state"], "done", "{name}: {build:#}");
    }
    assert!(site.production().join("model.safetensors").is_file());
    assert!(site.production().join("report.md").is_file());
    let subject = site.mails(1).remove(0);
    assert!(subject.contains(&format!("digits main {} accepted", &commit[..10])), "{subject}");
    // The same push again starts nothing, and whoever wants it again says so.
    site.burgeon(&["chain", "trigger", "digits", "--commit", &commit]);
    assert_eq!(site.builds().len(), 1);
    site.burgeon(&["chain", "retry", "1"]);
    let again = site.ended(2).remove(1);
    assert_eq!((&again["cause"], &again["verdict"]), (&"retry".into(), &"accepted".into()));
}

#[test]
fn what_of_a_study_does_not_hold_is_said_in_the_log() {
    let mut site = Site::new("study = \"study.toml\"\ngate = 0.25");
    site.serve();
    let own = "[notify]\ncommand = [\"touch\", \"/tmp/burgeon-was-here\"]\n";
    let text = study(0.3, 1) + own;
    site.push(&[("study.toml", &text)]);
    let build = site.ended(1).remove(0);
    let log = site.build_log(&build);
    assert_eq!(
        (&build["verdict"], &build["threshold"]),
        (&"accepted".into(), &0.25.into()),
        "{log}"
    );
    for line in ["[train] [notify] of the study", "gate.accuracy is 0.25"] {
        assert!(log.contains(line), "{line}: {log}");
    }
}

#[test]
fn what_does_not_pass_what_breaks_and_what_is_unknown_are_three_ends() {
    let mut site = Site::new("");
    site.serve();
    site.push(&[("study.toml", &study(0.3, 1))]);
    site.ended(1);
    let good = site.production();
    site.push(&[("study.toml", &study(0.9999, 1))]);
    let weak = site.ended(2).remove(1);
    assert_eq!(
        (&weak["verdict"], &stage(&weak, "judge")["state"]),
        (&"not-passed".into(), &"failed".into()),
        "{weak:#}"
    );
    site.push(&[("study.toml", &study(0.3, 1).replace("units = 32", "units = 0"))]);
    let broken = site.ended(3).remove(2);
    assert_eq!(broken["verdict"], "failed");
    assert_eq!(stage(&broken, "detect")["state"], "failed", "{broken:#}");
    assert!(site.build_log(&broken).contains("study.toml"), "{}", site.build_log(&broken));
    site.push(&[("study.toml", &study(0.3, 2))]);
    site.ended(4);
    let subjects = site.mails(4);
    for (subject, word) in subjects.iter().zip(["accepted", "rejected", "broken", "mended"]) {
        assert!(subject.contains(word), "{subjects:?}");
    }
    assert_ne!(site.production(), good);
    assert!(good.join("model.safetensors").is_file(), "the model before it stays");
}

#[test]
fn a_program_is_held_to_the_gate_by_what_it_writes_after_its_start() {
    let mut site = Site::new(
        "gate = 0.8\n[[rule]]\nframework = \"keras\"\nimage = \"none\"\nrun = \"process\"\n\
         command = [\"sh\", \"run.sh\", \"{entry}\"]\nmodel = [\"model.keras\"]\n",
    );
    site.serve();
    let keras = "from keras.models import Sequential\nfrom keras.layers import Conv2D, Dense\n\
                 model = Sequential([Conv2D(8, 3), Dense(10)])\nmodel.compile(loss='mse')\nmodel.fit([], [])\n";
    let good = "echo training $1\necho 91.5 > accuracy.txt\necho weights > model.keras\n";
    site.push(&[("train.py", keras), ("run.sh", good)]);
    let build = site.ended(1).remove(0);
    assert_eq!(build["verdict"], "accepted", "{build:#}\n{}", site.build_log(&build));
    assert!((build["accuracy"].as_f64().unwrap() - 0.915).abs() < 1e-9);
    assert!(site.build_log(&build).contains("training train.py"));
    assert_eq!(fs::read_to_string(site.production().join("model.keras")).unwrap(), "weights\n");
    let published = site.production();
    // One that is in the repository already says nothing of this training.
    site.push(&[("accuracy.txt", "99\n"), ("run.sh", "echo done\n")]);
    let stale = site.ended(2).remove(1);
    assert_eq!(stale["verdict"], "failed", "{stale:#}");
    assert!(stale["why"].as_str().unwrap().contains("did not write accuracy.txt"), "{stale:#}");
    site.push(&[("run.sh", "exit 7\n")]);
    let crashed = site.ended(3).remove(2);
    assert!(crashed["why"].as_str().unwrap().contains("exit code 7"), "{crashed:#}");
    assert_eq!(stage(&crashed, "train")["state"], "failed");
    site.push(&[("run.sh", "echo 79.9 > accuracy.txt\n")]);
    assert_eq!(site.ended(4).remove(3)["verdict"], "not-passed");
    assert_eq!(site.production(), published);
}

#[test]
fn a_push_that_nobody_told_of_is_found() {
    let mut site = Site::new("study = \"study.toml\"\npoll-seconds = 1\n");
    fs::remove_file(site.at("digits.git/hooks/post-receive")).unwrap();
    let commit = site.push(&[("study.toml", &study(0.3, 1))]);
    site.serve();
    let build = site.ended(1).remove(0);
    assert_eq!((&build["cause"], &build["commit"]), (&"poll".into(), &commit.into()));
    site.push(&[("study.toml", &study(0.3, 2))]);
    site.ended(2);
}

#[test]
fn a_running_build_is_cancelled_and_a_waiting_one_superseded() {
    let mut site = Site::new("study = \"study.toml\"");
    site.serve();
    let long = study(0.9999, 1).replace("epochs = 2", "epochs = 5000");
    site.push(&[("study.toml", &long)]);
    site.until(|builds| builds.iter().any(|build| !stage(build, "train").is_null()));
    site.push(&[("study.toml", &study(0.3, 2))]);
    site.push(&[("study.toml", &study(0.3, 3))]);
    let builds = site.until(|builds| builds.len() == 3);
    assert_eq!(
        (&builds[0]["state"], &builds[1]["verdict"]),
        (&"running".into(), &"superseded".into())
    );
    let output = site.burgeon(&["chain", "cancel", &builds[0]["id"].to_string()]);
    assert!(output.status.success());
    let builds = site.ended(3);
    let verdicts: Vec<&str> =
        builds.iter().map(|build| build["verdict"].as_str().unwrap()).collect();
    assert_eq!(verdicts, ["cancelled", "superseded", "accepted"]);
    site.mails(3);
    // What was stopped leaves no process behind.
    let left =
        Command::new("pgrep").args(["-f", site.at("state").to_str().unwrap()]).output().unwrap();
    let serving = site.service.as_ref().unwrap().id().to_string();
    let left: Vec<String> = String::from_utf8(left.stdout)
        .unwrap()
        .lines()
        .map(str::to_owned)
        .filter(|pid| *pid != serving)
        .collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn a_second_service_on_the_same_folder_is_refused() {
    let mut site = Site::new("");
    site.serve();
    let output = site.burgeon(&["serve"]);
    assert_eq!(output.status.code(), Some(4), "{}", String::from_utf8_lossy(&output.stderr));
    let wrong = Command::new(env!("CARGO_BIN_EXE_burgeon"))
        .args(["serve", "--config", "/nowhere"])
        .output()
        .unwrap();
    assert_eq!(wrong.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&wrong.stderr).contains("/nowhere"));
}

#[test]
fn a_stop_is_quick_and_its_build_goes_on() {
    let mut site = Site::new("study = \"study.toml\"");
    site.serve();
    let slow = study(0.3, 1).replace("epochs = 2", "epochs = 300");
    site.push(&[("study.toml", &slow)]);
    site.until(|builds| builds.iter().any(|build| !stage(build, "train").is_null()));
    sleep(Duration::from_millis(700));
    let mut service = site.service.take().unwrap();
    let since = Instant::now();
    Command::new("kill").arg(service.id().to_string()).status().unwrap();
    assert_eq!(service.wait().unwrap().code(), Some(143), "{}", site.log());
    assert!(since.elapsed() < Duration::from_secs(9), "{:?}", since.elapsed());
    let stopped = site.builds();
    assert_eq!(
        (&stopped[0]["state"], &stopped[0]["starts"]),
        (&"running".into(), &1.into()),
        "{stopped:#?}"
    );
    site.serve();
    let build = site.ended(1).remove(0);
    assert_eq!((&build["verdict"], &build["starts"]), (&"accepted".into(), &2.into()), "{build:#}");
}

/// The weights of each accepted build, by its commit.
fn models(site: &Site) -> BTreeMap<String, Vec<u8>> {
    let mut models = BTreeMap::new();
    for build in site.builds() {
        let commit = build["commit"].as_str().unwrap().to_owned();
        let folder =
            site.at("state/models/digits").join(format!("{}-{}", build["id"], &commit[..12]));
        if build["verdict"] == "accepted" {
            let seed = fs::read_to_string(folder.join("spec.toml")).unwrap();
            let seed = seed.lines().find(|line| line.starts_with("seed")).unwrap().to_owned();
            models.insert(seed, fs::read(folder.join("model.safetensors")).unwrap());
        }
    }
    models
}

#[test]
fn killed_at_any_moment_every_push_gets_one_verdict_and_one_mail() {
    let kills: u64 =
        std::env::var("BURGEON_SERVICE_KILLS").map_or(4, |kills| kills.parse().unwrap());
    // One at a time, each pushed when the one before it has ended, so that none is superseded.
    let mut calm = Site::new("study = \"study.toml\"");
    let mut rough = Site::new("study = \"study.toml\"");
    calm.serve();
    rough.serve();
    let pushes = 1 + (kills as usize) / 6;
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut killed = 0;
    for push in 0..pushes {
        let text = study(0.3, push as u64).replace("epochs = 2", "epochs = 20");
        calm.push(&[("study.toml", &text)]);
        rough.push(&[("study.toml", &text)]);
        calm.ended(push + 1);
        let mut trained = false;
        while killed < kills * (push as u64 + 1) / pushes as u64 {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            sleep(Duration::from_millis((state >> 33) % 1200));
            killed += 1;
            // The service; or its training, with or without what supervises it.
            match (state >> 20) % 3 {
                0 => {
                    rough.kill();
                    rough.serve();
                }
                1 => rough.kill_training("supervise -- tune"),
                // Three times at the same step, and its supervisor gives up.
                _ if !trained => {
                    trained = true;
                    rough.kill_training("burgeon tune");
                }
                _ => rough.kill_training("tune"),
            }
        }
        rough.ended(push + 1);
    }
    let builds = rough.ended(pushes);
    assert!(builds.iter().all(|build| build["verdict"] == "accepted"), "{builds:#?}");
    assert_eq!(models(&rough), models(&calm), "the same bits");
    assert_eq!(models(&calm).len(), pushes);
    rough.mails(pushes);
    // Time for one that should not come.
    sleep(Duration::from_millis(500));
    let identifiers: Vec<String> =
        rough.mail.deliveries().iter().map(|mail| mail.header("Message-ID")).collect();
    let different: std::collections::BTreeSet<&String> = identifiers.iter().collect();
    assert_eq!(different.len(), pushes, "{identifiers:?}");
    assert!(Path::new(&rough.at("state/models/digits/production")).exists());
}

/// A program of Keras that learns next to nothing, with something that no study has.
const WEAK: &str = r#"
import os
import numpy as np
from keras import Input, Sequential, layers
from keras.callbacks import ReduceLROnPlateau
from keras.optimizers import SGD

x = np.fromfile(os.environ["BURGEON_DATA"] + "/train-images-idx3-ubyte", np.uint8)[16:]
model = Sequential([Input((6, 6, 1)), layers.Flatten(), layers.Dense(4, activation="softmax")])
model.compile(optimizer=SGD(1e-5), loss="sparse_categorical_crossentropy", metrics=["accuracy"])
model.fit(x, x, epochs=1, batch_size=32, callbacks=[ReduceLROnPlateau()])
"#;

/// Stands in for an image with Keras: the repository's program reaches 25 %, and that of a grown network 97 %. Notes each start.
const STAND_IN: &str = r#"
echo "$0" >> "$BURGEON_DATA/../starts.txt"
case "$0" in
  evaluate.py)
    grep -q "from keras_model import load" evaluate.py && grep -q "layers.Dense(4" keras_model.py &&
      test -s keras.npz && test -s validation.npz && echo 0.97 > accuracy.txt ;;
  *) test -e train.py && echo 0.25 > accuracy.txt ;;
esac
"#;

/// A site whose repository is one of Keras programs, and has images of four classes that are easily told apart.
fn site_that_grows(more: &str) -> Site {
    let site = Site::new(&format!(
        "gate = 0.9\ngrow = true\ndata = \"data\"\n{more}\n[[rule]]\nframework = \"keras\"\nimage = \"none\"\n\
         run = \"process\"\ncommand = [\"sh\", \"-c\", {STAND_IN:?}, \"{{entry}}\"]\n"
    ));
    let set = |count| {
        let labels = in_turn(count, 4);
        let pixels: Vec<u8> = (0..count).flat_map(|index| square(index % 4, index)).collect();
        [image_file(6, 6, &pixels), label_file(&labels)]
    };
    let ([train, train_labels], [test, test_labels]) = (set(600), set(100));
    write_set(&site.at("data"), &[train, train_labels, test, test_labels]);
    site
}

/// The texts of a mail's parts, by what their heads say.
fn parts(mail: &str) -> Vec<(String, String)> {
    use base64::Engine;
    let parts = mail.split("\r\n--burgeon-").filter_map(|part| part.split_once("\r\n\r\n"));
    let decoded = parts.filter_map(|(head, body)| {
        let body: String = body.split_whitespace().collect();
        let bytes = base64::engine::general_purpose::STANDARD.decode(body).ok()?;
        Some((head.to_owned(), String::from_utf8(bytes).ok()?))
    });
    decoded.collect()
}

#[test]
fn a_program_that_misses_its_gate_is_grown_and_comes_back_as_a_program_in_the_mail() {
    let mut site = site_that_grows("");
    site.serve();
    let commit = site.push(&[("train.py", WEAK)]);
    // Killed while it grows, and while whatever comes after that.
    site.until(|builds| builds.iter().any(|build| !stage(build, "grow").is_null()));
    sleep(Duration::from_millis(300));
    site.kill();
    let address = site.serve();
    let build = site.ended(1).remove(0);
    let log = site.build_log(&build);
    assert_eq!(build["verdict"], "accepted", "{build:#}\n{log}");
    assert_eq!((&build["accuracy"], &build["threshold"]), (&0.97.into(), &0.9.into()));
    for name in ["train", "judge", "grow", "check", "publish"] {
        assert_eq!(stage(&build, name)["state"], "done", "{name}: {build:#}");
    }
    // The program itself is not run again after the kill.
    let starts = fs::read_to_string(site.at("starts.txt")).unwrap();
    assert_eq!(starts, "train.py\nevaluate.py\n");
    for line in ["not carried over: train.py:11: ReduceLROnPlateau", "below the gate"] {
        assert!(log.contains(line), "{line}: {log}");
    }
    let production = site.production();
    for file in ["keras_model.py", "keras.npz", "model.safetensors", "report.md"] {
        assert!(production.join(file).is_file(), "{file}");
    }
    assert!(!production.join("validation.npz").exists(), "images are not published");
    // The source is what it was.
    assert_eq!(site.git("digits.git", &["rev-parse", "main"]), commit);
    assert_eq!(site.git("digits.git", &["log", "--format=%H"]), commit);
    let subject = site.mails(1).remove(0);
    assert!(subject.contains("accepted"), "{subject}");
    let mail = site.mail.deliveries().remove(0).data;
    let parts = parts(&mail);
    let (_, text) = parts.iter().find(|(head, _)| head.contains("text/plain")).unwrap();
    for said in [
        "train.py: The accuracy 25.00 % is below the gate of 90.00 %",
        "97.00 % in Keras",
        "What was changed, and why:",
        "(because ",
        "could not be carried over",
        "ReduceLROnPlateau",
    ] {
        assert!(text.contains(said), "{said}: {text}");
    }
    let attached = parts.iter().find(|(head, _)| head.contains("keras_model.py"));
    let (head, program) = attached.unwrap();
    assert!(head.contains("attachment") && head.contains("text/x-python"), "{head}");
    assert_eq!(*program, fs::read_to_string(production.join("keras_model.py")).unwrap());
    let page = |path: &str| {
        let mut answer = ureq::get(format!("{address}{path}")).call().unwrap();
        answer.body_mut().read_to_string().unwrap()
    };
    let shown = page("/builds/1");
    for said in
        ["What was changed, and why", "ReduceLROnPlateau", "grown/keras_model.py", "trial 2"]
    {
        assert!(shown.contains(said), "{said}: {shown}");
    }
    assert_eq!(page("/builds/1/files/grown/keras_model.py"), *program);
}

#[test]
fn a_program_that_cannot_be_grown_is_told_why() {
    let mut site = site_that_grows("");
    site.serve();
    let text = WEAK.replace("layers.Flatten()", "layers.Reshape((6, 6)), layers.LSTM(4)");
    site.push(&[("train.py", &text)]);
    let build = site.ended(1).remove(0);
    assert_eq!(build["verdict"], "not-passed", "{build:#}\n{}", site.build_log(&build));
    let why = build["why"].as_str().unwrap();
    assert!(why.contains("It was not grown: no study can be made of it"), "{why}");
    assert!(why.contains("train.py:9: LSTM: the network is for sequences"), "{why}");
    assert!(stage(&build, "check").is_null(), "{build:#}");
    assert_eq!(build["accuracy"], 0.25);
}

/// A service that keeps repositories: takes every request and keeps it.
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
