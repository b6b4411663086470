//! Runs in TensorBoard and MLflow, read back by the packages of those tools.

use std::collections::BTreeMap;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use burgeon::ledger::{Event, Recorded};
use burgeon::unstable::ledger::read;
use burgeon::unstable::sys::files::RealFiles;
use serde_json::Value;

use crate::loaders::{has, python};
use crate::skipping::{Group, tests};
use crate::support::{Bench, expect_code, stderr};

pub fn tensorboard_group() -> Group {
    Group {
        name: "tensorboard",
        missing: (!has("import tensorboard"))
            .then(|| format!("no {} with tensorboard", python().display())),
        tests: tests![
            tensorboard_reads_back_every_scalar,
            what_a_killed_process_wrote_is_continued_to_the_same_bytes
        ],
    }
}

pub fn mlflow_group() -> Group {
    Group {
        name: "mlflow",
        missing: (!has("import mlflow")).then(|| format!("no {} with mlflow", python().display())),
        tests: tests![
            mlflow_reads_back_every_figure_once,
            a_server_that_is_away_delays_no_training_and_gets_all_of_it_afterwards
        ],
    }
}

/// Step and value of every figure.
type Scalars = BTreeMap<String, Vec<(u64, f64)>>;

/// What the event log says of each trial.
fn recorded(run: &Path) -> BTreeMap<u32, Scalars> {
    let mut trials: BTreeMap<u32, Scalars> = BTreeMap::new();
    for Recorded { event, .. } in read(&RealFiles, &run.join("events.jsonl")).unwrap() {
        let Event::EpochFinished {
            trial,
            epoch,
            train_loss,
            train_accuracy,
            validation_loss,
            validation_accuracy,
            learning_rate,
            ..
        } = event
        else {
            continue;
        };
        let scalars = trials.entry(trial).or_default();
        for (tag, value) in [
            ("loss/train", train_loss),
            ("loss/validation", validation_loss),
            ("accuracy/train", train_accuracy),
            ("accuracy/validation", validation_accuracy),
            ("learning_rate", learning_rate),
        ] {
            scalars.entry(tag.into()).or_default().push((epoch.into(), value));
        }
    }
    trials
}

fn read_back(tool: &str, place: &str) -> Value {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/external/tracking.py");
    let output = Command::new(python()).arg(script).args([tool, place]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[track_caller]
fn assert_scalars(found: &Value, expected: &Scalars, error: f64) {
    for (tag, expected) in expected {
        let points = found[tag].as_array().unwrap_or_else(|| panic!("no {tag} in {found}"));
        let mut points: Vec<(u64, f64)> = points
            .iter()
            .map(|point| (point[0].as_u64().unwrap(), point[1].as_f64().unwrap()))
            .collect();
        points.sort_by_key(|point| point.0);
        assert_eq!(points.len(), expected.len(), "{tag}: {points:?}");
        for (found, expected) in points.iter().zip(expected) {
            assert_eq!(found.0, expected.0, "{tag}");
            let off = (found.1 - expected.1).abs();
            assert!(off <= error * expected.1.abs().max(1e-3), "{tag}: {found:?}, {expected:?}");
        }
    }
}

fn tensorboard_reads_back_every_scalar() {
    let bench = Bench::new();
    let output = bench.command(&["tune", "study.toml", "--tensorboard", "board"]).output().unwrap();
    expect_code(&output, 0);
    let run = bench.run();
    let name = run.file_name().unwrap().to_str().unwrap();
    let found = read_back("tensorboard", bench.path().join("board").to_str().unwrap());
    let trials = recorded(&run);
    assert!(trials.len() >= 2, "the study has to grow");
    for (trial, expected) in &trials {
        let shown = &found[format!("{name}/trial-{trial:03}")];
        // Event files hold single precision.
        assert_scalars(&shown["scalars"], expected, 1e-6);
    }
    let study = &found[name];
    assert_eq!(
        study["scalars"]["trials/validation_accuracy"].as_array().unwrap().len(),
        trials.len()
    );
    let lineage = study["texts"]["lineage"].as_array().unwrap();
    assert_eq!(lineage.len(), trials.len());
    assert!(lineage[trials.len() - 1].as_str().unwrap().contains("| 2 | 1 |"), "{lineage:?}");
    for picture in ["validation/confusion", "validation/mistakes"] {
        assert_eq!(study["images"][picture].as_array().unwrap().len(), 1, "{picture}");
    }
}

fn what_a_killed_process_wrote_is_continued_to_the_same_bytes() {
    let bench = Bench::new();
    expect_code(&bench.command(&["tune", "study.toml"]).output().unwrap(), 0);
    let run = bench.run();
    let show = |folder: &str| {
        let run = run.to_str().unwrap();
        let output = bench.command(&["report", run, "--tensorboard", folder]).output().unwrap();
        expect_code(&output, 0);
        files(&bench.path().join(folder))
    };
    let whole = show("whole");
    assert!(whole.len() >= 3, "{:?}", whole.keys());
    assert_eq!(show("whole"), whole, "a second time nothing is added");
    for cut in [0, 1, 40, 1000] {
        for (name, bytes) in &whole {
            let path = bench.path().join("cut").join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, &bytes[..bytes.len().saturating_sub(cut)]).unwrap();
        }
        assert_eq!(show("cut"), whole, "{cut} bytes were missing");
    }
}

fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let name = path.strip_prefix(folder).unwrap().to_str().unwrap().to_owned();
            found.insert(name, std::fs::read(path).unwrap());
        }
    }
    found
}

