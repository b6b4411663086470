//! `burgeon registry`: from a run to a version that serves, and back.
//!
//! `BURGEON_REGISTRY_KILLS=500 cargo test --test command registry::` is the long form.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::path::PathBuf;
use std::process::{Child, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::{Bench, expect_code, stderr, stdout};

/// A study on the built-in digits that is over within seconds.
fn study(seed: u64, epochs: u32) -> String {
    format!(
        "name = \"digits\"\n[data]\nsource = \"synthetic\"\ntrain = 600\nvalidation = 200\n[model]\nlayers = [{{ dense = {{ units = 32 }} }}]\n\
         [train]\nepochs = {epochs}\nseed = {seed}\n[gate]\naccuracy = 0.3\n"
    )
}

/// A bench with two runs, both added to a registry.
pub fn filled() -> Bench {
    let bench = Bench::with_study(&study(1, 4));
    for run in ["runs/digits-0001", "runs/digits-0002"] {
        expect_code(&bench.burgeon(&["train", "study.toml"]), 0);
        expect_code(&bench.burgeon(&["registry", "add", run]), 0);
    }
    bench
}

pub fn json(output: &Output) -> Value {
    serde_json::from_str(&stdout(output)).unwrap()
}

#[test]
fn a_run_becomes_a_version_that_is_promoted_and_rolled_back() {
    let bench = filled();
    let listed = json(&bench.burgeon(&["registry", "list", "--json"]));
    assert_eq!(listed["versions"].as_array().unwrap().len(), 2);
    let version: PathBuf = bench.path().join("registry/versions/000001");
    for file in [
        "model.safetensors",
        "model.onnx",
        "card.md",
        "report.md",
        "provenance.json",
        "self-test.json",
    ] {
        assert!(version.join(file).is_file(), "{file}");
    }
    assert!(fs::read_to_string(version.join("card.md")).unwrap().contains("Answering \"unsure\""));
    expect_code(&bench.burgeon(&["registry", "promote", "production", "1"]), 0);
    // The same network twice: no worse than itself, as far as 400 images can tell, but that is not far.
    let second = bench.burgeon(&["registry", "promote", "production", "2", "--force"]);
    expect_code(&second, 0);
    assert!(stdout(&second).contains("McNemar"), "{}", stdout(&second));
    expect_code(&bench.burgeon(&["registry", "rollback", "production"]), 0);
    let listed = json(&bench.burgeon(&["registry", "list", "--json"]));
    assert_eq!(listed["aliases"][0]["version"], 1);
    expect_code(&bench.burgeon(&["registry", "verify"]), 0);
    fs::write(version.join("model.onnx"), "other").unwrap();
    let verified = bench.burgeon(&["registry", "verify"]);
    expect_code(&verified, 1);
    assert!(stdout(&verified).contains("model.onnx"), "{}", stdout(&verified));
}

#[test]
fn runs_that_several_processes_add_at_once_become_versions_of_one_registry() {
    let bench = Bench::with_study(&study(1, 4));
    let runs = ["runs/digits-0001", "runs/digits-0002", "runs/digits-0003"];
    for _ in runs {
        expect_code(&bench.burgeon(&["train", "study.toml"]), 0);
    }
    let add = |run: &&str| {
        let mut command = bench.command(&["registry", "add", run, "--json"]);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let children: Vec<_> = runs.iter().map(add).collect();
    let mut versions: Vec<u64> = Vec::new();
    for child in children {
        let output = child.wait_with_output().unwrap();
        expect_code(&output, 0);
        versions.push(json(&output)["version"].as_u64().unwrap());
    }
    versions.sort_unstable();
    assert_eq!(versions, [1, 2, 3]);
    expect_code(&bench.burgeon(&["registry", "verify"]), 0);
    let listed = json(&bench.burgeon(&["registry", "list", "--json"]));
    assert_eq!(listed["versions"].as_array().unwrap().len(), 3);
}

#[test]
fn a_version_below_the_gate_is_refused_with_its_own_exit_code() {
    let bench = filled();
    let settings = bench.path().join("registry/registry.toml");
    let text = fs::read_to_string(&settings).unwrap().replace("accuracy = 0.3", "accuracy = 1.0");
    fs::write(&settings, text).unwrap();
    let refused = bench.burgeon(&["registry", "promote", "production", "1"]);
    expect_code(&refused, 5);
    assert!(stdout(&refused).contains("below the gate of 100.00 %"), "{}", stdout(&refused));
    let forced = bench.burgeon(&["registry", "promote", "production", "1", "--force", "--json"]);
    expect_code(&forced, 0);
    let decision = &json(&forced)["decision"];
    assert_eq!(
        (&decision["forced"], &decision["judgement"]["accepted"]),
        (&true.into(), &false.into())
    );
}

#[test]
fn a_model_that_was_trained_on_the_held_out_images_is_not_added() {
    let bench = Bench::with_study(&study(1, 1));
    expect_code(&bench.burgeon(&["train", "study.toml"]), 0);
    let run = "runs/digits-0001";
    let seen = bench.burgeon(&["registry", "add", run, "--split", "validation"]);
    expect_code(&seen, 5);
    assert!(stderr(&seen).contains("200 of the 200 held-out images"), "{}", stderr(&seen));
    // The next one can bring images that it was not trained on.
    expect_code(&bench.burgeon(&["registry", "add", run]), 0);
}

#[test]
fn what_is_not_there_is_told() {
    let bench = Bench::new();
    for (arguments, code, part) in [
        (&["registry", "list"][..], 1, "no registry"),
        (&["registry", "promote", "production", "x"], 2, "is not a version"),
        (&["serve", "--registry", "registry"], 1, "no registry"),
        (&["serve", "runs/none"], 1, "neither a run folder"),
    ] {
        let output = bench.burgeon(arguments);
        expect_code(&output, code);
        assert!(stderr(&output).contains(part), "{arguments:?}: {}", stderr(&output));
    }
}

/// What the folders of a registry show from outside.
struct Shown<'a>(&'a Bench);

impl Shown<'_> {
    /// The version in production, as whoever serves it reads it.
    fn production(&self) -> u64 {
        let alias = fs::read(self.0.path().join("registry/aliases/production")).unwrap();
        serde_json::from_slice::<Value>(&alias).unwrap()["version"].as_u64().unwrap()
    }

    fn names(&self, folder: &str) -> BTreeSet<OsString> {
        let entries = fs::read_dir(self.0.path().join("registry").join(folder)).unwrap();
        entries.map(|entry| entry.unwrap().file_name()).collect()
    }

    /// Records that are named as such, each of which has to be whole.
    fn records(&self) -> usize {
        let names = self.names("records");
        let named = names.iter().filter(|name| !name.to_string_lossy().starts_with('.'));
        named
            .map(|name| fs::read(self.0.path().join("registry/records").join(name)).unwrap())
            .map(|record| assert!(serde_json::from_slice::<Value>(&record).is_ok()))
            .count()
    }
}

