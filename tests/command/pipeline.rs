//! `examples/ci/pipeline.sh`: from a push to a published model.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

/// A study on the built-in digits that is over within seconds.
fn study(gate: f64) -> String {
    format!(
        "name = \"pushed\"\n[data]\nsource = \"synthetic\"\ntrain = 600\nvalidation = 200\n[model]\nlayers = [{{ dense = {{ units = 32 }} }}]\n\
         [train]\nepochs = 2\n[gate]\naccuracy = {gate}\n[tune]\ntrials = 1\n"
    )
}

struct Pushed {
    folder: TempDir,
}

impl Pushed {
    fn new() -> Self {
        let pushed = Self { folder: TempDir::new().unwrap() };
        fs::create_dir(pushed.at("work")).unwrap();
        pushed.git(&["init", "--quiet", "--initial-branch", "main"]);
        pushed
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn git(&self, arguments: &[&str]) -> String {
        let git = Command::new("git")
            .args(["-c", "user.name=a", "-c", "user.email=a@example.org"])
            .args(arguments)
            .current_dir(self.at("work"))
            .output()
            .unwrap();
        assert!(git.status.success(), "{}", String::from_utf8_lossy(&git.stderr));
        String::from_utf8(git.stdout).unwrap().trim().to_owned()
    }

    /// Commits this study, and returns the commit.
    fn push(&self, study: &str) -> String {
        fs::write(self.at("work").join("study.toml"), study).unwrap();
        self.git(&["add", "."]);
        self.git(&["commit", "--quiet", "--message", "a study"]);
        self.git(&["rev-parse", "HEAD"])
    }

    fn build(&self) -> Output {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/ci/pipeline.sh");
        Command::new("bash")
            .arg(script)
            .args([&self.at("work"), Path::new("main"), &self.at("state")])
            .env("BURGEON", env!("CARGO_BIN_EXE_burgeon"))
            .env_remove("MAIL_TO")
            .output()
            .unwrap()
    }

    fn verdict(&self, commit: &str) -> String {
        fs::read_to_string(self.at("state/verdicts").join(commit)).unwrap()
    }

    fn production(&self) -> PathBuf {
        fs::read_link(self.at("state/models/production")).unwrap()
    }
}

fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

#[test]
fn a_push_is_trained_judged_and_published_once() {
    let pushed = Pushed::new();
    let commit = pushed.push(&study(0.3));
    let output = pushed.build();
    assert_eq!(code(&output), 0, "{}", String::from_utf8_lossy(&output.stdout));
    assert!(pushed.verdict(&commit).starts_with("published: "));
    assert_eq!(pushed.production(), Path::new(&commit));
    let model = pushed.at("state/models/production");
    assert!(model.join("model.onnx").is_file() && model.join("card.md").is_file());

    let again = pushed.build();
    assert!(String::from_utf8_lossy(&again.stdout).contains("already built: published"));
    let runs = fs::read_dir(pushed.at("state/runs").join(&commit)).unwrap().count();
    assert_eq!((code(&again), runs), (0, 1));
}

#[test]
fn what_fails_leaves_the_published_model_and_says_how_it_failed() {
    let pushed = Pushed::new();
    let good = pushed.push(&study(0.3));
    assert_eq!(code(&pushed.build()), 0);

    let weak = pushed.push(&study(0.9999));
    assert_eq!(code(&pushed.build()), 3);
    assert!(pushed.verdict(&weak).starts_with("the gate was not passed: validation accuracy "));
    assert_eq!(code(&pushed.build()), 3, "a second look makes nothing pass");

    let wrong = pushed.push("name = \"pushed\"\n[model]\nlayers = [{ dense = { units = 0 } }]\n");
    assert_eq!(code(&pushed.build()), 2);
    assert_eq!(pushed.verdict(&wrong), "the study is wrong\n");
    assert_eq!(code(&pushed.build()), 2);

    assert_eq!(pushed.production(), Path::new(&good));
}

#[test]
fn hooks_and_links_of_a_repository_do_nothing() {
    let pushed = Pushed::new();
    let secret = pushed.at("secret.toml");
    fs::write(&secret, study(0.3)).unwrap();
    pushed.push(&study(0.3));
    fs::remove_file(pushed.at("work/study.toml")).unwrap();
    std::os::unix::fs::symlink(&secret, pushed.at("work/study.toml")).unwrap();
    pushed.git(&["add", "."]);
    pushed.git(&["commit", "--quiet", "--message", "a link"]);
    // The link comes as a file that holds its target's name, which is no study.
    let output = pushed.build();
    assert_eq!(code(&output), 2, "{}", String::from_utf8_lossy(&output.stdout));
}