/// A tracking server of its own.
struct Server {
    child: Child,
    port: u16,
    _folder: tempfile::TempDir,
}

impl Server {
    /// Starts one and waits until it answers.
    fn start(port: u16) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let child = Command::new(python())
            .args(["-m", "mlflow", "server", "--workers", "1", "--host", "127.0.0.1"])
            .args(["--port", &port.to_string()])
            .args([
                "--backend-store-uri",
                "sqlite:///mlflow.db",
                "--artifacts-destination",
                "files",
            ])
            .current_dir(folder.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let server = Self { child, port, _folder: folder };
        let began = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(began.elapsed() < Duration::from_secs(180), "the MLflow server does not start");
            std::thread::sleep(Duration::from_millis(200));
        }
        server
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Its workers end with it.
        let id = self.child.id().to_string();
        let _ = Command::new("kill").args(["-TERM", &id]).status();
        let _ = self.child.wait();
    }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// The study's run and those of its trials.
fn mlflow_runs(url: &str) -> (Value, BTreeMap<u32, Value>) {
    let found = read_back("mlflow", url);
    let (mut study, mut trials) = (None, BTreeMap::new());
    for run in found.as_array().unwrap() {
        match run["tags"]["burgeon.trial"].as_str().unwrap() {
            "" => assert!(study.replace(run.clone()).is_none(), "two runs for one study: {found}"),
            trial => {
                let before = trials.insert(trial.parse().unwrap(), run.clone());
                assert!(before.is_none(), "two runs for trial {trial}: {found}");
            }
        }
    }
    (study.unwrap(), trials)
}

#[track_caller]
fn assert_all_is_there(url: &str, run: &Path) {
    let (study, trials) = mlflow_runs(url);
    let expected = recorded(run);
    assert_eq!(trials.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>());
    for (trial, expected) in &expected {
        let shown = &trials[trial];
        assert_scalars(&shown["metrics"], expected, 1e-12);
        assert_eq!(shown["status"], "FINISHED");
        assert_eq!(shown["parameters"]["trial"], trial.to_string());
    }
    assert_eq!(study["status"], "FINISHED");
    assert_eq!(study["tags"]["burgeon.outcome"], "accepted");
    assert_eq!(study["parameters"]["study"], "growing");
    let files = study["files"].to_string();
    for file in ["report.html", "study.toml", "model/MLmodel", "model/model.onnx"] {
        assert!(files.contains(file), "{file}: {files}");
    }
}

fn mlflow_reads_back_every_figure_once() {
    let server = Server::start(free_port());
    let bench = Bench::new();
    let url = server.url();
    let output = bench.command(&["tune", "study.toml", "--mlflow", &url]).output().unwrap();
    expect_code(&output, 0);
    assert!(!stderr(&output).contains("MLflow has not"), "{}", stderr(&output));
    let run = bench.run();
    assert_all_is_there(&url, &run);
    // Once more, all of it: nothing is there twice.
    let path = run.to_str().unwrap();
    expect_code(&bench.command(&["report", path, "--mlflow", &url]).output().unwrap(), 0);
    assert_all_is_there(&url, &run);
}

fn a_server_that_is_away_delays_no_training_and_gets_all_of_it_afterwards() {
    let bench = Bench::new();
    let port = free_port();
    let url = format!("http://127.0.0.1:{port}");
    // It takes connections and never answers.
    let silent = TcpListener::bind(("127.0.0.1", port)).unwrap();
    let output = bench.command(&["tune", "study.toml", "--mlflow", &url]).output().unwrap();
    drop(silent);
    expect_code(&output, 0);
    assert!(stderr(&output).contains("MLflow"), "{}", stderr(&output));
    assert!(stderr(&output).contains("burgeon report"), "{}", stderr(&output));
    let run = bench.run();
    // The same decisions as without.
    let alone = Bench::new();
    expect_code(&alone.command(&["tune", "study.toml"]).output().unwrap(), 0);
    let losses = |run: &Path| recorded(run);
    assert_eq!(losses(&run), losses(&alone.run()));
    let path = run.to_str().unwrap();
    expect_code(&bench.command(&["report", path, "--mlflow", &url]).output().unwrap(), 1);
    let server = Server::start(port);
    expect_code(&bench.command(&["report", path, "--mlflow", &server.url()]).output().unwrap(), 0);
    assert_all_is_there(&server.url(), &run);
}
