//! The real binary on a study that is small enough to run in a second or two.

mod listening;
mod small_study;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use burgeon::unstable::ledger::{read, uninterrupted};
use burgeon::unstable::sys::files::RealFiles;

pub use self::listening::listening;
pub use self::small_study::SmallStudy;

/// A folder for runs, with the study that the tests use.
pub struct Bench {
    folder: tempfile::TempDir,
}

/// A weak network on a few built-in digits that has to grow to pass.
pub const GROWING: &str = r#"
name = "growing"
[data]
source = "synthetic"
train = 1200
validation = 400
[model]
layers = [
  { conv = { filters = 1, kernel = 3, padding = "valid", stride = 2 } },
  { max-pool = { size = 4 } },
  { dropout = { rate = 0.1 } },
]
[train]
epochs = 2
batch-size = 32
learning-rate = 0.002
augment = { shift = 1 }
checkpoint = { every-steps = 7 }
[gate]
accuracy = 0.75
[tune]
trials = 6
"#;

impl Bench {
    /// A fresh folder with [`GROWING`] in it.
    pub fn new() -> Self {
        Self::with_study(GROWING)
    }

    /// A fresh folder with this study in it.
    pub fn with_study(study: &str) -> Self {
        let bench = Self { folder: tempfile::tempdir().unwrap() };
        std::fs::write(bench.study(), study).unwrap();
        bench
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    pub fn study(&self) -> PathBuf {
        self.path().join("study.toml")
    }

    pub fn runs(&self) -> PathBuf {
        self.path().join("runs")
    }

    /// The first run that was begun. A process that was killed before that leaves an empty folder.
    pub fn run(&self) -> PathBuf {
        let runs = (1..100).map(|number| self.runs().join(format!("growing-{number:04}")));
        let begun = runs.clone().find(|run| run.join("study.toml").exists());
        begun.unwrap_or_else(|| self.runs().join("growing-0001"))
    }

    /// `burgeon ARGS…` in this folder, with nothing of the caller's settings.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_burgeon"));
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("BURGEON_") {
                command.env_remove(name);
            }
        }
        command.current_dir(self.path()).env("NO_COLOR", "1").args(arguments);
        command.env("BURGEON_CACHE", self.path().join("cache"));
        command
    }

    pub fn burgeon(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }
}

/// What has to be the same at the end, however often the study was cut.
#[derive(Debug, PartialEq)]
pub struct End {
    model: Vec<u8>,
    weights: Vec<Vec<u8>>,
    events: Vec<String>,
}

impl End {
    /// What a finished run came to.
    pub fn of(run: &Path) -> Self {
        let mut trials: Vec<_> = std::fs::read_dir(run.join("trials"))
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        trials.sort();
        let folders = |trial: &PathBuf| -> Vec<PathBuf> {
            let folds = (1..=20).map(|fold| trial.join("folds").join(fold.to_string()));
            [trial.clone()].into_iter().chain(folds).collect()
        };
        let folders = trials.iter().flat_map(folders);
        let weights = folders.map(|folder| newest_weights(&folder.join("checkpoints"))).collect();
        let records = read(&RealFiles, &run.join("events.jsonl")).unwrap();
        Self {
            model: std::fs::read(run.join("best/model.safetensors")).unwrap(),
            weights,
            events: uninterrupted(&records).iter().map(|event| format!("{event:?}")).collect(),
        }
    }
}

/// Nothing, where the trial's checkpoints were removed.
fn newest_weights(checkpoints: &Path) -> Vec<u8> {
    let Ok(entries) = std::fs::read_dir(checkpoints) else {
        return Vec::new();
    };
    let mut folders: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    folders.sort();
    std::fs::read(folders.pop().unwrap().join("weights.safetensors")).unwrap()
}

pub fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

pub fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Asserts on the exit code, showing what was said when it is another one.
#[track_caller]
pub fn expect_code(output: &Output, code: i32) {
    let said = format!("{}{}", stdout(output), stderr(output));
    assert_eq!(output.status.code(), Some(code), "{said}");
}