#[test]
fn a_promotion_or_rollback_killed_at_any_moment_is_done_or_not_and_the_next_command_works() {
    let kills: u32 =
        std::env::var("BURGEON_REGISTRY_KILLS").map_or(12, |kills| kills.parse().unwrap());
    let bench = filled();
    expect_code(&bench.burgeon(&["registry", "promote", "production", "1"]), 0);
    let shown = Shown(&bench);
    // Back from 2, forth from 1.
    let start = |from: u64| -> Child {
        let arguments = match from {
            1 => &["registry", "promote", "production", "2", "--force"][..],
            _ => &["registry", "rollback", "production"],
        };
        bench.command(arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    };
    // Waits for the first file that it writes.
    let has_begun = |child: &mut Child, names: &BTreeSet<OsString>| {
        while child.try_wait().unwrap().is_none() && shown.names("records") == *names {
            std::thread::sleep(Duration::from_micros(30));
        }
    };
    let names = shown.names("records");
    let (began, mut child) = (Instant::now(), start(1));
    has_begun(&mut child, &names);
    let writes = Instant::now();
    while shown.production() == 1 {
        std::thread::sleep(Duration::from_micros(30));
    }
    let writing = writes.elapsed();
    child.wait().unwrap();
    let whole_run = began.elapsed();
    let (mut before, mut within, mut between, mut after) = (0, 0, 0, 0);
    for kill in 0..kills {
        let (from, names, records) = (shown.production(), shown.names("records"), shown.records());
        let mut child = start(from);
        // Multiples of the golden ratio fill an interval evenly, however many there are.
        let part = (f64::from(kill) * 0.618_034).fract();
        if kill % 5 == 0 {
            std::thread::sleep(whole_run.mul_f64(part));
        } else {
            has_begun(&mut child, &names);
            std::thread::sleep(writing.mul_f64(part * part));
        }
        // One that has ended by then is as good.
        let _ = child.kill();
        child.wait().unwrap();
        let (now, decided) = (shown.production(), shown.records() - records);
        assert!(now == from || (now == 3 - from && decided == 1), "{from} became {now}");
        match (decided, now == from) {
            (0, _) if shown.names("records") == names => before += 1,
            (0, _) => within += 1,
            (_, true) => between += 1,
            (_, false) => after += 1,
        }
        let verified = bench.burgeon(&["registry", "verify", "--json"]);
        assert!(verified.status.success(), "kill {kill}: {}", stdout(&verified));
        let next = (1 + kill % 2).to_string();
        expect_code(&bench.burgeon(&["registry", "promote", "candidate", &next]), 0);
        assert_eq!(shown.production(), if decided == 1 { 3 - from } else { from });
        let is_left = |name: &OsString| name.to_string_lossy().starts_with('.');
        assert!(!shown.names("records").iter().any(is_left), "kill {kill}");
    }
    expect_code(&bench.burgeon(&["registry", "verify"]), 0);
    println!(
        "{kills} kills: {before} before anything was written, {within} within the record, {between} between record and alias, \
         {after} after the alias had moved"
    );
}
